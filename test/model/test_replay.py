# SPDX-License-Identifier: Apache-2.0
"""Real usage through HTTP: every account's bill equals the oracle's to the cent, and neither order nor
batch size nor repetition changes a byte of it but for `sequence` and `ratedAt`."""
import pytest
import replay
import usage
from client import Api, Server
from exact import instant
from play import differences

ABSENT = f"{replay.DATA} is absent: no real usage to replay"
pytestmark = pytest.mark.skipif(not replay.DATA.exists(), reason=ABSENT)
WORLDS = {"genai": (replay.genai, 26_823, 4_247), "web": (replay.web, 10_000, 1_753)}


class Played:
    """One trace, sent once in order in batches of 1,000."""

    def __init__(self, name):
        make, events, accounts = WORLDS[name]
        self.replay = make()
        assert len(self.replay.events) == events and len(self.replay.accounts) == accounts
        self.server = Server(seal_bits=10)
        self.server.start()
        self.api = Api(self.server)
        self.replay.declare(self.api)
        self.totals = self.replay.send(self.api, 1000)
        self.replay.subscribe(self.api)
        self.bills = self.replay.bills(self.api)


@pytest.fixture(scope="module", params=sorted(WORLDS))
def played(request):
    made = Played(request.param)
    try:
        yield made
        made.server.stop()
        made.server.verify()
    finally:
        made.server.remove()


def test_every_event_is_accepted_once(played):
    assert played.totals == {"accepted": len(played.replay.events), "duplicates": 0, "conflicts": 0, "rejected": 0}


def test_every_bill_equals_the_oracle(played):
    for account in played.replay.accounts:
        bill = played.bills[account][0]
        wanted = {"subscription": account, **played.replay.wanted(account)}
        got = {name: value for name, value in bill.items() if name not in ("sequence", "ratedAt")}
        assert got == wanted, "\n".join(differences(got, wanted))
    print(f"{len(played.replay.accounts)} bills equal")


def test_usage_totals_and_ignored(played):
    judge = usage.Journal()
    for meter in played.replay.meters:
        judge.declare(meter)
    for event in played.replay.events:
        judge.take(event)
    start, end = instant("2015-01-01T00:00:00Z"), instant("2025-01-01T00:00:00Z")
    for meter in played.replay.meters:
        answer = played.api.usage(meter["id"], **{"from": "2015-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z",
                                                  "window": "total"})
        (_, _, _, wanted), = judge.usage(meter["id"], None, [(start, end)])
        got, = answer["data"]
        assert (got["value"], got["events"], got["ignored"]) == (
            wanted.shown(meter["aggregation"]), wanted.events, wanted.ignored), meter
    if "models" in judge.meters:
        assert wanted.ignored == 25  # the rows that name no model


def test_sent_again_nothing_changes(played):
    totals = played.replay.send(played.api, 700, order=1)
    assert totals == {"accepted": 0, "duplicates": len(played.replay.events), "conflicts": 0, "rejected": 0}
    assert_same(played.replay.bills(played.api), played.bills)


def test_after_kill_9_the_bills_are_the_same_bytes(played):
    played.server.kill9()
    played.server.start()
    assert_same(played.replay.bills(played.api), played.bills)


@pytest.mark.parametrize("size,order,bits", [(37, 20_241_115, 6)])
def test_shuffled_in_other_batches_the_bills_are_the_same_bytes(played, size, order, bits):
    with Server(seal_bits=bits) as server:
        assert_same(replay.fresh_bills(played.replay, server, size, order), played.bills)


def assert_same(bills, others):
    assert set(bills) == set(others)
    for account in bills:
        assert bills[account][1] == others[account][1], account
