# SPDX-License-Identifier: Apache-2.0
"""Books whose rows were changed behind the server's back: a run that holds them against each other says what differs,
account by account, and stops at none."""
import contextlib

import pytest
from client import Api
from clock import set_clock, test_project as project_folder
from failing import FailingServer
from test_runs import items, waited

USD = {"currency": "USD"}
NOW = "2031-01-01T00:00:00Z"
MOST = 9 * 10**18  # twice as much is more than 63 bits
PAGE = 500  # rows of an account that are read at once


def keyed(key):
    return {"Idempotency-Key": key}


def one_off(api, account, amount, key, currency="USD"):
    made = api.post("/v1/invoices", {"account": account, "currency": currency, "lines": [
        {"description": "Setup", "amount": amount}]}, headers=keyed(key))
    return api.post(f"/v1/invoices/{made['id']}/finalize", None)["id"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """ada: invoices of three currencies, two payments of one, a void and a draft, two grants, two fees in advance.
    many: twelve invoices, and some of other currencies."""
    with FailingServer(data=project_folder(tmp_path_factory.mktemp("reconcile"))) as server:
        api = Api(server)
        set_clock(api, NOW)
        for name in ("ada", "many"):
            api.put(f"/v1/accounts/{name}", USD)
        server.paid = one_off(api, "ada", "12.00", "paid")
        for amount in ("5", "4"):
            api.expect(200, "POST", f"/v1/invoices/{server.paid}/pay", {"amount": amount}, headers=keyed(amount))
        api.post(f"/v1/invoices/{one_off(api, 'ada', '3.00', 'void')}/void", None)
        for currency in ("EUR", "GBP"):
            one_off(api, "ada", "2.00", currency, currency)
        api.post("/v1/invoices", {"account": "ada", **USD, "lines": [{"description": "x", "amount": "1.00"}]},
                 headers=keyed("draft"))
        api.publish("team", {**USD, "charges": [
            {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"}]}, effective=NOW)
        for number in range(2):
            api.subscribe(f"sub{number}", "ada", "team", NOW)
        waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "billing"}, headers=keyed("billing")))
        [server.fees] = [row["id"] for row in api.get("/v1/invoices?account=ada")["data"] if row["total"] == "62.00"]
        for amount in ("5", "7"):
            api.post("/v1/grants", {"account": "ada", "amount": amount, "kind": "paid", **USD},
                     headers=keyed(f"grant {amount}"))
        for currency in ("AUD", "CAD", "CHF", "EUR", "SEK"):
            one_off(api, "many", "2.00", f"many {currency}", currency)
        for number in range(12):
            one_off(api, "many", "1.00", f"many {number}")
        yield server
        assert told(api) == {}  # all of it was mended
        server.stop()
        server.verify()


@pytest.fixture
def api(server):
    return Api(server)


def told(api):
    """Of each account that does not fit, what is said."""
    told.runs += 1
    run = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "reconcile"}, headers=keyed(f"run {told.runs}")))
    assert (run["status"], run["accounts"]) == ("succeeded", 2), run
    return {item["account"]: item["error"] for item in items(api, run, status="failed")}


told.runs = 0


def test_books_that_are_right_fit(api):
    assert told(api) == {}


@pytest.mark.parametrize("table,change,says", [
    ("invoice", "state = 'void' where account = 'ada' and currency = 'EUR'", "posted 0, not -200"),
    ("invoice", "state = 'finalized' where account = 'ada' and state = 'void'", "posted -300, not 0"),
    ("invoice_payment", "amount = 1", "says that 900 is paid, its payments 2"),
    ("invoice", "total = total + 1 where currency = 'GBP'", "comes to 201 and posted 200"),
    ("invoice", "total = total + 1, head = '{}' where currency = 'GBP'", "comes to 201 and posted 200"),
    ("revenue_item", "amount = amount + 1", "deferred is -6200 USD in the ledger, by what is not earned it is -6202"),
    ("revenue_item", "side = 'accrued'", "unbilled is 0 USD in the ledger, by what is accrued it is 6200"),
    ("credit_grant", "price = price + 1", "wallet is -1200 USD in the ledger, by grants it is -1202"),
    ("ledger_balance", "amount = amount + 1 where kind = 'receivable' and currency = 'EUR' and owner = 'ada'",
     "receivable is 201 EUR in the ledger, by invoices it is 200"),
])
def test_what_differs_is_said(server, api, table, change, says):
    with server.damaged(table, change):
        found = told(api)
    assert set(found) == {"ada"} and found["ada"]["code"] == "books_differ"
    assert says in found["ada"]["detail"], found


@pytest.mark.parametrize("table,change", [
    ("invoice", f"total = {MOST}, paid = 0 where account = 'ada' and state = 'finalized'"),
    ("invoice_payment", f"amount = {MOST}"),
    ("credit_grant", f"price = {MOST}, amount = {MOST}"),
    ("revenue_item", f"amount = {MOST}, earned = 0"),
])
def test_sums_that_are_too_large(server, api, table, change):
    with server.damaged(table, change):
        found = told(api)
    assert set(found) == {"ada"} and found["ada"]["code"] == "amount_too_large", found


def test_no_more_is_said_than_can_be_read(server, api):
    with server.damaged("invoice", "total = total + 1 where account = 'many'"):
        found = told(api)
    assert found["many"]["code"] == "books_differ"
    assert found["many"]["detail"].count("comes to 101 and posted 100") == 10


@contextlib.contextmanager
def copied(server, table, columns, values, where):
    """PAGE rows beside those that are there, each a copy of one but for an id (and more)."""
    base = server.connect()
    names = [row[1] for row in base.execute(f"pragma table_info({table})")]
    chosen = ", ".join(values.get(name, name) if name in columns else name for name in map(str_of, names))
    base.execute(f"insert into {table} with recursive n(i) as (select 1 union all select i + 1 from n where i < {PAGE})"
                 f" select {chosen} from n, (select * from {table} where {where} limit 1)")
    try:
        yield
    finally:
        base.execute(f"delete from {table} where id like 'copy%'")
        base.close()


def str_of(name):
    return name.decode() if isinstance(name, bytes) else name


@pytest.mark.parametrize("table,values,where", [
    ("invoice", {"id": "'copy' || i", "slot": "'copy' || i"}, "account = 'ada' and state = 'draft'"),
    ("credit_grant", {"id": "'copy' || i", "price": "0", "state": "'revoked'"}, "account = 'ada'"),
])
def test_more_than_are_read_at_once(server, api, table, values, where):
    if server.books:
        pytest.skip("writes what SQLite understands")
    with copied(server, table, set(values), values, where):
        assert told(api) == {}


def test_a_row_that_cannot_be_read_is_said(server, api):
    for table, change in (("revenue_item", "currency = 'XXL'"), ("invoice", "head = '{' where account = 'ada'")):
        with server.damaged(table, change):
            found = told(api)
        assert set(found) == {"ada"} and found["ada"]["code"] == "store_failed", found


@pytest.mark.parametrize("content", [
    "{}", '{"kind":5}', '{"kind":"x"}', '{"kind":"fee"}', '{"kind":"fee","period":{}}',
    '{"kind":"fee","period":{"start":"2031-01-01T00:00:00Z","end":"soon"}}'])
def test_a_line_that_cannot_be_read_is_not_undone(server, api, content):
    with server.damaged("invoice_line", f"content = '{content}' where subscription <> ''"):
        answer = api.call("POST", f"/v1/invoices/{server.fees}/void")
        assert (answer.status, answer.code) == (500, "store_failed"), answer
    assert api.get(f"/v1/invoices/{server.fees}")["status"] == "finalized"
    assert told(api) == {}


def swept(api, key):
    """What a sweep says of all of the project."""
    run = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "sweep"}, headers=keyed(f"sweep {key}")))
    assert run["status"] == "succeeded", run
    return [item["error"]["detail"] for item in items(api, run, status="failed")]


def test_a_sweep_says_no_more_than_can_be_read(server, api):
    assert swept(api, "right") == []
    with server.damaged("ledger_balance", "amount = amount + 1"):
        [detail] = swept(api, "balances")
    assert detail.count("; ") == 9, detail


def test_a_sweep_reads_the_audit_chain(server, api):
    with server.damaged("audit_entry", "action = 'nothing'"):
        [detail] = swept(api, "audit")
    assert "audit" in detail, detail
