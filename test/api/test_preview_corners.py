# SPDX-License-Identifier: Apache-2.0
"""Previews behind invoices that give credit back, that are too many, and as of an instant that is over; and on books
that fail at each call. The project's clock is a test one."""
import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder
from failing import FailingServer, refused_everywhere
from test_previews import ACCOUNT, CALLS, START, flat, keyed, make, same, shop, sold, upcoming, use  # noqa: F401

USD = {"currency": "USD"}
DATA = {"id": "data", "meter": "data", "model": "perUnit", "unitPrice": "0.50"}


def month(number):
    return f"2031-{number:02}-01T00:00:00Z"


def grant(api, amount, **members):
    return api.post("/v1/grants", {"account": ACCOUNT, "amount": amount, **USD, "kind": "promotional", **members},
                    **keyed(f"grant {amount}"))


def amend(api, **values):
    api.post("/v1/measurements/amend", [{"uniqueId": id, "value": value} for id, value in values.items()])


def two_grants_drawn(api, left):
    """January's 10.00 took all of the first grant, 6.00, and 4.00 of the second; `left` of its 20 calls stay.
    It is 10 March, and March's invoice, which gives back, is overdue."""
    api.put(f"/v1/accounts/{ACCOUNT}", USD)
    api.publish("plan", {**USD, "charges": [CALLS, flat("1.00")]}, effective=START)
    api.subscribe("sub", ACCOUNT, "plan", START)
    make(api, "USD")
    grant(api, "6.00", priority=1, appliesTo={"meters": ["calls"]})
    grant(api, "10.00", priority=2, appliesTo={"meters": ["calls"]})
    use(api, 20, START, "a")
    advance(api, month(2))
    assert make(api, "USD")["document"]["credits"] == "-10.00"
    use(api, 4, month(2), "b")
    amend(api, a=left)
    advance(api, "2031-03-10T00:00:00Z")
    use(api, 40, "2031-03-10T00:00:00Z", "c")


@pytest.mark.parametrize("left,restored,credits", [(14, "3.00", "-9.00"), (8, "6.00", "-12.00")])
def test_credit_comes_back_to_grants_that_are_used_up_and_that_are_not(shop, left, restored, credits):  # noqa: F811
    two_grants_drawn(shop, left)
    april = upcoming(shop)["USD"]
    assert (april["at"], april["credits"], april["total"]) == (month(4), credits, "21.00")
    march = make(shop, "USD")["document"]
    assert (march["creditsRestored"], march["credits"]) == (restored, "0.00")
    same(april, upcoming(shop)["USD"])


def test_two_overdue_invoices_give_back_of_one_draw(shop):  # noqa: F811
    """One subscription is billed each month, the other every two: March's invoice was of both. What falls of it is
    given back by April's for the first, by May's for the other."""
    shop.meter("data")
    shop.put(f"/v1/accounts/{ACCOUNT}", USD)
    shop.publish("each", {**USD, "charges": [CALLS]}, effective=START)
    shop.publish("two", {**USD, "period": {"every": 2, "unit": "month"}, "charges": [DATA]}, effective=START)
    shop.subscribe("each", ACCOUNT, "each", START)
    shop.subscribe("two", ACCOUNT, "two", START)
    grant(shop, "32.00")
    use(shop, 20, START, "a")
    advance(shop, month(2))
    assert make(shop, "USD")["document"]["credits"] == "-10.00"
    use(shop, 20, month(2), "b")
    shop.send([{"meter": "data", "account": ACCOUNT, "uniqueId": "c", "value": 20, "ts": month(2)}])
    advance(shop, month(3))
    assert make(shop, "USD")["document"]["credits"] == "-20.00"
    amend(shop, a=10, b=10, c=10)
    for number in (3, 4):
        advance(shop, month(number))
        use(shop, 12, month(number), f"more{number}")
    advance(shop, "2031-05-10T00:00:00Z")
    use(shop, 60, "2031-05-10T00:00:00Z", "d")
    june = upcoming(shop)["USD"]
    april, may = (make(shop, "USD")["document"] for _ in range(2))
    assert [(made["at"], made["creditsRestored"]) for made in (april, may)] == [(month(4), "10.00"), (month(5), "5.00")]
    same(june, upcoming(shop)["USD"])
    assert june["at"] == month(6)
    advance(shop, month(6))
    same(june, make(shop, "USD")["document"])


def test_more_is_overdue_than_is_made_in_memory(shop):  # noqa: F811
    """Five subscriptions, each with a day of its own, and more than a year that nobody billed."""
    shop.put(f"/v1/accounts/{ACCOUNT}", USD)
    shop.publish("plan", {**USD, "period": {"unit": "month", "anchor": "subscription"}, "charges": [flat("1.00")]},
                 effective=START)
    for day in range(1, 6):
        shop.subscribe(f"sub{day}", ACCOUNT, "plan", f"2031-01-0{day}T00:00:00Z")
    advance(shop, "2032-03-03T12:00:00Z")
    shown = upcoming(shop)["USD"]
    assert (shown["at"], shown["total"]) == ("2032-03-04T00:00:00Z", "1.00")
    assert [line["subscription"] for line in shown["lines"]] == ["sub4"]


def test_a_change_as_of_an_instant_that_is_over(sold):  # noqa: F811
    """What it would have come to in January, when February is billed."""
    sold.publish("more", {**USD, "charges": [flat("60.00"), CALLS]}, effective=START)
    advance(sold, "2031-01-15T00:00:00Z")
    path, body = "/v1/subscriptions/sub/change", {"plan": "more", "effectiveAt": "2031-01-20T00:00:00Z", "dryRun": True}
    before = sold.post(path, body)
    assert before["invoice"]["at"] == body["effectiveAt"] and before["invoice"]["lines"]
    advance(sold, "2031-02-10T00:00:00Z")
    make(sold, "USD")
    after = sold.post(path, body, query={"ratedAt": "2031-01-15T00:00:00Z"})
    for name in ("invoice", "upcomingInvoice"):
        same(before[name], after[name])


# ---- on books that fail

@pytest.fixture
def failing(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        api = Api(server)
        set_clock(api, START)
        api.meter("calls")
        yield api
        server.stop()
        server.verify()


def shown_everywhere(api, least=20):
    bare = Api(api.server)
    return refused_everywhere(api.server, lambda: bare.call("GET", f"/v1/accounts/{ACCOUNT}/upcomingInvoice"), 0,
                              least).json["data"]


def test_a_preview_behind_one_that_gives_credit_back(failing):
    two_grants_drawn(failing, 8)
    shown, = shown_everywhere(failing)
    assert (shown["at"], shown["credits"], shown["total"]) == (month(4), "-12.00", "21.00")


def test_a_preview_of_charges_alone(failing):
    failing.put(f"/v1/accounts/{ACCOUNT}", USD)
    failing.post("/v1/charges", {"account": ACCOUNT, "amount": "7.00", **USD, "chargeKey": "c"})
    shown, = shown_everywhere(failing, 5)
    assert (shown["at"], shown["total"]) == (START, "7.00")


def test_a_change_at_which_nothing_is_due(failing):
    failing.put(f"/v1/accounts/{ACCOUNT}", USD)
    for id in ("plan", "next"):
        failing.publish(id, {**USD, "charges": [CALLS]}, effective=START)
    failing.subscribe("sub", ACCOUNT, "plan", START)
    bare = Api(failing.server)
    body = {"plan": "next", "effectiveAt": "2031-01-20T00:00:00Z", "dryRun": True}
    shown = refused_everywhere(failing.server, lambda: bare.call("POST", "/v1/subscriptions/sub/change", body), 0).json
    assert shown["invoice"]["lines"] == []
    assert [(shown[name]["at"], shown[name]["total"]) for name in ("invoice", "upcomingInvoice")] == [
        (body["effectiveAt"], "0.00"), (month(2), "0.00")]
