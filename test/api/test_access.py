# SPDX-License-Identifier: Apache-2.0
"""Who may do what: credentials, scopes per route, and the border between projects."""
import datetime as dt
import re

import pytest
from books import Books, checksum, make_secret
from client import Api, Server, quote

OPEN = {"/livez", "/readyz", "/healthz", "/openapi.json", "/docs", "/problems/{code}"}


@pytest.fixture(scope="module")
def keys():
    """{name: key} on a server of its own, with a second project `other`."""
    with_server = Server(seal_bits=6)
    scopes = ["usage:write", "usage:correct", "usage:read", "catalog:write", "catalog:read", "bills:read",
              "simulations:write", "simulations:read", "ledger:read", "ledger:write",
              "invoices:read", "invoices:write", "credits:read", "credits:write",
              "charges:read", "charges:write", "ops:read"]
    with Books(with_server) as books:
        books.add_project("other")
        books.add_project("strict", unknown_accounts="reject", horizon_us=30 * 86_400_000_000)
        made = {scope: books.add_key([scope]) for scope in scopes}
        made["nothing"] = books.add_key([])
        made["expired"] = books.add_key(scopes, expires_at=1)
        made["other"] = books.add_key(scopes, project="other")
        made["strict"] = books.add_key(scopes, project="strict")
    made["all"] = with_server.key
    with with_server as server:
        yield server, made


@pytest.fixture
def as_key(keys, contract):
    server, made = keys
    return lambda name: Api(server, key=made.get(name, name), contract=contract)


def routes(contract, open=False):
    return [(method, template) for method, template, _, _ in contract.routes
            if (template in OPEN) == open and method != "HEAD"]


def concrete(template):
    return re.sub(r"\{[^}]+\}", "1", template)


def test_every_route_needs_a_credential(contract, as_key):
    for method, template in routes(contract):
        answer = as_key("none").call(method, concrete(template), key="")
        assert (answer.status, answer.code) == (401, "unauthenticated"), (method, template, answer)


def test_open_routes_need_none(contract, as_key):
    for method, template in routes(contract, open=True):
        assert as_key("none").call(method, template.replace("{code}", "internal"), key="").status == 200


def bad_keys(good):
    yield from ("", " ", "x", "toll_live_", good[:-1], good + "x", good.lower(), good.replace("toll_", "bill_"))
    changed = good[:20] + ("a" if good[20] != "a" else "b") + good[21:]
    yield changed
    yield changed[:-6] + checksum(changed[:-6])  # well-formed, nobody's
    yield make_secret()


def test_credentials_that_are_not_valid(keys, as_key):
    api = as_key("all")
    for bad in bad_keys(keys[1]["all"]):
        answer = api.call("GET", "/v1/meters", headers={"Authorization": f"Bearer {bad}"})
        assert (answer.status, answer.code) == (401, "unauthenticated"), (bad, answer)
        assert bad == "" or bad in (" ", "x") or bad not in answer.body.decode()
    for header in (f"Basic {keys[1]['all']}", keys[1]["all"], "Bearer"):
        assert api.call("GET", "/v1/meters", headers={"Authorization": header}).status == 401
    assert as_key("expired").call("GET", "/v1/meters").status == 401


def test_every_route_needs_its_scope(contract, as_key):
    for method, template in routes(contract):
        answer = as_key("nothing").call(method, concrete(template), {} if method in ("PUT", "POST") else None)
        assert (answer.status, answer.code) == (403, "forbidden"), (method, template, answer)


SCOPES = {"usage:write": [("POST", "/v1/measurements"), ("POST", "/ingest/usage"), ("POST", "/ingest/usage/batch")],
          "usage:read": [("GET", "/v1/measurements"), ("GET", "/v1/usage"), ("GET", "/v1/measurements/outcomes"),
                         ("GET", "/v1/measurements/rejections"), ("GET", "/v1/measurements/{uniqueId}"),
                         ("GET", "/v1/voids"), ("GET", "/v1/voids/{id}")],
          "usage:correct": [("POST", "/v1/measurements/void"), ("POST", "/v1/measurements/amend"),
                            ("POST", "/v1/voids/{id}/revert")],
          "catalog:write": [("PUT", "/v1/meters/{id}"), ("DELETE", "/v1/meters/{id}"), ("PUT", "/v1/accounts/{id}"),
                            ("PUT", "/v1/plans/{id}"), ("POST", "/v1/plans/{id}/publish"),
                            ("POST", "/v1/plans/{id}/migrations"),
                            ("PUT", "/v1/subscriptions/{id}"), ("POST", "/v1/subscriptions/{id}/change"),
                            ("POST", "/v1/subscriptions/{id}/cancel"), ("POST", "/v1/subscriptions/{id}/pause"),
                            ("POST", "/v1/subscriptions/{id}/resume"), ("POST", "/v1/testClock"),
                            ("POST", "/v1/testClock/advance")],
          "catalog:read": [("GET", "/v1/meters"), ("GET", "/v1/meters/{id}"), ("GET", "/v1/accounts"),
                           ("GET", "/v1/accounts/{id}"), ("GET", "/v1/plans"), ("GET", "/v1/plans/{id}"),
                           ("GET", "/v1/plans/{id}/versions"), ("GET", "/v1/plans/{id}/versions/{number}"),
                           ("GET", "/v1/plans/{id}/versions/{number}/diff"),
                           ("GET", "/v1/subscriptions"), ("GET", "/v1/subscriptions/{id}"), ("POST", "/v1/rate"),
                           ("GET", "/v1/testClock")],
          "bills:read": [("GET", "/v1/subscriptions/{id}/bill"), ("GET", "/v1/accounts/{id}/bill"),
                         ("GET", "/v1/accounts/{id}/upcomingInvoice"), ("GET", "/v1/usage/unbilled")],
          "simulations:write": [("POST", "/v1/simulations"), ("POST", "/v1/operations/{id}/cancel")],
          "simulations:read": [("GET", "/v1/simulations/{id}"), ("GET", "/v1/simulations/{id}/accounts"),
                               ("GET", "/v1/operations"), ("GET", "/v1/operations/{id}")],
          "ledger:read": [("GET", "/v1/ledger/accounts"), ("GET", "/v1/ledger/accounts/{kind}/{owner}/statement"),
                          ("GET", "/v1/ledger/transactions"), ("GET", "/v1/ledger/transactions/{source}"),
                          ("GET", "/v1/ledger/trialBalance"), ("GET", "/v1/ledger/verify"),
                          ("GET", "/v1/ledger/months")],
          "ledger:write": [("POST", "/v1/ledger/months/{month}/close"), ("POST", "/v1/ledger/months/{month}/open")],
          "invoices:read": [("GET", "/v1/invoices"), ("GET", "/v1/invoices/{id}"), ("GET", "/v1/taxRates"),
                            ("GET", "/v1/invoices/{id}/lines/{number}/events"), ("GET", "/v1/invoices/{id}/pdf"),
                            ("GET", "/v1/creditNotes/{id}/pdf"),
                            ("GET", "/v1/taxRates/{id}"), ("GET", "/v1/legalEntity"),
                            ("GET", "/v1/creditNotes"), ("GET", "/v1/creditNotes/{id}"), ("GET", "/v1/runs"),
                            ("GET", "/v1/runs/{id}"), ("GET", "/v1/runs/{id}/items"), ("GET", "/v1/settings"),
                            ("GET", "/v1/reconciliation")],
          "invoices:write": [("POST", "/v1/accounts/{id}/invoices"), ("POST", "/v1/invoices"),
                             ("POST", "/v1/invoices/{id}/finalize"), ("POST", "/v1/invoices/{id}/void"),
                             ("POST", "/v1/invoices/{id}/writeOff"), ("POST", "/v1/invoices/{id}/pay"),
                             ("PUT", "/v1/taxRates/{id}"), ("PUT", "/v1/legalEntity"), ("PUT", "/v1/settings"),
                             ("POST", "/v1/creditNotes"), ("POST", "/v1/runs"), ("POST", "/v1/runs/{id}/retry")],
          "credits:write": [("POST", "/v1/grants"), ("POST", "/v1/grants/{id}/revoke"), ("PUT", "/v1/packs/{id}"),
                            ("POST", "/v1/packs/{id}/buy"), ("POST", "/v1/adjustments"),
                            ("PUT", "/v1/topUpRules/{id}"), ("POST", "/v1/topUps/{id}/complete")],
          "credits:read": [("GET", "/v1/grants"), ("GET", "/v1/grants/{id}"), ("GET", "/v1/packs"),
                           ("GET", "/v1/packs/{id}"), ("GET", "/v1/accounts/{id}/wallet"),
                           ("GET", "/v1/accounts/{id}/wallet/entries"), ("GET", "/v1/adjustments"),
                           ("GET", "/v1/topUpRules"), ("GET", "/v1/topUpRules/{id}"), ("GET", "/v1/topUps")],
          "charges:write": [("POST", "/v1/charges"), ("POST", "/ingest/charge")],
          "charges:read": [("GET", "/v1/accounts/{id}/charges"), ("GET", "/v1/accounts/{id}/charges/{chargeKey}")],
          "ops:read": [("GET", "/metrics")]}


def test_a_scope_opens_its_routes_and_no_others(contract, as_key):
    named = {route for opened in SCOPES.values() for route in opened}
    assert set(routes(contract)) == named, "a route is missing from this table, or this table names one too many"
    for scope, opened in SCOPES.items():
        for method, template in routes(contract):
            answer = as_key(scope).call(method, concrete(template), {} if method in ("PUT", "POST") else None)
            assert (answer.status != 403) == ((method, template) in opened), (scope, method, template, answer)


@pytest.fixture
def filled(as_key, n):
    """Objects of the default project, under names that another project then asks for."""
    api, names = as_key("all"), {kind: n(kind) for kind in ("meter", "acct", "plan", "sub", "evt")}
    api.meter(names["meter"])
    api.send([{"meter": names["meter"], "account": names["acct"], "uniqueId": names["evt"], "value": 5,
               "ts": "2026-03-05T00:00:00Z"}])
    api.publish(names["plan"], {"currency": "USD", "charges": [
        {"id": "c", "meter": names["meter"], "model": "perUnit", "unitPrice": "1"}]})
    api.subscribe(names["sub"], names["acct"], names["plan"])
    return names


def test_another_projects_usage_is_not_corrected(as_key, filled):
    api, mine = as_key("other"), as_key("all")
    by_id = {"uniqueIds": [filled["evt"]]}
    assert api.call("POST", "/v1/measurements/void", by_id).code == "event_not_found"
    assert api.post("/v1/measurements/void", {"filter": {"event": filled["meter"]}})["count"] == 0
    answer = api.call("POST", "/v1/measurements/amend", [{"uniqueId": filled["evt"], "value": 1}])
    assert answer.code == "event_not_found"
    void = mine.post("/v1/measurements/void", by_id)
    assert api.call("GET", f"/v1/voids/{void['id']}").code == "void_not_found"
    assert api.call("POST", f"/v1/voids/{void['id']}/revert").code == "void_not_found"
    assert api.get("/v1/voids")["data"] == []
    mine.post(f"/v1/voids/{void['id']}/revert", None)


def test_another_projects_object_is_404(as_key, filled):
    api = as_key("other")
    for path, code in ((f"/v1/meters/{filled['meter']}", "meter_not_found"),
                       (f"/v1/accounts/{filled['acct']}", "account_not_found"),
                       (f"/v1/plans/{filled['plan']}", "plan_not_found"),
                       (f"/v1/plans/{filled['plan']}/versions", "plan_not_found"),
                       (f"/v1/plans/{filled['plan']}/versions/1", "plan_not_found"),
                       (f"/v1/subscriptions/{filled['sub']}", "subscription_not_found"),
                       (f"/v1/subscriptions/{filled['sub']}/bill", "subscription_not_found"),
                       (f"/v1/accounts/{filled['acct']}/bill", "account_not_found"),
                       (f"/v1/measurements/{filled['evt']}", "event_not_found"),
                       (f"/v1/usage?meter={filled['meter']}", "meter_not_found")):
        answer = api.call("GET", path)
        assert (answer.status, answer.code) == (404, code), (path, answer)
    assert api.call("DELETE", f"/v1/meters/{filled['meter']}").status == 404
    publish = api.call("POST", f"/v1/plans/{filled['plan']}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert publish.status == 404


def test_another_projects_simulation_is_404(as_key, filled):
    plan = {"currency": "USD", "charges": [{"id": "c", "model": "flat", "amount": "1"}]}
    operation = as_key("all").expect(202, "POST", "/v1/simulations", {
        "plan": plan, "against": "current", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z",
        "accounts": [filled["acct"]]})
    api = as_key("other")
    for method, path, code in (("GET", f"/v1/operations/{operation['id']}", "operation_not_found"),
                               ("POST", f"/v1/operations/{operation['id']}/cancel", "operation_not_found"),
                               ("GET", operation["result"], "simulation_not_found"),
                               ("GET", operation["result"] + "/accounts", "simulation_not_found")):
        answer = api.call(method, path)
        assert (answer.status, answer.code) == (404, code), (path, answer)
    body = {"plan": plan, "against": "current", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z",
            "accounts": [filled["acct"]]}
    assert api.call("POST", "/v1/simulations", body).code == "account_not_found"


def test_another_projects_invoice_is_404(as_key, n):
    mine, other = as_key("all"), as_key("other")
    key = {"Idempotency-Key": n("key")}
    account = mine.put(f"/v1/accounts/{n('buyer')}", {"currency": "USD"})["id"]
    id = mine.post("/v1/invoices", {"account": account, "lines": [{"description": "x", "amount": "1"}]},
                   headers=key)["id"]
    for method, path in (("GET", ""), ("POST", "/finalize"), ("POST", "/void"), ("POST", "/writeOff")):
        assert other.call(method, f"/v1/invoices/{id}{path}").code == "invoice_not_found"
    assert other.call("POST", f"/v1/invoices/{id}/pay", {}, headers=key).code == "invoice_not_found"
    assert other.call("POST", f"/v1/accounts/{account}/invoices").code == "account_not_found"
    assert other.get("/v1/invoices")["data"] == []


def test_lists_show_nothing_of_another_project(as_key, filled):
    api = as_key("other")
    for path in ("/v1/meters", "/v1/accounts", "/v1/plans", "/v1/subscriptions", "/v1/operations"):
        ids = [row["id"] for row in api.get(path, query={"limit": 1000})["data"]]
        assert not set(ids) & set(filled.values()), path
    assert api.get("/v1/measurements", query={"account": filled["acct"]})["data"] == []
    assert filled["evt"] not in str(api.get("/v1/measurements/rejections"))


def test_the_same_ids_in_two_projects_are_different_things(as_key, filled):
    """Peers keyed deduplication without the tenant: one tenant's id swallowed another's event."""
    mine, other = as_key("all"), as_key("other")
    event = {"meter": filled["meter"], "account": filled["acct"], "uniqueId": filled["evt"], "value": 7,
             "ts": "2026-03-05T00:00:00Z"}
    assert other.send([event])["results"][0]["code"] == "unknown_meter"
    other.meter(filled["meter"])
    assert other.send([event])["accepted"] == 1
    span = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "window": "total"}
    assert mine.usage(filled["meter"], **span)["data"][0]["value"] == "5"
    assert other.usage(filled["meter"], **span)["data"][0]["value"] == "7"
    assert mine.bill(filled["sub"], at="2026-03-15T00:00:00Z")["total"] == "5.00"
    assert other.get(f"/v1/measurements/{filled['evt']}")["value"] == "7"


def test_a_plan_cannot_price_another_projects_meter(as_key, filled, n):
    other, plan = as_key("other"), n("plan")
    document = {"currency": "USD", "charges": [
        {"id": "c", "meter": filled["meter"] + "x", "model": "perUnit", "unitPrice": "1"}]}
    as_key("all").meter(filled["meter"] + "x")
    answer = other.call("PUT", f"/v1/plans/{plan}", document)
    if answer.status in (200, 201):
        answer = other.call("POST", f"/v1/plans/{plan}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert answer.code == "plan_invalid"


def test_a_project_may_refuse_unknown_accounts(as_key, n, event):
    api, meter, account = as_key("strict"), n("meter"), n("acct")
    api.meter(meter)
    recent = dt.datetime.now().astimezone().isoformat()
    assert api.send([event(meter, account, ts=recent)])["results"][0]["code"] == "unknown_account"
    for path, id in (("/v1/measurements", "uniqueId"), ("/ingest/usage", "idempotency_key")):
        answer = api.call("POST", path, {"meter": meter, "account": account, "ts": recent, id: n("evt")})
        assert (answer.status, answer.code) == (422, "unknown_account")
    api.put(f"/v1/accounts/{quote(account)}", {})
    assert api.send([event(meter, account, ts=recent)])["accepted"] == 1


def test_a_project_may_set_a_horizon(as_key, n, event):
    api, meter, account = as_key("strict"), n("meter"), n("acct")
    api.meter(meter)
    api.put(f"/v1/accounts/{quote(account)}", {})
    answer = api.send([event(meter, account, ts="2020-01-01T00:00:00Z")])
    assert answer["results"][0]["code"] == "timestamp_too_old"
    for path, id in (("/v1/measurements", "uniqueId"), ("/ingest/usage", "idempotency_key")):
        old = {"meter": meter, "account": account, "ts": "2020-01-01T00:00:00Z", id: n("evt")}
        answer = api.call("POST", path, old)
        assert (answer.status, answer.code) == (422, "timestamp_too_old")
    made = event(meter, account, ts=dt.datetime.now().astimezone().isoformat())
    assert api.send([made])["accepted"] == 1
    answer = api.call("POST", "/v1/measurements/amend", [{"uniqueId": made["uniqueId"], "ts": "2020-01-01T00:00:00Z"}])
    assert (answer.status, answer.code) == (422, "timestamp_too_old")


def test_secrets_are_never_in_the_log(keys, as_key):
    server, made = keys
    for name in made:
        as_key(name).call("GET", "/v1/meters")
        as_key(name).call("GET", "/v1/nonsense?key=" + made[name])
    log = server.log_path.read_text(errors="replace")
    assert not [name for name, secret in made.items() if secret in log]
    if server.books:
        return
    books = (server.data / "books.sqlite").read_bytes()
    assert not [name for name, secret in made.items() if secret.encode() in books]
