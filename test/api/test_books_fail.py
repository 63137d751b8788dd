# SPDX-License-Identifier: Apache-2.0
"""Books that fail: whichever of its calls to the books a request makes fails, it is refused, nothing of it
is left behind, and the same request then succeeds."""
from decimal import Decimal

import pytest
from client import Api
from failing import FailingServer, busy_everywhere, refused_everywhere

START = "2026-08-01T00:00:00Z"
USD = {"currency": "USD"}
LONG_AGO = {"effectiveAt": "2020-01-01T00:00:00Z"}


def keyed(key):
    return {"Idempotency-Key": key}


def account(api, id):
    api.put("/v1/taxRates/vat", {"name": "VAT", "percent": "19"})
    return api.put(f"/v1/accounts/{id}", {**USD, "taxRates": ["vat"]})["id"]


def adjustment(account, target="wallet", amount="1"):
    return {"account": account, "amount": amount, **USD, "target": target, "reasonCode": "goodwill"}


@pytest.fixture(scope="module")
def server():
    with FailingServer(seal_bits=6) as server:
        api = Api(server)
        # With the first keyed answer old ones are swept, and that may fail.
        api.post("/v1/adjustments", adjustment(account(api, "first")), headers=keyed("first"))
        yield server
        server.stop()
        server.verify()


@pytest.fixture
def api(server, contract):
    return Api(server, contract=contract)


@pytest.fixture
def everywhere(server):
    """everywhere(method, path, body): the answer in the end. Failures of the books are on no route's list."""
    bare = Api(server)

    def do(method, path, body=None, transactions=1, least=2, **more):
        return refused_everywhere(server, lambda: bare.call(method, path, body, **more), transactions, least).json
    return do


@pytest.fixture
def reads(everywhere):
    """reads(path, …): each is refused wherever the books fail, and changes nothing."""
    def do(*paths):
        return [everywhere("GET", path, transactions=0, least=0) for path in paths]
    return do


def one_off(account, *amounts):
    return {"account": account, **USD, "lines": [{"description": "Setup", "amount": amount} for amount in amounts]}


def balanced(api):
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert abs(Decimal(total["debit"])) == abs(Decimal(total["credit"])), total


# ---- invoices

def test_a_one_off_invoice(api, everywhere, reads):
    account(api, "one")
    draft = everywhere("POST", "/v1/invoices", one_off("one", "100.00"), headers=keyed("one"))
    path = f"/v1/invoices/{draft['id']}"
    done = everywhere("POST", f"{path}/finalize")
    assert (done["number"], done["total"], done["status"]) == ("INV-000001", "119.00", "finalized")
    part = everywhere("POST", f"{path}/pay", {"amount": "19"}, headers=keyed("pay"))
    assert (part["amountPaid"], part["amountRemaining"]) == ("19.00", "100.00")
    lost = everywhere("POST", f"{path}/writeOff")
    assert (lost["status"], lost["amountRemaining"]) == ("uncollectible", "100.00")
    paid = everywhere("POST", f"{path}/pay", {"amount": "120"}, headers=keyed("rest"))
    assert (paid["status"], paid["amountPaid"]) == ("paid", "119.00")
    shown, *lists = reads(path, "/v1/invoices", "/v1/invoices?account=one", "/v1/invoices?status=paid",
                          "/v1/invoices?account=one&status=paid")
    assert shown["document"]["tax"] == "19.00"
    assert all([row["id"] for row in found["data"]] == [draft["id"]] for found in lists)
    balanced(api)


def test_a_credit_note_and_what_it_gives_back(api, everywhere, reads):
    account(api, "two")
    draft = api.post("/v1/invoices", one_off("two", "10.00", "5.00"), headers=keyed("two"))
    api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    lines = [{"line": 1, "amount": "4.00"}]
    note = everywhere("POST", "/v1/creditNotes", {"invoice": draft["id"], "reasonCode": "x", "lines": lines},
                      headers=keyed("note"))
    assert (note["total"], note["number"]) == ("4.76", "CN-000001")
    after = api.get(f"/v1/invoices/{draft['id']}")
    assert (after["amountCredited"], after["amountRemaining"]) == ("4.76", "13.09")
    api.post(f"/v1/invoices/{draft['id']}/pay", {}, headers=keyed("two paid"))
    for apply in ("balance", "refund"):
        everywhere("POST", "/v1/creditNotes", {"invoice": draft["id"], "reasonCode": "x", "lines": lines[:1] and [
            {"line": 2, "amount": "1.00"}], "apply": apply}, headers=keyed(f"note {apply}"))
    found = reads(f"/v1/creditNotes/{note['id']}", "/v1/creditNotes", f"/v1/creditNotes?invoice={draft['id']}")
    assert found[0] == note and [len(page["data"]) for page in found[1:]] == [3, 3]
    balanced(api)


def test_credit_that_had_paid_goes_back_with_a_credit_note(api, everywhere):
    account(api, "back")
    api.post("/v1/grants", {"account": "back", "amount": "5", "kind": "paid", **USD, **LONG_AGO}, headers=keyed("back"))
    draft = api.post("/v1/invoices", one_off("back", "10.00"), headers=keyed("back invoice"))
    assert api.post(f"/v1/invoices/{draft['id']}/finalize", None)["credits"] == "-5.00"
    note = everywhere("POST", "/v1/creditNotes", {"invoice": draft["id"], "reasonCode": "x",
                                                  "lines": [{"line": 1, "amount": "4.00"}]}, headers=keyed("back note"))
    assert (note["total"], note["creditsRestored"]) == ("4.76", "4.76")
    assert api.get("/v1/accounts/back/wallet")["balances"][0]["posted"] == "4.76"
    balanced(api)


@pytest.fixture(scope="module")
def subscribed(server):
    """ada: 50.00 in advance, calls at 0.01 behind, credit of 5.00, a balance of 3.00; 1,000 calls a month."""
    api = Api(server)
    account(api, "ada")
    api.meter("calls", dimensions=["region"])
    api.publish("pro", {**USD, "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "50.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]})
    api.publish("big", {**USD, "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "90.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]})
    api.send([{"meter": "calls", "account": "ada", "uniqueId": f"ada{month}{day}", "value": 500,
               "ts": f"2026-{month}-{day}T00:00:00Z"} for month in ("08", "09", "10") for day in (10, 20)])
    api.subscribe("sub", "ada", "pro", START)
    for kind in ("paid", "promotional"):
        api.post("/v1/grants", {"account": "ada", "amount": "5", "kind": kind, **USD, **LONG_AGO},
                 headers=keyed(kind))
    api.post("/v1/adjustments", adjustment("ada", "customerBalance", "3"), headers=keyed("ada"))
    return "sub"


def test_what_is_due_and_what_would_be(server, subscribed, reads, everywhere):
    bill, _, upcoming, wallet, unbilled = reads(
        "/v1/subscriptions/sub/bill?at=2026-08-05T00:00:00Z", "/v1/accounts/ada/bill?at=2026-08-05T00:00:00Z",
        "/v1/accounts/ada/upcomingInvoice", "/v1/accounts/ada/wallet", "/v1/usage/unbilled")
    assert bill["subtotal"] == "60.00"
    assert wallet["balances"][0]["posted"] == "10.00"
    tried = everywhere("POST", "/v1/subscriptions/sub/change", {
        "plan": "big", "effectiveAt": "2026-11-16T00:00:00Z", "dryRun": True}, transactions=0)
    assert tried["invoice"]["lines"][0]["amount"] == "-25.00"


def test_changes_and_what_they_lead_to(api, everywhere):
    account(api, "moves")
    seats = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3", "timing": "advance"}
    for price in ("3", "4"):
        api.publish("seats", {**USD, "charges": [{**seats, "unitPrice": price}]}, f"202{price}-01-01T00:00:00Z")
    everywhere("PUT", "/v1/subscriptions/moves", {"account": "moves", "plan": "seats", "planVersion": 1,
                                                  "startsAt": START, "quantities": {"seats": "2"}})
    change = everywhere("POST", "/v1/subscriptions/moves/change", {"quantities": {"seats": "5"}, "changeId": "5"})
    assert change["subscription"]["quantities"] == {"seats": "5"}
    moved = {"from": 1, "to": 2, "at": START, "accounts": ["moves"]}
    first, = api.post("/v1/plans/seats/migrations", {**moved, "dryRun": True})["data"]  # what is read once is read
    shown, = everywhere("POST", "/v1/plans/seats/migrations", {**moved, "dryRun": True}, transactions=0)["data"]
    assert shown == first
    assert (shown["before"], shown["after"]) == ("6.00", "8.00")
    everywhere("POST", "/v1/plans/seats/migrations", {**moved, "at": "periodEnd"})
    ended = everywhere("POST", "/v1/subscriptions/moves/cancel", {"at": "periodEnd", "changeId": "end"})
    assert ended["subscription"]["endsAt"] > ended["change"]["recordedAt"]


def test_a_subscription_is_billed_and_voided(api, server, subscribed, everywhere, reads):
    api.post("/v1/charges", {"account": "ada", "amount": "2", **USD, "chargeKey": "waits", "description": "Visit"})
    draft = everywhere("POST", "/v1/accounts/ada/invoices", transactions=9)  # once made it is rated anew each time
    assert [line["charge"] for line in draft["document"]["lines"]] == ["fee", None]
    again = everywhere("POST", "/v1/accounts/ada/invoices", transactions=9)
    assert again["id"] == draft["id"]
    first = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert (first["credits"], first["balanceUsed"]) == ("-10.00", "-3.00")
    second = api.post("/v1/accounts/ada/invoices", None)
    second = everywhere("POST", f"/v1/invoices/{second['id']}/finalize")
    line, = [line["number"] for line in second["document"]["lines"] if line["charge"] == "calls"]
    path = f"/v1/invoices/{second['id']}/lines/{line}/events"
    events, _ = reads(path, f"{path}?limit=1")
    assert [event["uniqueId"] for event in events["data"]] == ["ada0810", "ada0820"]
    gone = everywhere("POST", f"/v1/invoices/{first['id']}/void")
    noted = server.rows("select count(*) from audit_entry where action = 'invoice.void'")
    assert gone["status"] == "void"
    assert api.post(f"/v1/invoices/{first['id']}/void", None) == gone
    assert server.rows("select count(*) from audit_entry where action = 'invoice.void'") == noted
    anew = api.post("/v1/accounts/ada/invoices", None)
    anew = everywhere("POST", f"/v1/invoices/{anew['id']}/finalize")
    assert (anew["at"], anew["total"], anew["credits"]) == (first["at"], first["total"], first["credits"])
    balanced(api)


def test_a_year_in_advance_is_lost_paid_and_credited(api, everywhere):
    account(api, "year")
    api.put("/v1/legalEntity", {"legalName": "Seller", "creditNotePrefix": "G-"})
    api.publish("year", {**USD, "period": {"every": 1, "unit": "year"}, "charges": [
        {"id": "fee", "model": "flat", "amount": "50.00", "timing": "advance"}]})
    everywhere("PUT", "/v1/subscriptions/year", {"account": "year", "plan": "year", "startsAt": START})
    draft = api.post("/v1/accounts/year/invoices", None)
    path = f"/v1/invoices/{draft['id']}"
    api.post(f"{path}/finalize", None)
    assert everywhere("POST", f"{path}/writeOff")["status"] == "uncollectible"
    assert everywhere("POST", f"{path}/pay", {}, headers=keyed("year"))["amountPaid"] == "24.94"
    note = everywhere("POST", "/v1/creditNotes", {"invoice": draft["id"], "reasonCode": "x", "apply": "refund"},
                      headers=keyed("year note"))
    assert (note["total"], note["number"]) == ("24.94", "G-000001")
    balanced(api)


def test_what_an_invoice_gave_to_the_balance_is_taken_back(api, everywhere):
    account(api, "gives")
    draft = api.post("/v1/invoices", one_off("gives", "-10.00"), headers=keyed("gives"))
    done = api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    assert done["document"]["toBalance"] == "11.90"
    assert everywhere("POST", f"/v1/invoices/{done['id']}/void")["status"] == "void"
    balanced(api)


def test_a_level_that_is_taken_away_from_later_bills(api, everywhere):
    account(api, "level")
    api.meter("disk", "timeWeighted", unit="hour")
    api.publish("level", {**USD, "charges": [{"id": "disk", "meter": "disk", "model": "perUnit", "unitPrice": "1"}]})
    api.subscribe("level", "level", "level", START)
    api.send([{"meter": "disk", "account": "level", "uniqueId": "level", "value": 1, "ts": START}])
    gone = everywhere("POST", "/v1/measurements/void", {"uniqueIds": ["level"], "dryRun": True}, transactions=0)
    assert {bill["subscription"] for bill in gone["bills"]} == {"level"} and len(gone["bills"]) > 2


def test_events_taken_away_from_bills(api, server, subscribed, everywhere):
    gone = everywhere("POST", "/v1/measurements/void", {"uniqueIds": ["ada1010"], "dryRun": True}, transactions=0)
    assert gone


# ---- credit

def test_wallets(api, everywhere, reads):
    account(api, "purse")
    made = everywhere("POST", "/v1/grants", {"account": "purse", "amount": "10", "price": "9", "kind": "paid", **USD,
                                             "appliesTo": {"charges": ["fee"]}}, headers=keyed("grant"))
    assert (made["remaining"], made["state"]) == ("10.00", "active")
    ended = everywhere("POST", f"/v1/grants/{made['id']}/revoke", {"mode": "refundToBalance"})
    assert (ended["value"], ended["grant"]["state"]) == ("9.00", "revoked")
    bought = everywhere("POST", "/v1/grants", {"account": "purse", "amount": "6", "price": "5", "kind": "paid",
                                               "paidBy": "customerBalance", **USD}, headers=keyed("bought"))
    assert bought["paidBy"] == "customerBalance"
    for mode in ("forfeit", "refund"):
        grant = api.post("/v1/grants", {"account": "purse", "amount": "1", "kind": "paid", **USD}, headers=keyed(mode))
        assert everywhere("POST", f"/v1/grants/{grant['id']}/revoke", {"mode": mode})["value"] == "1.00"
    for target in ("wallet", "customerBalance"):
        for amount in ("3", "-2"):
            given = everywhere("POST", "/v1/adjustments", adjustment("purse", target, amount),
                               headers=keyed(target + amount))
            assert Decimal(given["amount"]) == Decimal(amount)
    shown, *lists = reads(f"/v1/grants/{bought['id']}", "/v1/grants", "/v1/grants?account=purse",
                          "/v1/accounts/purse/wallet/entries?currency=USD", "/v1/adjustments",
                          "/v1/adjustments?account=purse", "/v1/accounts/purse/wallet")
    assert shown == api.get(f"/v1/grants/{bought['id']}")
    assert sum(Decimal(row["amount"]) for row in lists[2]["data"]) == Decimal("7.00")
    balanced(api)


def test_what_waits_is_expected_of_a_wallet(api, reads):
    account(api, "waits")
    api.post("/v1/grants", {"account": "waits", "amount": "10", "kind": "paid", **USD, **LONG_AGO},
             headers=keyed("waits"))
    api.post("/v1/charges", {"account": "waits", "amount": "2", **USD, "chargeKey": "w", "collect": "invoice"})
    wallet, = reads("/v1/accounts/waits/wallet")
    balance, = wallet["balances"]
    assert (balance["expectedDraw"], balance["available"]) == ("2.38", "7.62")


def test_packs(api, everywhere, reads):
    account(api, "buyer")
    body = {"name": "Starter", **USD, "amount": "100", "price": "90", "validDays": 30}
    everywhere("PUT", "/v1/packs/starter", body)
    changed = everywhere("PUT", "/v1/packs/starter", {**body, "price": "80"})
    assert changed["price"] == "80.00"
    bought = everywhere("POST", "/v1/packs/starter/buy", {"account": "buyer"}, headers=keyed("pack"))
    assert (bought["amount"], bought["price"]) == ("100.00", "80.00")
    one, many = reads("/v1/packs/starter", "/v1/packs")
    assert many["data"] == [one] == [changed]


def test_charges_and_top_ups(api, server, everywhere, reads):
    account(api, "spender")
    rule = {"account": "spender", **USD, "threshold": "5", "target": "20"}
    everywhere("PUT", "/v1/topUpRules/rule", rule)
    assert everywhere("PUT", "/v1/topUpRules/rule", {**rule, "target": "25"})["target"] == "25.00"
    api.post("/v1/grants", {"account": "spender", "amount": "10", "kind": "paid", **USD}, headers=keyed("spender"))
    charge = {"account": "spender", "amount": "6", **USD, "chargeKey": "k", "collect": "wallet"}
    made = everywhere("POST", "/v1/charges", charge)
    assert everywhere("POST", "/v1/charges", charge, transactions=0)["id"] == made["id"]
    everywhere("POST", "/v1/charges", {**charge, "chargeKey": "i", "collect": "invoice"})
    one, every, rules, _, rule, _, asked = reads(
        "/v1/accounts/spender/charges/k", "/v1/accounts/spender/charges", "/v1/topUpRules",
        "/v1/topUpRules?account=spender", "/v1/topUpRules/rule", "/v1/topUps", "/v1/topUps?account=spender")
    assert one["id"] == made["id"] and len(every["data"]) == 2 and rules["data"] == [rule]
    pending, = asked["data"]
    assert pending["amount"] == "21.00"
    assert everywhere("POST", f"/v1/topUps/{pending['id']}/complete")["amount"] == "21.00"
    assert api.get("/v1/accounts/spender/wallet")["balances"][0]["available"] == "21.00"  # 4.00 pay what waits
    balanced(api)


def test_credit_that_begins_within_a_period(api, server, everywhere, reads):
    account(api, "both")
    api.meter("sent", dimensions=["region"])
    api.publish("sent", {**USD, "charges": [
        {"id": "sent", "meter": "sent", "model": "perUnit", "unitPrice": "1", "groupBy": ["region"]}]})
    api.send([{"meter": "sent", "account": "both", "uniqueId": f"both{day}", "value": 2,
               "ts": f"2026-09-{day}T00:00:00Z", "properties": {"region": "eu"} if day > 15 else {}}
              for day in (10, 20)])
    api.subscribe("sent", "both", "sent", "2026-09-01T00:00:00Z")
    api.post("/v1/grants", {"account": "both", "amount": "9", "kind": "paid", **USD,
                            "effectiveAt": "2026-09-15T00:00:00Z"}, headers=keyed("both"))
    wallet, = reads("/v1/accounts/both/wallet")
    assert wallet["balances"][0]["expectedDraw"] == "2.38"  # with its tax
    everywhere("POST", "/v1/charges", {"account": "both", "amount": "1", **USD, "chargeKey": "k", "collect": "wallet"})
    draft = everywhere("POST", "/v1/accounts/both/invoices", transactions=9)
    done = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert (done["total"], done["credits"]) == ("4.76", "-2.38")
    balanced(api)


# ---- books that are busy

def test_who_finds_the_books_busy_tries_again(server, api):
    account(api, "busy")
    api.publish("busy", {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "9", "timing": "advance"}]})
    api.subscribe("busy", "busy", "busy", START)
    bare = Api(server)
    for busy in (2, 1):
        tried = busy_everywhere(server, lambda: bare.call("GET", "/v1/accounts/busy/upcomingInvoice"), busy, 0)
        assert (tried > 0) == (busy == 1)
        busy_everywhere(server, lambda: bare.call("POST", "/v1/accounts/busy/invoices"), busy, 9999)  # rated anew
        draft = api.post("/v1/accounts/busy/invoices", None)
        tried = busy_everywhere(server, lambda: bare.call("POST", f"/v1/invoices/{draft['id']}/finalize"), busy)
        assert (tried > 0) == (busy == 1)
        assert api.get(f"/v1/invoices/{draft['id']}")["status"] == "finalized"
        busy_everywhere(server, lambda: bare.call("POST", f"/v1/invoices/{draft['id']}/void"))
        assert api.get(f"/v1/invoices/{draft['id']}")["status"] == "void"
    balanced(api)


# ---- the rest of the books

def test_the_ledger_is_read_and_months_are_closed(api, server, everywhere, reads):
    trial, *_ = reads("/v1/ledger/trialBalance", "/v1/ledger/accounts", "/v1/ledger/accounts?kind=receivable&owner=one",
                      "/v1/ledger/accounts/wallet/first/statement?currency=USD",
                      "/v1/ledger/accounts/tax/vat/statement?currency=USD", "/v1/ledger/transactions",
                      "/v1/ledger/transactions?account=one", "/v1/ledger/verify",
                      "/v1/ledger/trialBalance?at=2026-10-31T23:00:00Z", "/v1/ledger/accounts?at=2030-01-01T05:00:00Z",
                      "/v1/ledger/accounts/wallet/first/statement?currency=USD&from=2026-10-31T23:00:00Z",
                      "/v1/ledger/accounts/tax/vat/statement?currency=USD&to=2030-01-01T05:00:00Z")
    assert trial["totals"]
    assert everywhere("POST", "/v1/ledger/months/2026-01/close")
    assert reads("/v1/ledger/months")
    assert everywhere("POST", "/v1/ledger/months/2026-01/open")


def test_tax_rates_and_the_seller(everywhere, reads):
    everywhere("PUT", "/v1/taxRates/gst", {"percent": "10"})
    for _ in range(2):  # the same again is no other version
        everywhere("PUT", "/v1/taxRates/gst", {"percent": "11", "effectiveFrom": "2031-01-01T00:00:00Z"})
    everywhere("PUT", "/v1/legalEntity", {"legalName": "Seller"})
    now, then, every, seller = reads("/v1/taxRates/gst", "/v1/taxRates/gst?at=2032-01-01T00:00:00Z", "/v1/taxRates",
                                     "/v1/legalEntity")
    assert (now["percent"], then["percent"], seller["legalName"]) == ("10", "11", "Seller")
    everywhere("PUT", "/v1/legalEntity", {})


# ---- rows that mean nothing

DAMAGES = [  # table, what it becomes, who reads it
    *[("invoice", change, ("/v1/invoices",)) for change in ("kind = 'x'", "state = 'x'", "currency = 'XXL'")],
    *[("invoice_line", f"content = '{content}'", ("/v1/accounts/billed/upcomingInvoice",
                                                  "/v1/invoices/{billed}/lines/2/events")) for content in (
        "{", '{"charge":"calls","kind":"usage","period":{"start":"x"}}',
        '{"charge":"calls","kind":"usage","period":{"start":"2026-08-01T00:00:00Z","end":"x"}}')],
    ("invoice_line", 'content = \'{"kind":"x"}\'', ("/v1/accounts/billed/upcomingInvoice",)),
    ("invoice", "head = '{\"ratedAt\":\"x\"}'", ("/v1/invoices/{billed}/lines/2/events",)),
    ("invoice", "head = replace(head, '\"sequence\":\"', '\"sequence\":\"x')",
     ("/v1/invoices/{billed}/lines/1/events",)),
    *[("invoice", f"head = '{head}'", ("/v1/invoices/{billed}",)) for head in (
        "", "{}", "{", "[1]", '{"lines":[]}')],
    *[("invoice_line", f"content = '{content}'", ("/v1/invoices/{billed}",)) for content in ("{", "1", "{},{}")],
    *[("legal_entity", f"definition = '{party}'", ("/v1/accounts/billed/upcomingInvoice",)) for party in (
        "{", '{"taxRounding":"x"}', '{"netDays":-1}')],
    ("account", "billing = '{'", ("/v1/accounts/billed/upcomingInvoice",)),
    ("credit_note", "head = '{'", ("/v1/creditNotes",)),
    ("credit_note", "head = '{\"apply\":\"x\"}'", ("/v1/creditNotes",)),
    ("credit_note", "head = '{\"apply\":\"balance\",\"currency\":\"XXL\"}'", ("/v1/creditNotes",)),
    ("credit_note", "head = '{\"apply\":\"balance\",\"currency\":\"USD\",\"restored\":\"x\"}'", ("/v1/creditNotes",)),
    ("tax_rate", "definition = '{'", ("/v1/taxRates", "/v1/taxRates/vat")),
    ("tax_rate", "definition = '{\"percent\":\"x\"}'", ("/v1/taxRates", "/v1/taxRates/vat")),
    *[("credit_grant", change, ("/v1/grants", "/v1/accounts/every/wallet")) for change in (
        "kind = 'x'", "timing = 'x'", "paid_by = 'x'", "currency = 'XXL'", "applies_to = '{'")],
    ("credit_grant", "state = 'x'", ("/v1/grants",)),
    ("charge", "currency = 'XXL'", ("/v1/accounts/every/charges", "/v1/accounts/every/charges/k")),
    ("credit_pack", "currency = 'XXL'", ("/v1/packs", "/v1/packs/every")),
    ("top_up_rule", "currency = 'XXL'", ("/v1/topUpRules", "/v1/topUpRules/every")),
    ("top_up", "currency = 'XXL'", ("/v1/topUps",)),
    ("adjustment", "currency = 'XXL'", ("/v1/adjustments",)),
]


@pytest.fixture(scope="module")
def everything(server, subscribed):
    """At least one row of each table."""
    api = Api(server)
    account(api, "every")
    api.put("/v1/legalEntity", {"legalName": "Seller"})
    usd = {"account": "every", **USD}
    account(api, "billed")
    api.subscribe("billed", "billed", "pro", START)
    for _ in range(2):
        billed = api.post("/v1/accounts/billed/invoices", None)
        api.post(f"/v1/invoices/{billed['id']}/finalize", None)
    for body in one_off("every", "1"), one_off("every", "2"):
        invoice = api.post("/v1/invoices", body, headers=keyed(f"every {body['lines'][0]['amount']}"))
    api.post(f"/v1/invoices/{invoice['id']}/finalize", None)
    api.post("/v1/creditNotes", {"invoice": invoice["id"], "reasonCode": "x", "apply": "balance",
                                     "lines": [{"line": 1, "amount": "1"}]}, headers=keyed("every note"))
    api.put("/v1/packs/every", {**USD, "amount": "100", "price": "80"})
    api.put("/v1/topUpRules/every", {**usd, "threshold": "500", "amount": "1"})
    api.post("/v1/grants", {**usd, "amount": "10", "kind": "paid"}, headers=keyed("every grant"))
    api.post("/v1/charges", {**usd, "amount": "1", "chargeKey": "k", "collect": "wallet"})
    return {"invoice": invoice["id"], "billed": billed["id"]}


@pytest.mark.parametrize("table,change,paths", DAMAGES)
def test_a_row_that_means_nothing(server, everything, table, change, paths):
    bare = Api(server)
    paths = [path.format(**everything) for path in paths]
    for path in paths:
        bare.get(path)
    with server.damaged(table, change):
        for path in paths:
            answer = bare.call("GET", path)
            assert (answer.status, answer.code) == (500, "store_failed"), answer
    for path in paths:
        bare.get(path)


def test_nothing_is_built_on_rows_that_mean_nothing(server, everything):
    bare, usd = Api(server), {"account": "every", **USD}
    grant = bare.get("/v1/grants", query={"account": "every"})["data"][0]["id"]
    asked = [row for row in bare.get("/v1/topUps")["data"] if row["account"] == "every"][0]["id"]
    for table, change, path, body in (
            ("credit_grant", "kind = 'x'", "/v1/charges",
             {**usd, "amount": "1", "chargeKey": "x", "collect": "wallet"}),
            ("credit_grant", "kind = 'x'", "/v1/adjustments", adjustment("every", amount="-1")),
            ("credit_grant", "kind = 'x'", f"/v1/grants/{grant}/revoke", {"mode": "forfeit"}),
            *[("invoice_line", f"taxes = '{{\"vat\":{tax}}}'", "/v1/creditNotes",
               {"invoice": everything["invoice"], "reasonCode": "x", "apply": "balance"}) for tax in ('"x"', "1.5")],
            ("top_up", "currency = 'XXL'", f"/v1/topUps/{asked}/complete", None)):
        with server.damaged(table, change):
            before = server.tables()
            answer = bare.call("POST", path, body, headers=keyed(path))
            assert (answer.status, answer.code) == (500, "store_failed"), answer
            assert server.tables() == before
    draft = bare.post("/v1/invoices", one_off("every", "3"), headers=keyed("every 3"))["id"]
    finalize, void = f"/v1/invoices/{draft}/finalize", f"/v1/invoices/{everything['billed']}/void"
    for table, change, path in (
            ("invoice", "head = '{'", finalize), ("invoice_line", "content = '{'", finalize),
            ("legal_entity", "definition = '{'", finalize), ("invoice_line", "content = '{'", void)):
        with server.damaged(table, change):
            before = server.tables()
            answer = bare.call("POST", path)
            assert (answer.status, answer.code) == (500, "store_failed"), answer
            assert server.tables() == before
    with server.damaged("credit_grant", "applies_to = '{}'"):  # of nothing in particular
        assert bare.get(f"/v1/grants/{grant}")["state"] == "active"
