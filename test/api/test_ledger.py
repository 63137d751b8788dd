# SPDX-License-Identifier: Apache-2.0
"""The ledger over HTTP: accounts, statements, postings, trial balance, proof, months; and that each project
sees its own. What stands in it was written by another hand, so its hashes are checked too."""
import time

import pytest
from books import Books
from client import Api, Server, quote
from clock import advance, set_clock, test_project as project_folder
from ledger_books import LedgerBooks

DAY = 86_400_000_000
FIRST = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
HUGE = 6_000_000_000_000_000_000
PROJECTS = ("empty", "other", "huge", "vast", "long", "torn")
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


@pytest.fixture(scope="module")
def world(contract):
    server = Server(seal_bits=6)
    with Books(server) as books:
        for name in PROJECTS:
            books.add_project(name)
        keys = {name: books.add_key(["ledger:read", "ledger:write"], project=name)
                for name in PROJECTS}
        mine = LedgerBooks(books)
        fill(mine)
        other = LedgerBooks(books, "other")
        invoice(other, 1, "ada", 7, 0 + 1)
        other.balances()
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
        server.ledger = mine
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
