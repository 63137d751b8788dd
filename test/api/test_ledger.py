# SPDX-License-Identifier: Apache-2.0
"""The ledger over HTTP: accounts, statements, postings, trial balance, proof, months; and that each project
sees its own. What stands in it was written by another hand, so its hashes are checked too."""
import datetime
import random
import time
from decimal import Decimal

import pytest
from books import Books
from client import Api, Server, quote
from clock import advance, set_clock, test_project as project_folder
from ledger_books import LedgerBooks
from test_revenue import run, used

DAY = 86_400_000_000
FIRST = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
OCTOBER_31 = 1_793_404_800_000_000  # of 2026, its midnight in UTC
HUGE = 6_000_000_000_000_000_000
PROJECTS = ("empty", "other", "huge", "vast", "long", "torn", "timed", "zoned")
SHARED = ("cash", "revenue", "tax")
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
SECONDS_MAX = 60  # a watchdog for the sealer, who comes each second


def invoice(books, number, account, net, tax, **more):
    books.post(f"invoice:{number}", [("receivable", account, net + tax), ("revenue", "pro/api", -net),
                                     ("tax", "vat", -tax)], account=account, at=FIRST + number, **more)


def fill(books):
    """Five of ada, one of bob, one in yen and one in dinars, a credit that is given back."""
    for number in range(1, 6):
        invoice(books, number, "ada", 1000 * number, 100 * number)
    invoice(books, 6, "bob", 500, 0 + 50, memo="by hand", effective_at=FIRST - 40 * DAY)
    books.post("payment:1", [("cash", "wire", 1100), ("receivable", "ada", -1100)], posting="payment",
               account="ada", at=FIRST + 7)
    books.post("invoice:7", [("receivable", "ada", 323), ("revenue", "pro/api", -323)], currency="JPY",
               account="ada", at=FIRST + 8)
    books.post("invoice:8", [("receivable", "ada", 1234), ("revenue", "pro/api", -1234)], currency="KWD",
               at=FIRST + 9)
    books.balances()


def instant(us, zone=datetime.timezone.utc):
    return (datetime.datetime.fromtimestamp(us // 1_000_000, zone).replace(microsecond=us % 1_000_000)
            .isoformat(timespec="microseconds"))


def fill_dated(books):
    """Booked in one order, effective in another; some at the same microsecond; accounts that come back to 0."""
    rng = random.Random(7)
    moments = [FIRST + rng.randrange(40) * DAY + rng.choice((0, 0, 1, rng.randrange(DAY))) for _ in range(60)]
    for number in range(240):
        account, currency, amount = f"acct{rng.randrange(9)}", rng.choice(("USD", "USD", "JPY")), rng.randrange(1, 9999)
        legs = [("receivable", account, amount + 1), ("revenue", f"pro/{rng.randrange(3)}", -amount),
                ("tax", "vat", -1)]
        if rng.random() < 0.3:
            legs = [("cash", "wire", amount), ("receivable", account, -amount)]
        elif rng.random() < 0.2:
            legs = [("receivable", account, amount), ("wallet", account, -amount)]
        books.post(f"any:{number}", legs, posting="reversal", currency=currency, at=FIRST + 50 * DAY + number,
                   effective_at=rng.choice(moments), account=account)
    books.balances()


def fill_zoned(books):
    """What ends October in Berlin, in UTC and in New York: the last microsecond, and the first of November."""
    for number, hour in enumerate((23, 24, 28)):
        ends = OCTOBER_31 + hour * 3600 * 1_000_000
        invoice(books, 2 * number + 1, "ada", 10 ** number, 0 + 1, effective_at=ends - 1)
        invoice(books, 2 * number + 2, "ada", 2 * 10 ** number, 0 + 1, effective_at=ends)
    books.balances()


@pytest.fixture(scope="module")
def world(contract):
    server = Server(seal_bits=6)
    with Books(server) as books:
        for name in PROJECTS:
            books.add_project(name)
        keys = {name: books.add_key(["catalog:write", "ledger:read", "ledger:write"], project=name)
                for name in PROJECTS}
        mine = LedgerBooks(books)
        fill(mine)
        other = LedgerBooks(books, "other")
        invoice(other, 1, "ada", 7, 0 + 1)
        other.balances()
        dated = LedgerBooks(books, "timed")
        fill_dated(dated)
        fill_zoned(LedgerBooks(books, "zoned"))
        huge, vast = LedgerBooks(books, "huge"), LedgerBooks(books, "vast")
        for number, kind in ((1, "deferred"), (2, "receivable")):
            huge.post(f"invoice:{number}", [(kind, "ada", HUGE), ("revenue", "all", -HUGE)],
                      effective_at=FIRST + number * DAY)
            vast.post(f"invoice:{number}", [(kind, "ada", HUGE), ("revenue", f"a/{number}", -HUGE)])
        huge.balances()
        vast.balances()
        books.add("ledger_chain", tenant=books.tenant, project="long", position=250001, hash=bytes(32))
        torn = LedgerBooks(books, "torn")
        invoice(torn, 1, "ada", 9, 0 + 1)
        torn.balances()
        books.add("ledger_balance", tenant=books.tenant, project="torn", kind="wallet", owner="ada",
                  currency="USD", amount=5)
    with server:
        server.ledger, server.dated = mine, dated
        yield server, {"mine": server.key, **keys}


@pytest.fixture
def as_key(world, contract):
    server, keys = world
    return lambda name: Api(server, key=keys[name], contract=contract)


@pytest.fixture
def ledger(as_key):
    """The ledger of the project with everything in it, once it is sealed."""
    api = as_key("mine")
    wait_sealed(api, 9)
    return api


def wait_sealed(api, count):
    late = time.monotonic() + SECONDS_MAX
    while (proof := api.get("/v1/ledger/verify"))["transactions"] < count:
        assert time.monotonic() < late, proof
        time.sleep(0.1)
    return proof


def rows(api, path, **query):
    """All pages."""
    found, cursor = [], None
    while True:
        page = api.get(path, query={**query, **({"cursor": cursor} if cursor else {})})
        found += page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def brief(found):
    return [(row["kind"], row["owner"], row["currency"], row["balance"]) for row in found]


ACCOUNTS = [("cash", "wire", "USD", "11.00"), ("receivable", "ada", "JPY", "323"),
            ("receivable", "ada", "KWD", "1.234"), ("receivable", "ada", "USD", "154.00"),
            ("receivable", "bob", "USD", "5.50"), ("revenue", "pro/api", "JPY", "-323"),
            ("revenue", "pro/api", "KWD", "-1.234"), ("revenue", "pro/api", "USD", "-155.00"),
            ("tax", "vat", "USD", "-15.50")]


@pytest.mark.parametrize("limit", (1, 2, 3, 9, 1000))
def test_accounts_have_their_balances_on_pages_of_any_size(ledger, limit):
    assert brief(rows(ledger, "/v1/ledger/accounts", limit=limit)) == ACCOUNTS
    assert brief(rows(ledger, "/v1/ledger/accounts", limit=limit, owner="ada")) == ACCOUNTS[1:4]
    assert brief(rows(ledger, "/v1/ledger/accounts", limit=limit, kind="revenue")) == ACCOUNTS[5:8]
    assert brief(rows(ledger, "/v1/ledger/accounts", limit=limit, kind="revenue", owner="pro/api")) == ACCOUNTS[5:8]
    assert rows(ledger, "/v1/ledger/accounts", limit=limit, kind="wallet") == []
    assert rows(ledger, "/v1/ledger/accounts", limit=limit, owner="nobody") == []


def test_an_account_says_its_normal_side(ledger):
    sides = {row["kind"]: row["normalSide"] for row in rows(ledger, "/v1/ledger/accounts")}
    assert sides == {"cash": "debit", "receivable": "debit", "revenue": "credit", "tax": "credit"}


def statement(api, kind, owner, currency="USD", **query):
    return api.get(f"/v1/ledger/accounts/{kind}/{quote(owner)}/statement", query={"currency": currency, **query})


def test_a_statement_runs_from_opening_to_closing(ledger):
    whole = statement(ledger, "receivable", "ada")
    assert (whole["opening"], whole["closing"], whole["nextCursor"]) == ("0.00", "154.00", None)
    assert [(row["source"], row["amount"], row["balance"]) for row in whole["data"]] == [
        ("invoice:1", "11.00", "11.00"), ("invoice:2", "22.00", "33.00"), ("invoice:3", "33.00", "66.00"),
        ("invoice:4", "44.00", "110.00"), ("invoice:5", "55.00", "165.00"), ("payment:1", "-11.00", "154.00")]
    assert whole["data"][5]["posting"] == "payment"
    assert statement(ledger, "revenue", "pro/api", "KWD")["closing"] == "-1.234"
    assert statement(ledger, "revenue", "pro/api", "JPY")["closing"] == "-323"


def test_pages_of_a_statement_join(ledger):
    whole, balance, found, cursor = statement(ledger, "tax", "vat"), "0.00", [], {}
    while True:
        page = statement(ledger, "tax", "vat", limit=2, **cursor)
        assert page["opening"] == balance
        balance, found = page["closing"], found + page["data"]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert found == whole["data"] and balance == whole["closing"] == "-15.50"


def test_a_statement_of_an_account_that_is_not_there_is_refused(ledger):
    answer = ledger.call("GET", "/v1/ledger/accounts/receivable/nobody/statement?currency=USD")
    assert (answer.status, answer.code) == (404, "account_not_found")


def test_a_statement_without_an_entry_is_empty(ledger):
    ledger.put("/v1/accounts/nobody_yet", {})
    empty = statement(ledger, "receivable", "nobody_yet")
    assert (empty["opening"], empty["closing"], empty["data"]) == ("0.00", "0.00", [])


def test_postings_newest_first(ledger):
    every = rows(ledger, "/v1/ledger/transactions", limit=4)
    assert [row["source"] for row in every] == ["invoice:8", "invoice:7", "payment:1", "invoice:6", "invoice:5",
                                                "invoice:4", "invoice:3", "invoice:2", "invoice:1"]
    assert [row["position"] for row in every] == list(range(9, 0, -1))
    bobs, = rows(ledger, "/v1/ledger/transactions", account="bob")
    assert bobs["memo"] == "by hand" and bobs["effectiveAt"] < bobs["at"] and bobs["account"] == "bob"
    assert every[0]["account"] is None and every[0]["memo"] is None
    assert rows(ledger, "/v1/ledger/transactions", account="nobody") == []


def test_one_posting_by_its_source(ledger):
    one = ledger.get(f"/v1/ledger/transactions/{quote('invoice:7')}")
    assert one["currency"] == "JPY" and [(row["kind"], row["owner"], row["amount"]) for row in one["entries"]] == [
        ("receivable", "ada", "323"), ("revenue", "pro/api", "-323")]
    answer = ledger.call("GET", "/v1/ledger/transactions/invoice:none")
    assert (answer.status, answer.code) == (404, "ledger_not_found")


def test_the_trial_balance_is_zero_in_each_currency(ledger):
    trial = ledger.get("/v1/ledger/trialBalance")
    assert {row["currency"]: (row["debit"], row["credit"], row["difference"]) for row in trial["totals"]} == {
        "USD": ("170.50", "-170.50", "0.00"), "JPY": ("323", "-323", "0"), "KWD": ("1.234", "-1.234", "0.000")}
    assert ("receivable", None, "USD", "159.50") in brief(trial["data"])
    assert ("tax", "vat", "USD", "-15.50") in brief(trial["data"])


# ---- as of an instant

@pytest.fixture
def dated(world, as_key):
    server, _ = world
    api = as_key("timed")
    api.books = server.dated
    for number in range(9):
        api.put(f"/v1/accounts/acct{number}", {})
    return api


def minor(amount, currency):
    whole = Decimal(amount).scaleb(DIGITS[currency])
    assert whole == int(whole)
    return int(whole)


def naive(entries, until):
    """{(kind, owner, currency): minor} of what counts before an instant."""
    sums = {}
    for kind, owner, currency, effective_at, _, amount in entries:
        if effective_at < until:
            sums[kind, owner, currency] = sums.get((kind, owner, currency), 0) + amount
    return sums


def together(sums):
    """Customers' accounts by kind, which come first; then the shared ones."""
    made = {}
    for (kind, owner, currency), amount in sums.items():
        name = (kind, owner if kind in SHARED else None, currency)
        made[name] = made.get(name, 0) + amount
    return sorted(made.items(), key=lambda row: (row[0][1] is not None, row[0][0], row[0][1] or "", row[0][2]))


def moments(entries, count, seed):
    """Before all, behind all, at entries and a microsecond from them."""
    rng = random.Random(seed)
    some = [rng.choice(entries)[3] + rng.choice((-1, 0, 1)) for _ in range(count)]
    return [FIRST - DAY, FIRST + 400 * DAY, *some]


def read(rows):
    return [((row["kind"], row["owner"], row["currency"]), minor(row["balance"], row["currency"])) for row in rows]


def test_the_trial_balance_as_of_any_instant_is_the_sum_of_what_counts_before_it(dated):
    for until in moments(dated.books.entries, 40, 1):
        trial = dated.get("/v1/ledger/trialBalance", query={"at": instant(until)})
        assert read(trial["data"]) == together(naive(dated.books.entries, until)), until
        for total in trial["totals"]:
            assert minor(total["difference"], total["currency"]) == 0
            assert minor(total["debit"], total["currency"]) == sum(
                row for (_, _, currency), row in together(naive(dated.books.entries, until))
                if currency == total["currency"] and row > 0)


def test_the_trial_balance_behind_the_last_entry_is_that_of_now(dated):
    late = dated.get("/v1/ledger/trialBalance", query={"at": "9999-12-31T23:59:59Z"})
    assert late == dated.get("/v1/ledger/trialBalance") and late["data"]


@pytest.mark.parametrize("limit", (1, 7, 1000))
def test_accounts_as_of_an_instant_on_pages_of_any_size(dated, limit):
    for until in moments(dated.books.entries, 4, limit):
        sums = naive(dated.books.entries, until)
        for filters in ({}, {"kind": "receivable"}, {"kind": "revenue"}, {"owner": "acct3"}):
            wanted = sorted((name, amount) for name, amount in sums.items()
                            if filters.get("kind") in (None, name[0]) and filters.get("owner") in (None, name[1]))
            assert read(rows(dated, "/v1/ledger/accounts", limit=limit, at=instant(until), **filters)) == wanted


def span(api, name, start, end, limit=1000):
    """(opening, entries, closing) over all pages, each of which begins where the one before ended."""
    query = {"currency": name[2], "limit": limit, **({"from": instant(start)} if start is not None else {}),
             **({"to": instant(end)} if end is not None else {})}
    path, found, page = f"/v1/ledger/accounts/{name[0]}/{quote(name[1])}/statement", [], None
    while page is None or page["nextCursor"] is not None:
        again = api.get(path, query={**query, **({} if page is None else {"cursor": page["nextCursor"]})})
        assert page is None or again["opening"] == page["closing"]
        first, page = (again["opening"] if page is None else first), again
        balance = minor(page["opening"], name[2])
        for row in page["data"]:
            balance += minor(row["amount"], name[2])
            assert minor(row["balance"], name[2]) == balance
        found += page["data"]
        assert minor(page["closing"], name[2]) == balance
    return minor(first, name[2]), found, minor(page["closing"], name[2])


def entries_of(entries, name, start, end):
    return [(id, amount) for _, id, amount in sorted(
        (effective_at, id, amount) for *named, effective_at, id, amount in entries
        if tuple(named) == name and (start is None or start <= effective_at) and (end is None or effective_at < end))]


@pytest.mark.parametrize("limit", (1, 3, 1000))
def test_a_statement_of_a_span_is_in_the_order_in_which_entries_count(dated, limit):
    entries, rng = dated.books.entries, random.Random(limit)
    names = sorted({entry[:3] for entry in entries})
    for _ in range(6):
        name, (start, end) = rng.choice(names), sorted(rng.sample(moments(entries, 30, rng.random()), 2))
        for start, end in ((start, end + 1), (None, end), (start, None)):
            opening, found, closing = span(dated, name, start, end, limit)
            wanted = entries_of(entries, name, start, end)
            assert [(row["transaction"], minor(row["amount"], name[2])) for row in found] == wanted
            before = 0 if start is None else naive(entries, start).get(name, 0)
            assert (opening, closing) == (before, before + sum(amount for _, amount in wanted))


def test_a_span_without_an_entry_opens_and_closes_with_the_same(dated):
    name = next(entry[:3] for entry in dated.books.entries)
    balance = naive(dated.books.entries, FIRST + 400 * DAY)[name]
    assert span(dated, name, FIRST + 300 * DAY, FIRST + 301 * DAY) == (balance, [], balance)
    assert span(dated, name, FIRST - 9 * DAY, FIRST - 8 * DAY) == (0, [], 0)


# Named after what users of the peers met.

def test_an_entry_at_a_boundary_is_in_one_month_and_one_only(dated):
    """Boundaries that are kept in other units than events lose what is between, or count it twice."""
    entries = dated.books.entries
    cuts = sorted({entry[3] for entry in random.Random(3).sample(entries, 12)})
    for name in sorted({entry[:3] for entry in entries}):
        parts = [span(dated, name, start, end) for start, end in zip([None, *cuts], [*cuts, None])]
        assert all(before[2] == behind[0] for before, behind in zip(parts, parts[1:]))
        together = [row["transaction"] for _, found, _ in parts for row in found]
        assert together == [id for id, _ in entries_of(entries, name, None, None)]


def test_a_month_of_a_zone_ends_when_it_ends_there(as_key):
    """Not at midnight in UTC: Berlin's October 2026 ends at 23:00Z, New York's at 04:00Z of the next day."""
    api = as_key("zoned")
    balances = {zone: {row["kind"]: row["balance"] for row in rows(api, "/v1/ledger/accounts", at=at)}["receivable"]
                for zone, at in (("Berlin", "2026-11-01T00:00:00+01:00"), ("UTC", "2026-11-01T00:00:00Z"),
                                 ("New York", "2026-11-01T00:00:00-04:00"))}
    assert balances == {"Berlin": "0.02", "UTC": "0.16", "New York": "1.38"}


def test_a_wallet_is_the_sum_of_its_entries_on_every_day(dated):
    """A balance that is kept beside its entries drifts from them, and nobody can say since when."""
    wallets = sorted({entry[:3] for entry in dated.books.entries if entry[0] == "wallet"})
    assert len(wallets) > 3
    for day in range(0, 44, 4):
        at = FIRST + day * DAY
        listed = dict(read(rows(dated, "/v1/ledger/accounts", kind="wallet", at=instant(at))))
        for name in wallets:
            assert span(dated, name, None, at)[2] == listed.get(name, 0)


def test_a_months_revenue_is_the_same_whenever_it_was_booked(fresh, tmp_path):
    """January in Berlin, closed by finance in February: what is accrued ten days late belongs to it all the same, and
    nothing of February does; the invoice in between changes nothing of January."""
    api, ends = fresh(data=project_folder(tmp_path)), "2026-01-31T23:00:00Z"
    set_clock(api, "2025-12-31T23:00:00Z")
    api.meter("calls")
    api.publish("pro", {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]})
    api.put("/v1/accounts/ada", {"currency": "USD", "timeZone": "Europe/Berlin"})
    api.subscribe("sub", "ada", "pro", "2025-12-31T23:00:00Z")
    api.post(f"/v1/invoices/{api.post('/v1/accounts/ada/invoices', None)['id']}/finalize", None)
    advance(api, "2026-01-10T23:00:00Z")
    used(api, "e1", 100, "2026-01-10T10:00:00Z")
    run(api, "accrual")  # and then none until February
    advance(api, "2026-01-31T22:30:00Z")
    used(api, "e2", 200, "2026-01-31T22:30:00Z")  # half an hour of January is left
    advance(api, "2026-02-09T23:00:00Z")
    used(api, "e3", 7000, "2026-01-31T23:00:00Z")  # February's first instant

    def january():
        trial = api.get("/v1/ledger/trialBalance", query={"at": ends})["data"]
        return {(row["kind"], row["owner"]): row["balance"] for row in trial if minor(row["balance"], "USD")}
    assert january() == {("receivable", None): "31.00", ("unbilled", None): "1.00", ("deferred", None): "-21.00",
                         ("revenue", "pro/calls"): "-1.00", ("revenue", "pro/fee"): "-10.00"}
    run(api, "accrual")
    closed = {("receivable", None): "31.00", ("unbilled", None): "3.00", ("revenue", "pro/calls"): "-3.00",
              ("revenue", "pro/fee"): "-31.00"}
    assert january() == closed
    api.post(f"/v1/invoices/{api.post('/v1/accounts/ada/invoices', None)['id']}/finalize", None)
    run(api, "accrual")
    assert january() == closed
    unbilled = {"path": "/v1/ledger/accounts/unbilled/ada/statement", "query": {"currency": "USD", "from": ends}}
    later = api.get(**unbilled)
    assert (later["opening"], later["closing"]) == ("3.00", "70.00")
    assert [row["amount"] for row in later["data"]] == ["70.00", "-3.00"]


def test_what_is_booked_late_counts_when_it_counts(ledger):
    """Bob's was booked among the others and counts 40 days before them."""
    early = rows(ledger, "/v1/ledger/accounts", at=instant(FIRST))
    assert brief(early) == [("receivable", "bob", "USD", "5.50"), ("revenue", "pro/api", "USD", "-5.00"),
                            ("tax", "vat", "USD", "-0.50")]
    assert span(ledger, ("revenue", "pro/api", "USD"), FIRST, FIRST + 3)[0] == -500


@pytest.mark.parametrize("query", ("at=2026-10-01T00:00:00", "at=2026-10-01", "at=yesterday", "at=", "at=1790000000",
                                   "at=2026-13-01T00:00:00Z", "at=2026-10-01T00:00:00%2B25:00"))
def test_what_is_no_instant(as_key, query):
    for path in ("trialBalance", "accounts"):
        answer = as_key("mine").call("GET", f"/v1/ledger/{path}?{query}")
        assert (answer.status, answer.code) == (400, "parameter_invalid"), path


@pytest.mark.parametrize("query", ("from=2026-10-01", "to=2026-10-01T00:00:00", "from=x&to=2026-10-01T00:00:00Z",
                                   "from=2026-10-01T00:00:00Z&to=2026-10-01T00:00:00Z",
                                   "from=2026-10-02T00:00:00Z&to=2026-10-01T00:00:00Z",
                                   "from=2026-10-01T00:00:00Z&to=2026-10-01T01:00:00%2B01:00"))
def test_what_is_no_span(as_key, query):
    for currency in ("USD", "KWD"):
        answer = as_key("mine").call("GET", f"/v1/ledger/accounts/tax/vat/statement?currency={currency}&{query}")
        assert (answer.status, answer.code) == (400, "parameter_invalid")


def test_a_cursor_is_of_its_instants(dated):
    at, later = instant(FIRST + 20 * DAY), instant(FIRST + 21 * DAY)
    statement = "/v1/ledger/accounts/tax/vat/statement"
    for path, query, others in (
            ("/v1/ledger/accounts", {"at": at}, ({}, {"at": later})),
            ("/v1/ledger/accounts", {}, ({"at": at},)),
            (statement, {"from": at, "currency": "USD"}, ({}, {"from": later}, {"to": at}, {"from": at, "to": later})),
            (statement, {"currency": "USD"}, ({"from": at}, {"to": at}))):
        cursor = dated.get(path, query={**query, "limit": 1})["nextCursor"]
        for other in others:
            answer = dated.call("GET", path, query={"currency": "USD", **other, "cursor": cursor} if "currency" in query
                                else {**other, "cursor": cursor})
            assert (answer.status, answer.code) == (400, "cursor_invalid"), (path, query, other)


def test_instants_are_of_one_project(as_key):
    late = {"at": "9999-12-31T23:59:59Z"}
    assert as_key("empty").get("/v1/ledger/trialBalance", query=late) == {"data": [], "totals": []}
    assert rows(as_key("empty"), "/v1/ledger/accounts", **late) == []
    other = as_key("other")
    assert rows(other, "/v1/ledger/accounts", **late) == rows(other, "/v1/ledger/accounts") != []


def test_the_proof_is_clean(ledger):
    assert ledger.get("/v1/ledger/verify") == {"clean": True, "transactions": 9, "unsealed": 0, "driftCount": 0,
                                               "drifts": []}


def test_the_proof_tells_what_does_not_fit(as_key):
    proof = wait_sealed(as_key("torn"), 1)
    assert proof["clean"] is False and proof["driftCount"] == len(proof["drifts"]) == 1
    assert "wallet" in proof["drifts"][0] and "ada" in proof["drifts"][0]


def test_a_long_ledger_is_for_the_command_line(as_key):
    answer = as_key("long").call("GET", "/v1/ledger/verify")
    assert (answer.status, answer.code) == (422, "ledger_too_long")


def test_months_close_and_open(as_key):
    api = as_key("other")
    path = "/v1/ledger/months/2026-08"
    assert api.get("/v1/ledger/months")["data"] == []
    for _ in range(2):
        assert api.post(path + "/close", None) == {"month": "2026-08", "closed": True}
    api.post("/v1/ledger/months/2026-07/close", None)
    assert [row["month"] for row in api.get("/v1/ledger/months")["data"]] == ["2026-07", "2026-08"]
    assert as_key("mine").get("/v1/ledger/months")["data"] == []
    for _ in range(2):
        assert api.post(path + "/open", None) == {"month": "2026-08", "closed": False}
    assert [row["month"] for row in api.get("/v1/ledger/months")["data"]] == ["2026-07"]


def test_a_month_that_is_not_over_is_not_closed(fresh, tmp_path):
    """What is over is told by the project's clock, in UTC; the next invoice would be refused else."""
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, "2031-02-01T00:00:00Z")
    for month in ("2031-02", "2031-03", "2032-01", "9999-12"):
        answer = api.call("POST", f"/v1/ledger/months/{month}/close")
        assert (answer.status, answer.code) == (409, "ledger_month_not_over"), month
    assert api.get("/v1/ledger/months")["data"] == []
    api.post("/v1/ledger/months/2031-01/close", None)
    advance(api, "2031-03-01T00:00:00Z")
    api.post("/v1/ledger/months/2031-02/close", None)
    assert [row["month"] for row in api.get("/v1/ledger/months")["data"]] == ["2031-01", "2031-02"]


@pytest.mark.parametrize("month", ("2026-13", "2026-00", "0000-01", "2026-1", "2026_11", "20260-1", "x", "2026-1x"))
def test_what_is_no_month(as_key, month):
    for verb in ("close", "open"):
        answer = as_key("other").call("POST", f"/v1/ledger/months/{month}/{verb}")
        assert (answer.status, answer.code) == (400, "parameter_invalid")


def test_what_is_asked_for_wrongly(as_key):
    api = as_key("mine")
    for path in ("/v1/ledger/accounts?kind=petty", "/v1/ledger/accounts/petty/ada/statement?currency=USD",
                 "/v1/ledger/accounts/wallet/ada/statement", "/v1/ledger/accounts/wallet/ada/statement?currency=XXL",
                 "/v1/ledger/accounts?limit=0"):
        answer = api.call("GET", path)
        assert (answer.status, answer.code) == (400, "parameter_invalid"), path


def test_a_cursor_is_of_its_list(ledger):
    cursor = ledger.get("/v1/ledger/accounts?limit=1")["nextCursor"]
    for path in ("/v1/ledger/accounts?kind=tax", "/v1/ledger/transactions?x=",
                 "/v1/ledger/accounts/tax/vat/statement?currency=USD", "/v1/ledger/transactions?account=ada"):
        answer = ledger.call("GET", path.replace("?x=", "?limit=5") + "&cursor=" + quote(cursor))
        assert (answer.status, answer.code) == (400, "cursor_invalid"), path


def test_sums_beyond_63_bits_are_refused(as_key):
    for name, path in (("huge", "/v1/ledger/accounts/revenue/all/statement?currency=USD"),
                       ("vast", "/v1/ledger/trialBalance")):
        answer = as_key(name).call("GET", path)
        assert (answer.status, answer.code) == (422, "amount_too_large"), answer


def test_each_project_sees_its_own(as_key):
    other, empty = as_key("other"), as_key("empty")
    assert brief(rows(other, "/v1/ledger/accounts")) == [
        ("receivable", "ada", "USD", "0.08"), ("revenue", "pro/api", "USD", "-0.07"), ("tax", "vat", "USD", "-0.01")]
    assert [row["amount"] for row in statement(other, "receivable", "ada")["data"]] == ["0.08"]
    assert len(rows(other, "/v1/ledger/transactions")) == 1
    assert other.get("/v1/ledger/transactions/invoice:1")["entries"][0]["amount"] == "0.08"
    assert other.call("GET", "/v1/ledger/transactions/payment:1").code == "ledger_not_found"
    assert other.get("/v1/ledger/trialBalance")["totals"][0]["debit"] == "0.08"
    assert rows(empty, "/v1/ledger/accounts") == rows(empty, "/v1/ledger/transactions") == []
    assert empty.get("/v1/ledger/trialBalance") == {"data": [], "totals": []}
    assert empty.get("/v1/ledger/verify")["transactions"] == 0


def test_the_chain_is_the_one_that_its_description_gives(world, ledger):
    """Last: the server is stopped."""
    server, _ = world
    server.stop()
    with Books(server) as books:
        mark = books.mark
        cursor = books.base.cursor()
        cursor.execute(f"select position, hash from ledger_chain where project = {mark}", [books.project])
        position, last = cursor.fetchone()
        cursor.execute(f"select action from audit_entry where project = {mark} order by number", ["other"])
        actions = [action.decode() if isinstance(action, bytes) else action for action, in cursor.fetchall()]
    assert (position, bytes(last)) == server.ledger.chain()
    closing = [action for action in actions if action.startswith("ledgerMonth.")]
    assert closing in ([], ["ledgerMonth.close", "ledgerMonth.close", "ledgerMonth.open"])  # [] when run alone
    server.start()
