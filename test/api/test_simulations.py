# SPDX-License-Identifier: Apache-2.0
"""What another price would have cost: the same bills, on both sides, for many accounts at once."""
import csv
import io
import time
from decimal import Decimal

import pytest
from client import quote

FROM, TO = "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"
MONTHS = ["2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z", "2026-05-15T00:00:00Z"]


def finished(api, operation, status="succeeded"):
    for _ in range(3000):
        answer = api.get(f"/v1/operations/{operation['id']}")
        if answer["status"] not in ("queued", "running"):
            assert answer["status"] == status, answer
            return answer
        time.sleep(0.02)
    raise AssertionError(f"it does not end: {answer}")


def start(api, plan, against="current", accounts="all", **members):
    body = {**plan, "against": against, "from": FROM, "to": TO, "accounts": accounts, **members}
    return api.expect(202, "POST", "/v1/simulations", body)


def simulate(api, plan, against="current", accounts="all", **members):
    operation = finished(api, start(api, plan, against, accounts, **members))
    simulation = api.get(operation["result"])
    assert simulation["status"] == "succeeded" and simulation["operation"] == operation["id"]
    return simulation


def accounts_of(api, simulation, limit=7):
    found, cursor = {}, None
    while True:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        page = api.get(f"/v1/simulations/{simulation['id']}/accounts", query=query)
        for account in page["data"]:
            assert account["account"] not in found
            found[account["account"]] = account
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def amounts(rows, *names):
    return tuple(sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in names)


@pytest.fixture
def shop(api, n, event):
    """A meter, a plan with tiers, a fee and a minimum, and accounts that use some of it."""
    class Shop:
        meter, plan = n("meter"), n("plan")
        accounts = [n("acct") for _ in range(12)]
        document = {"currency": "USD", "charges": [
            {"id": "calls", "meter": meter, "model": "graduated",
             "tiers": [{"upTo": "100", "unitPrice": "0.05"}, {"unitPrice": "0.02"}]},
            {"id": "base", "model": "flat", "amount": "9.99"}], "minimum": {"amount": "12.00"}}
        dearer = {"currency": "USD", "charges": [
            {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "0.045"},
            {"id": "base", "model": "flat", "amount": "9.99"}]}

        def subscription(self, account):
            return f"{account}.s"

        def bills(self, account, simulation=None):
            more = {} if simulation is None else {"asOf": simulation["sequence"],
                                                  "ratedAt": simulation["ratedAt"]}
            return [api.bill(self.subscription(account), at=at, **more) for at in MONTHS]

    shop = Shop()
    api.meter(shop.meter)
    api.publish(shop.plan, shop.document)
    events = []
    for i, account in enumerate(shop.accounts):
        api.put(f"/v1/accounts/{quote(account)}", {})
        api.subscribe(shop.subscription(account), account, shop.plan)
        for k in range(i):
            events.append(event(shop.meter, account, value=Decimal(17 * k + i) * 2,
                                ts=f"2026-{3 + k % 3:02}-{1 + 7 * k % 28:02}T{k % 24:02}:30:00Z"))
    api.send(events)
    return shop


# ---- the numbers

def test_what_a_customer_has_equals_its_bills(api, shop):
    """Simulating the plan that everybody has: before, after and the bills are one, to the cent and line."""
    simulation = simulate(api, {"planVersion": {"plan": shop.plan, "version": 1}}, accounts=shop.accounts)
    found = accounts_of(api, simulation)
    assert set(found) == set(shop.accounts)
    total = Decimal(0)
    for account in shop.accounts:
        bills = shop.bills(account, simulation)
        billed = {(bill["period"]["start"], line["charge"], line["kind"]): Decimal(line["net"])
                  for bill in bills for line in bill["lines"] if Decimal(line["net"]) != 0}
        lines = {(line["period"]["start"], line["charge"], line["kind"]): line for line in found[account]["lines"]}
        assert {key: Decimal(line["before"]) for key, line in lines.items()} == billed
        assert {key: Decimal(line["after"]) for key, line in lines.items()} == billed
        assert found[account]["warnings"] == [] and found[account]["problem"] is None
        due, = found[account]["totals"]
        assert Decimal(due["before"]) == sum(Decimal(bill["total"]) for bill in bills)
        assert due["delta"] == "0.00"
        total += Decimal(due["before"])
    result = simulation["result"]
    assert result["accounts"] == result["priced"] == len(shop.accounts)
    only, = result["totals"]
    assert (Decimal(only["before"]), only["delta"], only["unchanged"]) == (total, "0.00", len(shop.accounts))
    assert result["warnings"] == []


def test_another_price(api, shop, n):
    """Winners, losers, sums and steps add up to what a subscription under the other plan is billed."""
    simulation = simulate(api, {"plan": shop.dearer}, accounts=shop.accounts)
    other = n("other")
    api.publish(other, shop.dearer)
    found, deltas = accounts_of(api, simulation), {}
    for account in shop.accounts:
        twin = n("twin")
        api.put(f"/v1/accounts/{quote(twin)}", {})
        now = sum(Decimal(bill["total"]) for bill in shop.bills(account, simulation))
        usage = api.usage(shop.meter, account=account, **{"from": FROM, "to": TO, "window": "month"})["data"]
        then = Decimal(0)
        for window in usage:
            rated = api.post("/v1/rate", {"plan": shop.dearer, "usage": {shop.meter: window["value"]},
                                          "period": {"start": window["start"], "end": window["end"]}})
            then += Decimal(rated["total"])
        sums = found[account]["totals"]
        before, after, delta = amounts(sums, "before", "after", "delta")
        assert (before, after, delta) == (now, then, then - now)
        deltas[account] = (now, then)
    only, = simulation["result"]["totals"]
    assert only["winners"] == sum(then < now for now, then in deltas.values())
    assert only["losers"] == sum(then > now for now, then in deltas.values()) > 0
    assert only["unchanged"] == sum(then == now for now, then in deltas.values())
    assert Decimal(only["before"]) == sum(now for now, _ in deltas.values())
    assert Decimal(only["after"]) == sum(then for _, then in deltas.values())
    ranked = sorted(((then - now, account) for account, (now, then) in deltas.items() if then > now),
                    key=lambda one: -one[0])
    assert [top["account"] for top in only["topLosers"]][:3] == [account for _, account in ranked[:3]]
    steps = sum(step["accounts"] for step in only["histogram"])
    assert steps == only["winners"] + only["losers"] - only["fromNothing"]
    for step in only["histogram"]:
        low = Decimal(step["fromPercent"] or "-1e9")
        high = Decimal(step["toPercent"] or "1e9")
        assert step["accounts"] == sum(low <= (then - now) * 100 / now < high
                                       for now, then in deltas.values() if now and then != now)
    charges = {(row["charge"], row["kind"]): row for row in simulation["result"]["charges"]}
    assert {charge for charge, _ in charges} == {"calls", "base", None}
    assert amounts(charges.values(), "delta") == (Decimal(only["delta"]),)


def test_one_document_against_another(api, shop):
    simulation = simulate(api, {"plan": shop.dearer}, against={"plan": shop.document}, accounts=shop.accounts)
    current = simulate(api, {"plan": shop.dearer}, accounts=shop.accounts)
    assert simulation["result"] == current["result"]
    assert simulation["request"]["against"] == {"plan": shop.document}


def test_who_has_no_subscription(api, shop, n, event):
    alone = n("alone")
    api.send([event(shop.meter, alone, value=50, ts="2026-04-02T00:00:00Z")])
    left_out = simulate(api, {"plan": shop.dearer}, accounts=[alone])
    assert left_out["result"]["totals"] == []
    assert [(w["code"], w["accounts"], w["examples"]) for w in left_out["result"]["warnings"]] == [
        ("no_subscription", 1, [alone])]
    both = simulate(api, {"plan": shop.dearer}, against={"plan": shop.document}, accounts=[alone])
    account = accounts_of(api, both)[alone]
    assert {line["subscription"] for line in account["lines"]} == {None}
    assert amounts(account["totals"], "before", "after") == (Decimal("36.49"), Decimal("32.22"))


def test_quantities_of_the_request(api, shop):
    seats = {"currency": "USD", "charges": [{"id": "seats", "quantity": "seats", "model": "perUnit",
                                             "unitPrice": "5"}]}
    missing = simulate(api, {"plan": seats}, accounts=shop.accounts[:1])
    account = accounts_of(api, missing)[shop.accounts[0]]
    assert account["problem"]["code"] == "field_required" and account["warnings"] == ["not_priced"]
    assert missing["result"]["accounts"] - missing["result"]["priced"] == 1
    held = simulate(api, {"plan": seats}, accounts=shop.accounts[:1], quantities={"seats": "3"})
    account = accounts_of(api, held)[shop.accounts[0]]
    assert [(line["charge"], line["after"]) for line in account["lines"] if line["after"] != "0.00"] == [
        ("seats", "15.00")] * 3


def test_only_those_on_a_plan(api, shop, n):
    """An account with two subscriptions: only the one that is on the plan is priced anew."""
    support, account = n("support"), shop.accounts[3]
    api.publish(support, {"currency": "USD", "charges": [{"id": "help", "model": "flat", "amount": "5"}]})
    api.subscribe(n("s"), account, support)
    both = simulate(api, {"plan": shop.dearer}, accounts=[account])
    assert [w["code"] for w in both["result"]["warnings"]] == ["usage_counted_twice"]
    one = simulate(api, {"plan": shop.dearer}, accounts=[account], replaces=shop.plan)
    assert one["result"]["warnings"] == []
    assert {line["subscription"] for line in accounts_of(api, one)[account]["lines"]} == {
        shop.subscription(account)}


def test_other_currency_and_other_periods(api, shop):
    euros = {**shop.dearer, "currency": "EUR", "period": {"every": 1, "unit": "week", "anchor": "calendar"}}
    simulation = simulate(api, {"plan": euros}, accounts=shop.accounts[4:6])
    assert [total["currency"] for total in simulation["result"]["totals"]] == ["EUR", "USD"]
    assert {w["code"] for w in simulation["result"]["warnings"]} == {"currencies_differ", "periods_differ"}
    assert [total["before"] for total in simulation["result"]["totals"]][0] == "0.00"


def test_it_stays_as_it_was_asked(api, shop, event):
    """Usage that comes later does not move it: S and T are pinned, and a bill as of them agrees."""
    account = shop.accounts[2]
    first = simulate(api, {"plan": shop.dearer}, accounts=[account])
    api.send([event(shop.meter, account, value=1000, ts="2026-04-20T00:00:00Z")])
    again = api.get(f"/v1/simulations/{first['id']}")
    assert again == first
    before, = amounts(accounts_of(api, first)[account]["totals"], "before")
    assert before == sum(Decimal(bill["total"]) for bill in shop.bills(account, first))
    later = simulate(api, {"plan": shop.dearer}, accounts=[account])
    assert amounts(accounts_of(api, later)[account]["totals"], "before") != (before,)


def test_accounts_that_usage_made_and_all(fresh, event):
    """All accounts of a project, by pages; those that only usage has named as well."""
    api = fresh(seal_bits=6)
    api.meter("m", event="m")
    document = {"currency": "USD", "charges": [{"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "2"}]}
    names = [f"account {i}" for i in range(60)]
    api.send([event("m", name, value=i, ts="2026-03-03T03:00:00Z") for i, name in enumerate(names)])
    api.put("/v1/accounts/idle", {})
    simulation = simulate(api, {"plan": document}, against={"plan": document})
    found = accounts_of(api, simulation)
    assert set(found) == {*names, "idle"}
    for i, name in enumerate(names):
        assert amounts(found[name]["totals"], "before", "after") == (2 * i, 2 * i)
    assert list(found) == list(accounts_of(api, simulation, limit=1000))


# ---- CSV

def rows_of(answer):
    return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))


def test_csv(api, shop):
    simulation = simulate(api, {"plan": shop.dearer}, accounts=shop.accounts)
    path = f"/v1/simulations/{simulation['id']}/accounts"
    answer = api.call("GET", path, query={"format": "csv"})
    assert (answer.status, answer.type) == (200, "text/csv")
    assert api.call("GET", path, headers={"Accept": "text/csv"}).body == answer.body
    assert b"\r\n" in answer.body and answer.body.endswith(b"\r\n")
    head, *rows = rows_of(answer)
    assert head == ["account", "subscription", "periodStart", "periodEnd", "charge", "kind", "group",
                    "currency", "before", "after", "delta"]
    found = accounts_of(api, simulation)
    lines = [[account, line["subscription"], line["period"]["start"], line["period"]["end"],
              line["charge"] or "", line["kind"], "", line["currency"], line["before"], line["after"],
              line["delta"]] for account, one in found.items() for line in one["lines"]]
    assert rows == lines


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@sum", 'a "quoted", name', "semi;colon"])
def test_csv_is_safe_to_open(api, shop, n, event, name):
    account = f"{name}"
    api.send([event(shop.meter, account, value=100, ts="2026-04-02T00:00:00Z", uid=n("e"))])
    simulation = simulate(api, {"plan": shop.dearer}, against={"plan": shop.document}, accounts=[account])
    rows = rows_of(api.call("GET", f"/v1/simulations/{simulation['id']}/accounts", query={"format": "csv"}))
    safe = "'" + account if account[0] in "=+-@" else account
    assert {row[0] for row in rows[1:]} == {safe} and all(len(row) == 11 for row in rows)


# ---- what is refused

def faults(answer):
    return {(fault["pointer"], fault["code"]) for fault in answer.json.get("errors", [answer.json])}


@pytest.mark.parametrize("change,pointer,code", [
    ({"plan": None}, "/plan", "field_required"),
    ({"against": None}, "/against", "field_required"),
    ({"against": "later"}, "/against", "field_invalid"),
    ({"against": {}}, "/against/plan", "field_required"),
    ({"against": {"plan": {}, "planVersion": {}}}, "/against/planVersion", "field_invalid"),
    ({"against": {"planVersion": {"plan": "p"}}}, "/against/planVersion/version", "field_required"),
    ({"against": {"planVersion": {"version": 1}}}, "/against/planVersion/plan", "field_required"),
    ({"from": None}, "/from", "field_required"),
    ({"from": "yesterday"}, "/from", "field_invalid"),
    ({"to": FROM}, "/to", "field_invalid"),
    ({"to": "2029-06-01T00:00:00Z"}, "/to", "field_invalid"),
    ({"accounts": None}, "/accounts", "field_required"),
    ({"accounts": "some"}, "/accounts", "field_invalid"),
    ({"accounts": []}, "/accounts", "field_invalid"),
    ({"accounts": [7]}, "/accounts/0", "field_invalid"),
    ({"quantities": {"seats": "-1"}}, "/quantities/seats", "field_invalid"),
    ({"quantities": []}, "/quantities", "field_invalid"),
    ({"replaces": ""}, "/replaces", "field_invalid"),
    ({"more": 1}, "/more", "unknown_member"),
])
def test_faults(api, shop, change, pointer, code):
    body = {"plan": shop.dearer, "against": "current", "from": FROM, "to": TO, "accounts": "all", **change}
    answer = api.call("POST", "/v1/simulations", {key: value for key, value in body.items() if value is not None})
    assert answer.status in (400, 422) and (pointer, code) in faults(answer), answer


def test_faults_of_a_document_have_their_place(api, shop):
    bad = {"currency": "USD", "charges": [{"id": "c", "meter": shop.meter, "model": "perUnit"}]}
    body = {"plan": bad, "against": {"plan": {**bad, "currency": "ZZZ"}}, "from": FROM, "to": TO, "accounts": "all"}
    answer = api.call("POST", "/v1/simulations", body)
    assert answer.status == 422
    found = {pointer for pointer, _ in faults(answer)}
    assert "/plan/charges/0/unitPrice" in found and "/against/plan/currency" in found, answer


def test_what_does_not_exist(api, shop, n):
    good = {"plan": shop.dearer, "against": "current", "from": FROM, "to": TO, "accounts": "all"}
    nowhere = {"currency": "USD", "charges": [{"id": "c", "meter": "nowhere", "model": "perUnit", "unitPrice": "1"}]}
    grouped = {"currency": "USD", "charges": [{"id": "c", "meter": shop.meter, "model": "perUnit", "unitPrice": "1",
                                               "groupBy": ["region"]}]}
    for change, code, pointer in [
            ({"accounts": [shop.accounts[0], n("nobody")]}, "account_not_found", "/accounts"),
            ({"plan": nowhere}, "meter_not_found", "/plan/charges/0"),
            ({"plan": grouped}, "plan_invalid", "/plan/charges/0"),
            ({"against": {"plan": nowhere}}, "meter_not_found", "/against/plan/charges/0"),
            ({"against": {"planVersion": {"plan": n("plan"), "version": 1}}}, "plan_not_found", "/against/planVersion"),
            ({"against": {"planVersion": {"plan": shop.plan, "version": 9}}}, "plan_version_not_found",
             "/against/planVersion"),
            ({"replaces": n("plan")}, "plan_not_found", "/replaces")]:
        answer = api.call("POST", "/v1/simulations", {**good, **change})
        assert (answer.code, faults(answer)) == (code, {(pointer, code)}), answer
    assert api.call("GET", "/v1/simulations/sim_none").code == "simulation_not_found"
    assert api.call("GET", "/v1/simulations/sim_none/accounts").code == "simulation_not_found"
    assert api.call("GET", "/v1/operations/op_none").code == "operation_not_found"
    assert api.call("POST", "/v1/operations/op_none/cancel").code == "operation_not_found"


def test_cursors(api, shop):
    one = simulate(api, {"plan": shop.dearer}, accounts=shop.accounts)
    two = simulate(api, {"plan": shop.dearer}, accounts=shop.accounts)
    page = api.get(f"/v1/simulations/{one['id']}/accounts", query={"limit": 2})
    assert len(page["data"]) == 2
    answer = api.call("GET", f"/v1/simulations/{two['id']}/accounts", query={"cursor": page["nextCursor"]})
    assert answer.code == "cursor_invalid"
    assert api.call("GET", "/v1/operations", query={"cursor": page["nextCursor"]}).code == "cursor_invalid"


# ---- operations

def test_operations_newest_first(api, shop):
    made = [finished(api, start(api, {"plan": shop.dearer}, accounts=shop.accounts[:1]))["id"] for _ in range(3)]
    page = api.get("/v1/operations", query={"limit": 2})
    assert [row["id"] for row in page["data"]] == made[:0:-1]
    more = api.get("/v1/operations", query={"limit": 1, "cursor": page["nextCursor"]})
    assert [row["id"] for row in more["data"]] == made[:1]
    row = more["data"][0]
    assert row["kind"] == "simulation" and row["error"] is None and row["progress"] == {"done": 1, "total": 1}
    assert row["createdAt"] <= row["startedAt"] <= row["endedAt"]


def test_cancel(fresh, event):
    """A queue of simulations: what waits or runs can be given up, what has ended cannot."""
    api = fresh(seal_bits=8)
    api.meter("m", event="m")
    document = {"currency": "USD", "charges": [{"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "2"}],
                "period": {"every": 1, "unit": "day", "anchor": "subscription"}}
    for batch in range(4):
        api.send([event("m", f"a{batch}.{i}", ts="2026-03-03T03:00:00Z") for i in range(500)])
    operations = [start(api, {"plan": document}, against={"plan": document}) for _ in range(4)]
    for operation in operations[1:]:
        canceled = api.post(f"/v1/operations/{operation['id']}/cancel", None)
        assert canceled["status"] == "canceled"
        assert api.post(f"/v1/operations/{operation['id']}/cancel", None)["endedAt"] == canceled["endedAt"]
    finished(api, operations[0])
    answer = api.call("POST", f"/v1/operations/{operations[0]['id']}/cancel")
    assert answer.code == "operation_ended"
    refused = api.call("GET", operations[1]["result"] + "/accounts")
    assert refused.code == "simulation_not_finished"
    assert api.get(operations[1]["result"])["result"] is None
    assert api.get(f"/v1/operations/{operations[1]['id']}")["status"] == "canceled"


def test_a_kill_in_the_midst_changes_nothing(fresh, event):
    """kill -9 while it runs; the next server goes on where it was and ends with the same bytes."""
    api = fresh(seal_bits=8)
    api.meter("m", event="m")
    document = {"currency": "USD", "charges": [{"id": "c", "meter": "m", "model": "graduated",
                                                "tiers": [{"upTo": 5, "unitPrice": "2"}, {"unitPrice": "1"}]}],
                "period": {"every": 1, "unit": "week", "anchor": "subscription"}}
    dearer = {**document, "charges": [{"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "1.5"}]}
    for batch in range(8):
        api.send([event("m", f"a{batch}.{i}", value=i % 13, ts=f"2026-03-{1 + i % 28:02}T03:00:00Z")
                  for i in range(500)])
    seats = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3"}
    api.publish("p", {**document, "charges": document["charges"] + [seats]}, "2026-01-01T00:00:00Z")
    for i in range(40):
        api.subscribe(f"s{i}", f"a0.{i}", "p", "2026-02-11T07:00:00Z", quantities={"seats": str(i)})
    dearer["charges"].append({**seats, "unitPrice": "4"})
    more = {"against": {"plan": {**document, "charges": document["charges"] + [seats]}},
            "quantities": {"seats": "1"}}
    # Pinned first, run second: what happens meanwhile is the same for both.
    operation = start(api, {"plan": dearer}, **more)
    first = api.get(operation["result"])
    kills = 0
    for _ in range(20000):
        row = api.get(f"/v1/operations/{operation['id']}")
        if row["status"] not in ("queued", "running"):
            break
        if kills < 3 and row["progress"]["done"] > kills * 800:
            api.drop_connection()
            api.server.kill9()
            api.server.start()
            kills += 1
        time.sleep(0.005)
    assert kills > 0, "it was too fast to be killed"
    resumed = api.get(finished(api, operation)["result"])
    assert resumed["result"]["accounts"] == 4000
    assert (resumed["sequence"], resumed["ratedAt"]) == (first["sequence"], first["ratedAt"])
    whole = simulate(api, {"plan": dearer}, **more)
    assert resumed["result"] == whole["result"]
    one, two = (api.call("GET", f"/v1/simulations/{each['id']}/accounts", query={"format": "csv"})
                for each in (whole, resumed))
    assert one.body == two.body and one.body.count(b"\r\n") > 3600


def test_what_happens_while_it_waits_does_not_count(fresh, event):
    """Queued, then everything moves: usage, voids, seats, a zone, new accounts, a restart. The result is that of
    the moment at which it was asked for, and so are the bills as of it."""
    api = fresh(seal_bits=4)
    api.meter("m", event="m", dimensions=["region"])
    document = {"currency": "USD", "charges": [
        {"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "1.5"},
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3", "timing": "advance"}]}
    dearer = {**document, "charges": [{**document["charges"][0], "unitPrice": "2"}, document["charges"][1]]}
    api.publish("p", document, "2026-01-01T00:00:00Z")
    names = [f"a{i}" for i in range(12)]
    for name in names:
        api.put(f"/v1/accounts/{name}", {})
        api.subscribe(f"{name}.s", name, "p", "2026-02-11T07:00:00Z", quantities={"seats": "2"})
    api.send([event("m", name, value=i + k, ts=f"2026-03-{1 + 3 * k:02}T05:00:00Z", uid=f"{name}.{k}", region="eu")
              for i, name in enumerate(names) for k in range(9)])
    before = accounts_of(api, simulate(api, {"plan": dearer}))
    blocker = start(api, {"plan": dearer})  # something is always before it in the queue
    operation = start(api, {"plan": dearer})
    api.send([event("m", name, value=1000, ts="2026-03-20T05:00:00Z") for name in names + ["fresh"]])
    api.post("/v1/measurements/void", {"uniqueIds": ["a1.1", "a2.3"]})
    api.meter("m", event="m", dimensions=["region", "tier"])
    api.post("/v1/subscriptions/a3.s/change", {"quantities": {"seats": "9"}, "effectiveAt": "2026-03-09T00:00:00Z"})
    api.post("/v1/subscriptions/a4.s/cancel", {"at": "2026-03-09T00:00:00Z"})
    api.put("/v1/accounts/a5", {"timeZone": "Asia/Tokyo"})
    api.put("/v1/accounts/new", {})
    api.subscribe("new.s", "new", "p", "2026-03-01T00:00:00Z", quantities={"seats": "1"})
    api.drop_connection()
    api.server.kill9()
    api.server.start()
    finished(api, blocker)
    simulation = api.get(finished(api, operation)["result"])
    assert accounts_of(api, simulation) == before
    assert simulation["result"]["accounts"] == len(names)
    for name in names:
        assert simulated_lines(before[name], "before") == lines_of(bills_in_range(api, f"{name}.s", simulation))


# ---- lives of subscriptions

def bills_in_range(api, sub, simulation):
    """The bills of all periods that begin in the range, as of what the simulation names."""
    made, at = [], FROM
    more = {"asOf": simulation["sequence"], "ratedAt": simulation["ratedAt"]}
    start = api.get(f"/v1/subscriptions/{quote(sub)}")["startsAt"]
    at = max(FROM, start)
    while at < TO:
        answer = api.call("GET", f"/v1/subscriptions/{quote(sub)}/bill", query={"at": at, **more})
        if answer.code == "outside_subscription":
            break
        bill = answer.json
        if bill["period"]["start"] >= FROM:
            made.append(bill)
        at = bill["period"]["end"]
    return made


def lines_of(bills):
    found = {}
    for bill in bills:
        for line in bill["lines"]:
            key = (bill["period"]["start"], bill["period"]["end"], line["charge"], line["kind"],
                   str(line["group"]))
            found[key] = found.get(key, Decimal(0)) + Decimal(line["net"])
    return {key: net for key, net in found.items() if net != 0}


def simulated_lines(account, side):
    return {(line["period"]["start"], line["period"]["end"], line["charge"], line["kind"], str(line["group"])):
            Decimal(line[side]) for line in account["lines"] if Decimal(line[side]) != 0}


def test_bills_of_lives_that_change(api, n, event):
    """Seats over time, pauses, cancellations, changes of plan, overrides, phases, trials, zones, late usage and
    voids: against "current" the side before is what each bill says, line by line."""
    meter, plan, other = n("meter"), n("plan"), n("other")
    api.meter(meter, dimensions=["region"])
    charges = [{"id": "calls", "meter": meter, "model": "graduated", "groupBy": ["region"],
                "tiers": [{"upTo": "100", "unitPrice": "0.07"}, {"unitPrice": "0.03"}]},
               {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "12.50", "timing": "advance"},
               {"id": "base", "model": "flat", "amount": "33.00", "timing": "advance", "prorate": "second"}]
    trial = {"trial": {"days": 10, "charges": ["base"]}}
    commitment = {"commitment": {"amount": "100", "term": {"every": 3, "unit": "month"}}}
    api.publish(plan, {"currency": "USD", "charges": charges, **trial})
    api.publish(other, {"currency": "USD", "charges": charges[:1] + [
        {**charges[1], "unitPrice": "9"}], **commitment, "minimum": {"amount": "20"},
        "period": {"every": 1, "unit": "month", "anchor": "subscription"}})
    subs = {}

    def sub(kind, starts="2026-02-20T10:00:00Z", on=plan, zone=None, **members):
        account = n(kind)
        api.put(f"/v1/accounts/{quote(account)}", {"timeZone": zone} if zone else {})
        subs[account] = api.subscribe(f"{account}.s", account, on, starts, quantities={"seats": "3"}, **members)["id"]
        return subs[account]

    def change(sub, kind="change", **body):
        api.post(f"/v1/subscriptions/{quote(sub)}/{kind}", body)

    plain, zoned = sub("plain"), sub("zoned", zone="Asia/Tokyo")
    seats = sub("seats")
    change(seats, quantities={"seats": "7"}, effectiveAt="2026-03-11T08:00:00Z")
    change(seats, quantities={"seats": "2"}, effectiveAt="2026-04-21T20:00:00Z")
    paused = sub("paused", zone="America/New_York")
    change(paused, "pause", at="2026-03-10T00:00:00Z", usage="free")
    change(paused, "resume", at="2026-04-05T06:00:00Z")
    gone = sub("gone")
    change(gone, "cancel", at="2026-04-17T12:00:00Z", credit="prorated")
    moved = sub("moved")
    change(moved, plan=other, effectiveAt="2026-04-09T12:30:00Z")
    patched = sub("patched", overrides={"charges": {"calls": {"tiers": [{"unitPrice": "0.01"}]}}})
    phased = sub("phased", phases=[{"periods": 2, "overrides": {"charges": {"base": {"amount": "1.00"}}}},
                                   {"periods": 100, "overrides": {}}])
    term, late = sub("term", on=other), sub("late", starts="2026-04-10T00:00:00Z", on=other)
    assert len({plain, zoned, patched, phased, term, late}) == 6
    events = [event(meter, account, value=(17 * i) % 41, uid=f"{account}.{i}", region=["eu", "us"][i % 2],
                    ts=f"2026-{2 + i % 4:02}-{1 + (5 * i) % 28:02}T{i % 24:02}:10:00Z")
              for account in subs for i in range(40)]
    api.send(events)
    api.post("/v1/measurements/void", {"uniqueIds": [f"{account}.{i}" for account in subs for i in (3, 11)]})
    simulation = simulate(api, {"planVersion": {"plan": plan, "version": 1}}, accounts=sorted(subs))
    found = accounts_of(api, simulation)
    for account, sub in subs.items():
        bills = bills_in_range(api, sub, simulation)
        assert bills and found[account]["problem"] is None, account
        assert simulated_lines(found[account], "before") == lines_of(bills), account
    for account in ("plain", "zoned", "seats", "paused", "gone"):
        account, = (name for name in subs if f".{account}" in name)
        assert simulated_lines(found[account], "after") == simulated_lines(found[account], "before"), account
    # The others, under the plan all their life, are what a twin is billed that always had it.
    for account in subs:
        if not any(f".{kind}" in account for kind in ("patched", "phased", "term", "moved", "late")):
            continue
        twin = n("twin")
        start = api.get(f"/v1/subscriptions/{quote(subs[account])}")["startsAt"]
        api.put(f"/v1/accounts/{quote(twin)}", {})
        api.subscribe(f"{twin}.s", twin, plan, start, quantities={"seats": "3"})
        api.send([{**one, "account": twin, "uniqueId": f"{twin}.{i}"} for i, one in enumerate(
            one for k, one in enumerate(events) if one["account"] == account and k % 40 not in (3, 11))])
        twins = simulate(api, {"planVersion": {"plan": plan, "version": 1}}, accounts=[twin])
        assert simulated_lines(found[account], "after") == lines_of(bills_in_range(api, f"{twin}.s", twins)), account
