# SPDX-License-Identifier: Apache-2.0
"""What is shown before is what is billed, line by line and member by member: the next invoice of an account, and
what a change comes to, with tax, credit, balance and charges that wait. The project's clock is a test one."""
import datetime as dt
import random
from decimal import Decimal

import pytest
from books import Books
from client import Api
from clock import advance, set_clock, test_project as project_folder

START = "2031-01-01T00:00:00Z"
ACCOUNT = "acct"
MADE = ("id", "number", "issuedAt", "dueAt", "ratedAt")  # what an invoice has that is not made yet has not


@pytest.fixture
def shop(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, START)
    api.meter("calls")
    return api


def upcoming(api, **query):
    return {invoice["currency"]: invoice
            for invoice in api.get(f"/v1/accounts/{ACCOUNT}/upcomingInvoice", query=query)["data"]}


def make(api, currency):
    """The account's next invoice, final; None when nothing is due."""
    answer = api.call("POST", f"/v1/accounts/{ACCOUNT}/invoices", {"currency": currency})
    if answer.status == 409 and answer.code == "nothing_due":
        return None
    assert answer.status == 200, answer
    return api.post(f"/v1/invoices/{answer.json['id']}/finalize", None)


def said(document):
    return {name: value for name, value in document.items() if name not in MADE}


def same(shown, made):
    """The members of the two, one by one, so that a failure tells which."""
    shown, made = said(shown), said(made)
    for one, other in zip(shown["lines"], made["lines"]):
        assert one == other
    assert shown == made


def flat(amount, id="fee", **members):
    return {"id": id, "model": "flat", "amount": amount, "timing": "advance", **members}


CALLS = {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.50"}


def use(api, value, ts, id):
    api.send([{"meter": "calls", "account": ACCOUNT, "uniqueId": id, "value": value, "ts": ts}])


def keyed(key):
    return {"headers": {"Idempotency-Key": key}}


# ---- one by one

@pytest.fixture
def sold(shop):
    """A fee of 30.00 in advance and calls in arrears, of an account with 20 % tax on top, billed for January."""
    shop.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20"})
    shop.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD", "taxRates": ["vat"], "legalName": "Ada Ltd"})
    shop.publish("plan", {"currency": "USD", "charges": [flat("30.00"), CALLS]}, effective=START)
    shop.subscribe("sub", ACCOUNT, "plan", START)
    make(shop, "USD")
    return shop


def test_the_next_invoice_is_shown_with_tax_credit_balance_and_charges(sold):
    use(sold, 40, START, "a")
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "15.00", "currency": "USD", "kind": "promotional"},
              **keyed("g"))
    sold.post("/v1/charges", {"account": ACCOUNT, "amount": "7.00", "currency": "USD", "chargeKey": "c",
                              "description": "Setup", "collect": "invoice"})
    paid = sold.get("/v1/invoices", query={"account": ACCOUNT})["data"][0]
    sold.post(f"/v1/invoices/{paid['id']}/pay", {"amount": "40.00"}, **keyed("p"))  # 36.00 was owed
    shown = upcoming(sold)["USD"]
    assert (shown["at"], shown["subtotal"], shown["tax"], shown["total"], shown["credits"], shown["balanceUsed"],
            shown["amountDue"]) == ("2031-02-01T00:00:00Z", "57.00", "8.40", "65.40", "-15.00", "-4.00", "46.40")
    assert [(line["kind"], line["net"]) for line in shown["lines"]] == [
        ("usage", "20.00"), ("fee", "30.00"), ("charge", "7.00")]
    assert [shown[name] for name in MADE[:4]] == [None] * 4
    advance(sold, shown["at"])
    same(shown, make(sold, "USD")["document"])
    after = upcoming(sold)["USD"]
    assert (after["at"], after["credits"], after["balanceUsed"], after["amountDue"]) == (
        "2031-03-01T00:00:00Z", "0.00", "0.00", "36.00")


def test_what_is_overdue_takes_its_share_first(sold):
    """February is not billed yet on 10 February: its invoice will take the credit, the balance and the charge."""
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "40.00", "currency": "USD", "kind": "promotional"},
              **keyed("g"))
    sold.post("/v1/charges", {"account": ACCOUNT, "amount": "6.00", "currency": "USD", "chargeKey": "c",
                              "collect": "invoice"})
    advance(sold, "2031-02-10T00:00:00Z")
    shown = upcoming(sold)["USD"]
    assert (shown["at"], shown["credits"], shown["amountDue"]) == ("2031-03-01T00:00:00Z", "-4.00", "31.20")
    assert make(sold, "USD")["credits"] == "-36.00" and make(sold, "USD") is None
    same(shown, upcoming(sold)["USD"])


def test_credit_that_an_overdue_invoice_gives_back_pays_the_next(shop):
    """Credit of 6.00 was used up by January's usage, 4.00 of which falls: March's invoice gives it back."""
    shop.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD"})
    shop.publish("plan", {"currency": "USD", "charges": [CALLS, flat("1.00")]}, effective=START)
    shop.subscribe("sub", ACCOUNT, "plan", START)
    make(shop, "USD")
    shop.post("/v1/grants", {"account": ACCOUNT, "amount": "6.00", "currency": "USD", "kind": "promotional",
                             "expiresAt": "2031-06-01T00:00:00Z", "appliesTo": {"meters": ["calls"]}}, **keyed("g"))
    use(shop, 20, START, "a")
    advance(shop, "2031-02-01T00:00:00Z")
    assert make(shop, "USD")["document"]["credits"] == "-6.00"
    use(shop, 30, "2031-02-01T00:00:00Z", "b")
    shop.post("/v1/measurements/amend", [{"uniqueId": "a", "value": 12}])
    advance(shop, "2031-03-10T00:00:00Z")
    use(shop, 40, "2031-03-10T00:00:00Z", "c")
    april = upcoming(shop)["USD"]
    assert (april["at"], april["credits"], april["total"]) == ("2031-04-01T00:00:00Z", "-4.00", "21.00")
    march = make(shop, "USD")["document"]
    assert (march["at"], march["creditsRestored"], march["credits"]) == ("2031-03-01T00:00:00Z", "4.00", "0.00")
    same(april, upcoming(shop)["USD"])
    advance(shop, april["at"])
    same(april, make(shop, "USD")["document"])


@pytest.mark.parametrize("terms", [{"discounts": [{"id": "off", "amount": "9.00"}]}, {"maximum": {"amount": "35.00"}}])
def test_what_comes_behind_the_boundary_changes_no_draw(shop, terms):
    """Credit that begins within February pays its part of February's fee, billed in advance; made before or after
    there is usage in February, which shares the plan's discount or maximum with the fee."""
    shop.publish("plan", {"currency": "USD", "charges": [flat("28.00"), CALLS], **terms}, effective=START)
    for account in ("first", "later"):
        shop.put(f"/v1/accounts/{account}", {"currency": "USD"})
        shop.subscribe(account, account, "plan", "2031-02-01T00:00:00Z")
        shop.post("/v1/grants", {"account": account, "amount": "50.00", "currency": "USD", "kind": "promotional",
                                 "effectiveAt": "2031-02-15T00:00:00Z"}, **keyed(account))
    advance(shop, "2031-02-01T00:00:00Z")
    draft = shop.post("/v1/accounts/first/invoices", None)
    first = shop.post(f"/v1/invoices/{draft['id']}/finalize", None)["document"]
    advance(shop, "2031-02-03T00:00:00Z")
    for account in ("first", "later"):
        shop.send([{"meter": "calls", "account": account, "uniqueId": account, "value": 60,
                    "ts": "2031-02-02T00:00:00Z"}])
    draft = shop.post("/v1/accounts/later/invoices", None)
    later = shop.post(f"/v1/invoices/{draft['id']}/finalize", None)["document"]
    names = ("at", "subtotal", "discounts", "total", "credits")
    assert [first[name] for name in names] == [later[name] for name in names]
    assert first["credits"] == "-14.00"  # a discount of an amount comes first, wherever the time is cut


def test_a_void_invoice_is_due_again(sold):
    advance(sold, "2031-02-01T00:00:00Z")
    before = upcoming(sold)["USD"]
    made = make(sold, "USD")
    same(before, upcoming(sold)["USD"])
    sold.post(f"/v1/invoices/{made['id']}/void", None)
    same(before, upcoming(sold)["USD"])  # behind February's, which comes again
    assert make(sold, "USD")["at"] == made["at"]
    same(before, upcoming(sold)["USD"])


def test_charges_alone_are_due_now(shop):
    shop.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD"})
    assert upcoming(shop) == {}
    for currency in ("USD", "EUR"):
        shop.post("/v1/charges", {"account": ACCOUNT, "amount": "7.00", "currency": currency, "chargeKey": currency,
                                  "collect": "invoice"})
    shown = upcoming(shop)
    assert [(code, invoice["at"], invoice["total"]) for code, invoice in shown.items()] == [
        ("EUR", START, "7.00"), ("USD", START, "7.00")]
    same(shown["EUR"], make(shop, "EUR")["document"])
    assert list(upcoming(shop)) == ["USD"]


def test_charges_are_billed_when_their_month_ends_and_shown_so(shop):
    """The subscription's own invoices come on the 10th: what was charged in January is billed on 1 February."""
    shop.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD"})
    shop.publish("plan", {"currency": "USD", "period": {"unit": "month", "anchor": "subscription"},
                          "charges": [flat("30.00")]}, effective=START)
    shop.subscribe("sub", ACCOUNT, "plan", "2031-01-10T00:00:00Z")
    charge = {"account": ACCOUNT, "currency": "USD", "collect": "invoice"}
    shop.post("/v1/charges", {**charge, "amount": "7.00", "chargeKey": "a"})
    assert [(line["kind"], line["net"]) for line in upcoming(shop)["USD"]["lines"]] == [
        ("fee", "30.00"), ("charge", "7.00")]  # 10 January is before the month's end
    advance(shop, "2031-01-10T00:00:00Z")
    make(shop, "USD")
    shop.post("/v1/charges", {**charge, "amount": "5.00", "chargeKey": "b"})
    alone = upcoming(shop)["USD"]
    assert (alone["at"], alone["total"]) == ("2031-02-01T00:00:00Z", "5.00")
    advance(shop, "2031-02-03T00:00:00Z")
    fee = upcoming(shop)["USD"]  # behind the overdue one
    assert (fee["at"], fee["total"]) == ("2031-02-10T00:00:00Z", "30.00")
    same(alone, make(shop, "USD")["document"])
    same(fee, upcoming(shop)["USD"])
    shop.post("/v1/subscriptions/sub/cancel", {"at": "periodEnd"})
    shop.post("/v1/charges", {**charge, "amount": "3.00", "chargeKey": "c"})
    assert upcoming(shop)["USD"]["at"] == "2031-02-03T00:00:00Z"  # nothing else comes: now
    advance(shop, "2031-03-05T00:00:00Z")
    last = upcoming(shop)["USD"]
    assert (last["at"], last["total"]) == ("2031-03-01T00:00:00Z", "3.00")
    same(last, make(shop, "USD")["document"])
    assert upcoming(shop) == {}


def test_a_change_says_what_is_due_now_and_next(sold):
    """Twice the fee from the middle of February: 15.00 more at once; the credit pays it before March."""
    advance(sold, "2031-02-01T00:00:00Z")
    make(sold, "USD")
    advance(sold, "2031-02-15T00:00:00Z")
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "20.00", "currency": "USD", "kind": "promotional"},
              **keyed("g"))
    sold.publish("more", {"currency": "USD", "charges": [flat("60.00"), CALLS]}, effective=START)
    path, body = "/v1/subscriptions/sub/change", {"plan": "more"}
    dry, done = sold.post(path, {**body, "dryRun": True}), sold.post(path, body)
    for name in ("invoice", "upcomingInvoice"):
        same(dry[name], done[name])
    assert (done["invoice"]["subtotal"], done["invoice"]["credits"], done["invoice"]["total"]) == (
        "15.00", "-15.00", "15.00")
    assert (done["upcomingInvoice"]["credits"], done["upcomingInvoice"]["amountDue"]) == ("-5.00", "66.00")
    same(done["invoice"], make(sold, "USD")["document"])
    same(done["upcomingInvoice"], upcoming(sold)["USD"])
    advance(sold, "2031-03-01T00:00:00Z")
    same(done["upcomingInvoice"], make(sold, "USD")["document"])


def test_a_change_is_answered_without_the_log(sold):
    answer = sold.post("/v1/subscriptions/sub/cancel", {"at": "periodEnd"})
    assert (answer["subscription"]["status"], answer["subscription"]["endsAt"]) == ("active", "2031-02-01T00:00:00Z")
    assert "changes" not in answer["subscription"] and "terms" not in answer["subscription"]
    assert answer["change"] == sold.get("/v1/subscriptions/sub")["changes"][-1]


def test_a_key_that_may_not_read_bills_is_shown_none(sold):
    sold.server.stop()
    with Books(sold.server) as books:
        key = books.add_key(["catalog:read", "catalog:write"])
    sold.server.start()
    narrow = Api(sold.server, key=key, contract=sold.contract)
    for dry in (True, False):
        answer = narrow.post("/v1/subscriptions/sub/cancel", {"at": "periodEnd", "dryRun": dry})
        assert (answer["invoice"], answer["upcomingInvoice"], answer["bill"]) == (None, None, None)
        assert answer["change"]["kind"] == "cancel"


def test_what_is_available_is_what_the_next_invoice_leaves(sold):
    """Paid credit pays tax as well: 20.00 of usage and 4.00 of tax."""
    use(sold, 40, START, "a")
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "100.00", "currency": "USD", "kind": "paid"}, **keyed("g"))
    balance, = sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"]
    assert (balance["expectedDraw"], balance["available"]) == ("24.00", "76.00")
    charge = {"account": ACCOUNT, "currency": "USD", "chargeKey": "c", "collect": "wallet"}
    refused = sold.call("POST", "/v1/charges", {**charge, "amount": "76.01"})
    assert (refused.status, refused.code) == (402, "insufficient_balance")
    sold.post("/v1/charges", {**charge, "amount": "76.00"})
    assert sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"][0]["available"] == "0.00"


def test_charges_that_wait_are_set_aside(sold):
    """10.00 and 2.00 of tax, with the next invoice, which leaves what was available."""
    charge = {"account": ACCOUNT, "currency": "USD", "amount": "10.00", "chargeKey": "c", "collect": "invoice"}
    sold.post("/v1/charges", charge)
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "20.00", "currency": "USD", "kind": "promotional",
                             "appliesTo": {"meters": ["calls"]}}, **keyed("other"))
    assert [row["available"] for row in sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"]] == ["20.00"]
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "100.00", "currency": "USD", "kind": "paid",
                             "expiresAt": "2031-02-01T00:00:00Z"}, **keyed("g"))
    sold.post("/v1/charges", {**charge, "currency": "EUR"} | {"chargeKey": "d"})  # no credit pays it
    balance, = sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"]
    assert (balance["posted"], balance["expectedDraw"], balance["available"]) == ("120.00", "12.00", "108.00")
    refused = sold.call("POST", "/v1/charges", {**charge, "amount": "88.01", "chargeKey": "e", "collect": "wallet"})
    assert (refused.status, refused.code) == (402, "insufficient_balance")
    advance(sold, "2031-02-01T00:00:00Z")
    assert make(sold, "USD")["document"]["credits"] == "-12.00"  # February's fee was not used while it was in force
    left = {grant["remaining"] for grant in sold.get("/v1/grants", query={"account": ACCOUNT})["data"]}
    assert left == {"20.00", "88.00"}


def test_what_is_set_aside_is_taxed_at_the_rates_of_the_boundary(sold):
    sold.put("/v1/taxRates/vat", {"name": "VAT", "percent": "10", "effectiveFrom": "2031-01-20T00:00:00Z"})
    sold.post("/v1/grants", {"account": ACCOUNT, "amount": "100.00", "currency": "USD", "kind": "paid",
                             "appliesTo": {"meters": ["calls"]}}, **keyed("g"))
    use(sold, 40, START, "a")
    balance, = sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"]
    assert (balance["expectedDraw"], balance["available"]) == ("22.00", "78.00")
    advance(sold, "2031-02-01T00:00:00Z")
    assert make(sold, "USD")["document"]["credits"] == "-22.00"
    assert sold.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"][0]["available"] == "78.00"


def test_a_rate_that_is_not_in_force_yet_cannot_be_told(shop):
    shop.put("/v1/taxRates/later", {"name": "VAT", "percent": "20", "effectiveFrom": "2032-01-01T00:00:00Z"})
    shop.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD", "taxRates": ["later"]})
    shop.publish("plan", {"currency": "USD", "charges": [flat("30.00"), CALLS]}, effective=START)
    shop.subscribe("sub", ACCOUNT, "plan", START)
    assert shop.call("GET", f"/v1/accounts/{ACCOUNT}/upcomingInvoice").code == "tax_rate_not_found"
    answer = shop.post("/v1/subscriptions/sub/cancel", {"at": "periodEnd"})
    assert (answer["invoice"], answer["upcomingInvoice"], answer["bill"]["total"]) == (None, None, "30.00")
    shop.post("/v1/grants", {"account": ACCOUNT, "amount": "50.00", "currency": "USD", "kind": "paid"}, **keyed("g"))
    use(shop, 4, START, "a")
    assert shop.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"][0]["available"] == "18.00"


# ---- whatever happens

class Life:
    """An account in a random world, hour by hour; every invoice is shown before it is made."""

    def __init__(self, api, seed):
        self.api, self.chance, self.count = api, random.Random(seed), 0
        self.now = dt.datetime(2031, 1, 1, tzinfo=dt.timezone.utc)
        self.taxes()
        self.plans = {"USD": ["usd1", "usd2"], "EUR": ["eur1", "eur2"]}
        for currency, ids in self.plans.items():
            for id in ids:
                api.publish(id, self.plan(currency), effective=START)
        self.subscriptions = {}
        for currency in ("USD", "USD", "EUR"):
            id = f"sub{len(self.subscriptions)}"
            self.subscriptions[id] = currency
            api.subscribe(id, ACCOUNT, self.plans[currency][0], self.at(days=self.chance.randint(0, 20)),
                          quantities={"seats": self.chance.randint(1, 9)})

    def at(self, **past):
        return (self.now + dt.timedelta(**past)).isoformat()[:19] + "Z"

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def taxes(self):
        rates = []
        for percent, inclusive in (("19", False), ("7.5", False), ("10", True)):
            if self.chance.random() < 0.5:
                rates.append("r" + percent)
                self.api.put(f"/v1/taxRates/r{percent}", {
                    "name": "Tax", "percent": percent, "inclusive": inclusive,
                    **({"categories": ["software"]} if self.chance.random() < 0.3 else {})})
        self.api.put("/v1/legalEntity", {"legalName": "Us", "taxRounding": self.chance.choice(
            ["rate", "line", "lineRate", "invoice"])})
        self.api.put(f"/v1/accounts/{ACCOUNT}", {"taxRates": rates})

    def plan(self, currency):
        chance = self.chance
        charges = [flat(f"{chance.randint(1, 99)}.{chance.randint(10, 99)}", prorate=chance.choice(["day", "second"])),
                   flat(f"{chance.randint(1, 9)}.99", id="support", timing="arrears", taxCategory="software"),
                   {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": f"{chance.randint(1, 9)}.33",
                    **chance.choice([{"timing": "arrears"}, {"timing": "advance"},
                                     {"timing": "advance", "onDecrease": "credit"}])}]
        if currency == "USD":
            charges.append({"id": "calls", "meter": "calls", "model": "graduated", "alsoCounts": True,
                            "taxCategory": "software", "tiers": [
                                {"upTo": "50", "unitPrice": "0.333"}, {"unitPrice": "0.1", "flatFee": "3"}]})
        document = {"currency": currency, "charges": charges,
                    "period": chance.choice([{"unit": "month"}, {"unit": "month", "anchor": "subscription"},
                                             {"every": 2, "unit": "week", "anchor": "subscription"}])}
        if chance.random() < 0.4:
            document["minimum"] = {"amount": str(chance.randint(20, 200))}
        if chance.random() < 0.3:
            document["commitment"] = {"amount": str(chance.randint(1, 40)), "discountPercent": "10"}
        if chance.random() < 0.3:
            document["discounts"] = [{"id": "off", "percent": "12.5", "periods": 2}]
        return document

    # what happens

    def use(self):
        self.api.send([{"meter": "calls", "account": ACCOUNT, "uniqueId": self.key(),
                        "value": self.chance.randint(1, 40), "ts": self.at(seconds=-self.chance.randint(0, 1800))}
                       for _ in range(3)])

    def correct(self):
        """Usage that may be billed already."""
        values = [f"k{number}" for number in range(1, self.count + 1)]
        self.api.call("POST", "/v1/measurements/amend", [{"uniqueId": self.chance.choice(values or ["k1"]),
                                                          "value": self.chance.randint(0, 60)}])

    def grant(self):
        chance = self.chance
        self.api.post("/v1/grants", {
            "account": ACCOUNT, "currency": chance.choice(["USD", "EUR"]), "amount": str(chance.randint(1, 60)),
            "kind": chance.choice(["paid", "promotional"]), "priority": chance.randint(0, 2),
            "effectiveAt": self.at(days=chance.randint(-5, 5)), "expiresAt": self.at(days=chance.randint(6, 60)),
            **chance.choice([{}, {}, {"appliesTo": {"charges": ["fee"]}}, {"creditTiming": "afterTax"}])},
            **keyed(self.key()))

    def charge(self):
        self.api.post("/v1/charges", {"account": ACCOUNT, "currency": self.chance.choice(["USD", "EUR"]),
                                      "amount": f"{self.chance.randint(1, 30)}.05", "chargeKey": self.key(),
                                      "collect": "invoice"})

    def change(self):
        """A dry run, the change, and, when it is billed at once, its invoice: all the same."""
        chance = self.chance
        if chance.random() < 0.8:  # else it may be at the very instant of an invoice
            self.to(self.now + dt.timedelta(seconds=1))
        id = chance.choice(list(self.subscriptions))
        if chance.random() < 0.5:
            body = {"quantities": {"seats": chance.randint(1, 9)}}
        else:
            body = {"plan": chance.choice(self.plans[self.subscriptions[id]]), "quantities": {"seats": 3}}
        body["effectiveAt"] = self.at(days=chance.choice([0, 0, 2, 9]))
        path = f"/v1/subscriptions/{id}/change"
        dry, done = (self.api.call("POST", path, {**body, "dryRun": dry}) for dry in (True, False))
        assert (dry.status, dry.code) == (done.status, done.code)
        if done.status != 200:  # it has not begun
            return
        for name in ("invoice", "upcomingInvoice"):
            same(dry.json[name], done.json[name])
        if done.json["invoice"]["at"] != done.json["change"]["recordedAt"] or not done.json["invoice"]["lines"]:
            return
        made = self.bill(self.subscriptions[id])
        same(done.json["invoice"], made[-1]["document"])
        same(done.json["upcomingInvoice"], upcoming(self.api)[self.subscriptions[id]])

    def pay(self):
        for row in self.api.get("/v1/invoices", query={"account": ACCOUNT, "status": "finalized"})["data"][:1]:
            amount = Decimal(row["amountRemaining"]) + self.chance.choice([0, 0, 11])
            self.api.post(f"/v1/invoices/{row['id']}/pay", {"amount": str(amount)}, **keyed(self.key()))

    def void(self):
        for row in self.api.get("/v1/invoices", query={"account": ACCOUNT, "status": "finalized"})["data"][:1]:
            self.api.call("POST", f"/v1/invoices/{row['id']}/void")  # not when its balance was used since

    # billing

    def bill_overdue(self, currency):
        """Not charges alone, which are due now."""
        path = f"/v1/accounts/{ACCOUNT}/invoices"
        while (draft := self.api.call("POST", path, {"currency": currency})).status == 200 and (
                draft.json["at"] < self.at()):
            self.api.post(f"/v1/invoices/{draft.json['id']}/finalize", None)

    def bill(self, currency):
        made = []
        while (invoice := make(self.api, currency)) is not None:
            made.append(invoice)
        return made

    def step(self):
        """To the next boundary, or near it, or beyond it."""
        shown = upcoming(self.api)
        if not shown:
            return
        first = min(shown.values(), key=lambda invoice: invoice["at"])
        boundary = dt.datetime.fromisoformat(first["at"].replace("Z", "+00:00"))
        middle = self.now + (boundary - self.now) * self.chance.random()
        middle = middle.replace(microsecond=0)
        self.to(middle)
        self.same_as_before(shown)
        for currency in self.plans:  # what is overdue was taken into account
            self.bill_overdue(currency)
        self.same_as_before(shown)
        if self.chance.random() < 0.4:
            return
        self.to(boundary)
        for currency, invoice in shown.items():
            if invoice["at"] == first["at"]:
                made = [made for made in self.bill(currency) if made["at"] == invoice["at"]]
                same(invoice, made[0]["document"])
        if self.chance.random() < 0.3:
            self.void()

    def to(self, now):
        self.now = max(self.now, now)
        advance(self.api, self.at())

    def same_as_before(self, shown):
        """While nothing happens; what is due now has its charges, and then none."""
        now = upcoming(self.api)
        for currency, invoice in shown.items():
            if invoice["at"] > self.at():
                same(invoice, now[currency])


@pytest.mark.parametrize("seed", [*range(20), 128])
def test_every_invoice_is_shown_before_it_is_made(shop, seed):
    life = Life(shop, seed)
    deeds = [life.use, life.use, life.grant, life.charge, life.change, life.pay]
    if seed % 2:
        deeds += [life.correct, life.correct]
    for _ in range(12):
        for _ in range(life.chance.randint(1, 4)):
            life.chance.choice(deeds)()
        life.step()
