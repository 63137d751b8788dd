# SPDX-License-Identifier: Apache-2.0
"""Moving the subscriptions of one version of a plan to another: who, when, to what bill; and doing it again."""
import pytest

FEE = {"id": "fee", "model": "flat", "amount": "10.00"}
DEARER = {**FEE, "amount": "12.00"}


@pytest.fixture
def n(n):
    """One name for each kind of thing, however often it is asked for."""
    names = {}
    return lambda kind: names[kind] if kind in names else names.setdefault(kind, n(kind))


@pytest.fixture
def plan(api, n):
    """Version 1 at 10, version 2 at 12 a month."""
    api.publish(n("plan"), {"currency": "USD", "charges": [FEE]})
    api.publish(n("plan"), {"currency": "USD", "charges": [DEARER]}, "2999-01-01T00:00:00Z")
    return n("plan")


@pytest.fixture
def people(api, n, plan):
    """Three accounts with a subscription each."""
    made = []
    for name in ("ada", "bob", "cyd"):
        account = api.put(f"/v1/accounts/{n(name)}", {})["id"]
        made.append(api.subscribe(n("sub-" + name), account, plan)["id"])
    return sorted(made)


def migrate(api, plan, query=None, **body):
    return api.call("POST", f"/v1/plans/{plan}/migrations",
                    {"from": 1, "to": 2, "at": "now", "accounts": "all", **body}, query=query)


def version(api, subscription):
    return api.get(f"/v1/subscriptions/{subscription}")["planVersion"]


def counts(answer):
    assert answer.status == 200, answer
    return {name: answer.json[name] for name in ("moved", "already", "refused") if answer.json[name]}


def test_everybody_moves_once(api, plan, people):
    answer = migrate(api, plan)
    assert counts(answer) == {"moved": 3} and answer.json["nextCursor"] is None
    assert [row["subscription"] for row in answer.json["data"]] == people
    assert [version(api, id) for id in people] == [2, 2, 2]
    entry, = api.get(f"/v1/subscriptions/{people[0]}")["changes"]
    assert (entry["kind"], entry["plan"], entry["planVersion"]) == ("migrate", plan, 2)
    assert counts(migrate(api, plan)) == {"already": 3}
    assert len(api.get(f"/v1/subscriptions/{people[0]}")["changes"]) == 1


def test_a_dry_run_says_what_it_comes_to_and_stores_nothing(api, plan, people):
    answer = migrate(api, plan, dryRun=True, at="2020-02-01T00:00:00Z")
    assert counts(answer) == {"moved": 3} and answer.json["dryRun"] is True
    assert [(row["before"], row["after"]) for row in answer.json["data"]] == [("10.00", "12.00")] * 3
    assert [version(api, id) for id in people] == [1, 1, 1]
    assert migrate(api, plan, at="2020-02-01T00:00:00Z").json["moved"] == 3
    assert api.bill(people[0], at="2020-02-15T00:00:00Z")["total"] == "12.00"
    assert api.bill(people[0], at="2020-01-15T00:00:00Z")["total"] == "10.00"


def test_at_the_period_end_each_moves_at_its_own(api, n, plan, people):
    api.put(f"/v1/accounts/{n('tonga')}", {"timeZone": "Pacific/Tongatapu"})
    tonga = api.subscribe(n("sub-tonga"), n("tonga"), plan)["id"]
    answer = migrate(api, plan, at="periodEnd")
    assert counts(answer) == {"moved": 4}
    times = {row["subscription"]: row["at"] for row in answer.json["data"]}
    assert times[people[0]].endswith("-01T00:00:00Z") and times[tonga].endswith("T11:00:00Z")
    assert [version(api, id) for id in people] == [1, 1, 1]  # not yet
    terms = api.get(f"/v1/subscriptions/{people[0]}")["terms"]
    assert [(row["planVersion"], row["end"]) for row in terms] == [(1, times[people[0]]), (2, None)]
    assert counts(migrate(api, plan, at="periodEnd")) == {"already": 4}
    assert len(api.get(f"/v1/subscriptions/{people[0]}")["changes"]) == 1


def test_pages_go_through_everybody(api, plan, people):
    seen, query = [], {"limit": 2}
    while query is not None:
        answer = migrate(api, plan, query=query)
        seen += [row["subscription"] for row in answer.json["data"]]
        query = answer.json["nextCursor"] and {"limit": 2, "cursor": answer.json["nextCursor"]}
    assert seen == people
    assert migrate(api, plan, query={"cursor": "x"}).code == "cursor_invalid"


def test_only_the_accounts_that_are_named(api, n, plan, people):
    answer = migrate(api, plan, accounts=[n("ada"), n("cyd")])
    assert counts(answer) == {"moved": 2}
    assert sorted(version(api, id) for id in people) == [1, 2, 2]
    assert version(api, n("sub-bob")) == 1
    assert migrate(api, plan, accounts=[n("nobody")]).code == "account_not_found"


def test_who_is_elsewhere_stays(api, n, plan, people):
    """Ended, on another plan, on another version: none of them is moved."""
    api.publish(n("other"), {"currency": "USD", "charges": [FEE]})
    assert api.call("POST", f"/v1/subscriptions/{people[0]}/change", {"plan": n("other")}).status == 200
    assert api.call("POST", f"/v1/subscriptions/{people[1]}/cancel", {}).status == 200
    late = api.subscribe(n("late"), n("ada"), plan, "2999-06-01T00:00:00Z", planVersion=1)["id"]
    answer = migrate(api, plan)
    assert {row["subscription"]: row["at"] for row in answer.json["data"]}[late] == "2999-06-01T00:00:00Z"
    assert {row["subscription"] for row in answer.json["data"]} == {people[2], late}


def test_one_that_cannot_be_moved_holds_up_nobody(api, n, people, plan):
    api.put(f"/v1/plans/{plan}", {"currency": "USD", "charges": [
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "1"}]})
    api.post(f"/v1/plans/{plan}/publish", {"effectiveFrom": "2999-02-01T00:00:00Z"})
    answer = migrate(api, plan, to=3)
    assert counts(answer) == {"refused": 3}
    assert {row["code"] for row in answer.json["data"]} == {"field_required"}
    assert [version(api, id) for id in people] == [1, 1, 1]


def test_a_move_to_come_gives_way_to_what_happens_before_it(api, n, plan, people):
    """A customer who upgrades before the period's end is not moved back by the migration."""
    api.publish(n("pro"), {"currency": "USD", "charges": [FEE]})
    migrate(api, plan, at="periodEnd")
    api.call("POST", f"/v1/subscriptions/{people[0]}/change", {"plan": n("pro")})
    terms = api.get(f"/v1/subscriptions/{people[0]}")["terms"]
    assert [row["plan"] for row in terms] == [plan, n("pro")] and terms[-1]["end"] is None


@pytest.mark.parametrize("body,status,code", [
    ({"from": 9}, 404, "plan_version_not_found"), ({"to": 9}, 404, "plan_version_not_found"),
    ({"to": 1}, 422, "field_invalid"), ({"from": None}, 422, "field_required"), ({"at": None}, 422, "field_required"),
    ({"at": "soon"}, 422, "invalid_timestamp"), ({"accounts": None}, 422, "field_required"),
    ({"accounts": "some"}, 422, "field_invalid"), ({"accounts": []}, 422, "field_invalid"),
    ({"accounts": [1]}, 422, "field_invalid"), ({"accounts": ["a", "b", "a"]}, 422, "field_invalid"),
    ({"why": 1}, 400, "unknown_member")], ids=str)
def test_what_a_migration_cannot_be(api, plan, people, body, status, code):
    answer = migrate(api, plan, **body)
    assert (answer.status, answer.code) == (status, code), answer
    assert [version(api, id) for id in people] == [1, 1, 1]


def test_a_migration_keeps_the_currency_and_names_a_plan(api, n, plan, people):
    api.put(f"/v1/plans/{plan}", {"currency": "EUR", "charges": [FEE]})
    api.post(f"/v1/plans/{plan}/publish", {"effectiveFrom": "2999-02-01T00:00:00Z"})
    answer = migrate(api, plan, to=3)
    assert (answer.status, answer.code) == (422, "currency_mismatch")
    assert migrate(api, n("nowhere")).code == "plan_not_found"
