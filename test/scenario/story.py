# SPDX-License-Identifier: Apache-2.0
"""Stories in domain words, played through HTTP. One line is one sentence; SENTENCES is the language.
Names of a story are its own: each is prefixed with the story's name before it goes to the server."""
import re

from client import quote

SENTENCES = []


def sentence(pattern):
    """`<word>` takes what stands there; `[ … ]` may be left out."""
    text = re.escape(pattern).replace(r"\ ", " ").replace(r"\[", "(?:").replace(r"\]", ")?")
    text = re.sub(r"<(\w+)>", lambda found: f"(?P<{found[1]}>.+?)", text)

    def keep(function):
        SENTENCES.append((re.compile(text + "$"), function))
        return function
    return keep


class Story:
    def __init__(self, api, name):
        self.api, self.name = api, name
        self.plan = None       # (name, document) while its indented lines come
        self.events = {}       # what was sent, by id
        self.made = 0
        self.last = None       # verdict of the last event
        self.voids = {}        # by the story's name for them

    def own(self, name):
        return f"{self.name}.{name}"

    def play(self, text):
        for number, line in enumerate(text.splitlines(), 1):
            bare = line.split("#")[0].rstrip()
            if not bare:
                continue
            try:
                if line[0] == " ":
                    self.plan_line(bare.strip())
                else:
                    self.close_plan()
                    self.say(bare)
            except AssertionError as fault:
                raise AssertionError(f"line {number}: {bare}\n{fault}") from fault
        self.close_plan()

    def say(self, line, only=None):
        for pattern, function in SENTENCES:
            found = pattern.match(line)
            if found and function.__name__.startswith("plan_") == (only == "plan_"):
                return function(self, **found.groupdict())
        raise AssertionError(f"no such sentence: {line}")

    # ---- plans

    def plan_line(self, line):
        assert self.plan is not None, "an indented line belongs to a plan"
        self.say(line, only="plan_")

    def close_plan(self):
        if self.plan is not None:
            name, document, effective = self.plan
            self.plan = None
            self.api.publish(self.own(name), document, effective)

    def charge(self, id, meter=None, **members):
        made = {"id": id, **({"meter": self.own(meter)} if meter else {}), **members}
        self.plan[1]["charges"].append(made)
        return made


def tiers(text):
    """15 at 2, 100 at 1.5, rest at 1"""
    made = []
    for part in text.split(","):
        bound, price = part.strip().split(" at ")
        made.append({**({} if bound == "rest" else {"upTo": bound}), "unitPrice": price})
    return made


def terms(text):
    """region eu, tier pro"""
    return dict(part.strip().split(" ") for part in text.split(",")) if text else {}


def filter_of(text):
    return {key: [value] for key, value in terms(text).items()}


@sentence("plan <name> in <currency>[ from <date>]")
def begin_plan(story, name, currency, date):
    story.plan = (name, {"currency": currency, "charges": []}, (date or "2020-01-01") + "T00:00:00Z")


@sentence("<id>: flat <amount>[ in <timing>]")
def plan_flat(story, id, amount, timing):
    story.charge(id, model="flat", amount=amount, **({"timing": timing} if timing else {}))


@sentence("<id>: <price> for each <quantity>[ in <timing>]")
def plan_quantity(story, id, price, quantity, timing):
    story.charge(id, model="perUnit", quantity=quantity, unitPrice=price, **({"timing": timing} if timing else {}))


@sentence("<id>: <meter> graduated, <bounds>")
def plan_graduated(story, id, meter, bounds):
    story.charge(id, meter, model="graduated", tiers=tiers(bounds))


@sentence("<id>: <meter> volume, <bounds>")
def plan_volume(story, id, meter, bounds):
    story.charge(id, meter, model="volume", tiers=tiers(bounds))


@sentence("<id>: <meter> in packages of <size> for <price>")
def plan_package(story, id, meter, size, price):
    story.charge(id, meter, model="package", packageSize=size, packagePrice=price)


@sentence("<id>: <meter> at <price>[ for <filter>][ per <group>]")
def plan_unit(story, id, meter, price, filter, group):
    made = story.charge(id, meter, model="perUnit", unitPrice=price)
    if filter:
        made["filter"] = filter_of(filter)
    if group:
        made["groupBy"] = [group]


@sentence("at least <amount>")
def plan_minimum(story, amount):
    story.plan[1]["minimum"] = {"amount": amount}


@sentence("at most <amount>")
def plan_maximum(story, amount):
    story.plan[1]["maximum"] = {"amount": amount}


@sentence("committed to <amount>[ with <percent> % off]")
def plan_commitment(story, amount, percent):
    story.plan[1]["commitment"] = {"amount": amount, "discountPercent": percent or "0"}


@sentence("<percent> % off")
def plan_discount(story, percent):
    story.plan[1].setdefault("discounts", []).append({"id": f"off{percent}", "percent": percent})


@sentence("credits of <amount> included")
def plan_credits(story, amount):
    story.plan[1]["includedCredits"] = {"amount": amount}


@sentence("the first <days> days of <charges> are free")
def plan_trial(story, days, charges):
    story.plan[1]["trial"] = {"days": int(days), "charges": charges.split(", ")}


@sentence("the first <periods> periods <charge> is <amount>")
def plan_ramp(story, periods, charge, amount):
    story.plan[1].setdefault("phases", []).append(
        {"periods": int(periods), "overrides": {"charges": {charge: {"amount": amount}}}})


@sentence("by <unit>s from the start")
def plan_period(story, unit):
    story.plan[1]["period"] = {"every": 1, "unit": unit, "anchor": "subscription"}


# ---- meters, accounts, subscriptions

@sentence("meter <name> is the level of <stream> per <per>")
def gauge(story, name, stream, per):
    story.api.put(f"/v1/meters/{story.own(name)}",
                  {"event": story.own(stream), "aggregation": "timeWeighted", "per": per})


@sentence("meter <name> is the running total of <stream>")
def running_total(story, name, stream):
    story.api.put(f"/v1/meters/{story.own(name)}",
                  {"event": story.own(stream), "aggregation": "sum", "carryOver": True})


@sentence("meter <name> is the <kind> of <stream>[ by <dimensions>][ where <filter>]")
def meter(story, name, kind, stream, dimensions, filter):
    property, _, stream = stream.rpartition(" in ")
    body = {"event": story.own(stream), "aggregation": {"unique count": "uniqueCount"}.get(kind, kind)}
    if property:
        body["property"] = property
    if dimensions:
        body["dimensions"] = sorted(dimensions.split(", "))
    if filter:
        body["filter"] = filter_of(filter)
    story.api.put(f"/v1/meters/{story.own(name)}", body)


@sentence("<account> lives in <zone>")
def zone(story, account, zone):
    story.api.put(f"/v1/accounts/{quote(story.own(account))}", {"timeZone": zone})


@sentence("<account> takes <plan> from <date>[ until <end>][ with <quantities>]")
def subscribe(story, account, plan, date, end, quantities):
    path = f"/v1/accounts/{quote(story.own(account))}"
    if story.api.call("GET", path).status == 404:
        story.api.put(path, {})
    more = {"endsAt": moment(end)} if end else {}
    if quantities:
        more["quantities"] = counts(quantities)
    story.api.subscribe(story.own(account), story.own(account), story.own(plan), moment(date), **more)


def counts(text):
    """5 seats, 2 desks"""
    return {name: number for number, name in (part.strip().split(" ") for part in text.split(","))}


def moment(text):
    return text if "T" in text else text + "T00:00:00Z"


# ---- what happens to a subscription

def change(story, account, verb, **body):
    return story.api.post(f"/v1/subscriptions/{quote(story.own(account))}/{verb}", body)


@sentence("<account> changes to <plan> on <date>")
def upgrade(story, account, plan, date):
    change(story, account, "change", plan=story.own(plan), effectiveAt=moment(date))


@sentence("<account> has <quantities> from <date>")
def quantities_change(story, account, quantities, date):
    change(story, account, "change", quantities=counts(quantities), effectiveAt=moment(date))


@sentence("<account> pays <price> for <charge> from <date>")
def own_price(story, account, price, charge, date):
    change(story, account, "change", overrides={"charges": {charge: {"unitPrice": price}}}, effectiveAt=moment(date))


@sentence("<account> gets <percent> % off[ for <periods> periods] from <date>")
def coupon(story, account, percent, periods, date):
    discount = {"percent": percent, "startsAt": moment(date)}
    if periods:
        discount["periods"] = int(periods)
    change(story, account, "change", overrides={"discounts": {"coupon": discount}}, effectiveAt=moment(date))


@sentence("<account> pauses on <date>[ with <free> usage]")
def pause(story, account, date, free):
    change(story, account, "pause", at=moment(date), usage=free or "billed")


@sentence("<account> resumes on <date>")
def resume(story, account, date):
    change(story, account, "resume", at=moment(date))


@sentence("<account> cancels on <date>[ with <credit> credit]")
def cancel(story, account, date, credit):
    change(story, account, "cancel", at=moment(date), **({"credit": "none"} if credit == "no" else {}))


def migration(story, plan, old, new, date, **more):
    return story.api.post(f"/v1/plans/{quote(story.own(plan))}/migrations",
                          {"from": int(old), "to": int(new), "at": moment(date), "accounts": "all", **more})


@sentence("whoever is on version <old> of <plan> moves to version <new> on <date>: <number> do")
def migrate(story, old, plan, new, date, number):
    got = migration(story, plan, old, new, date)["moved"]
    assert got == int(number), f"{got} do"


@sentence("moving from version <old> of <plan> to <new> on <date> would take <account> from <before> to <after>")
def preview(story, old, plan, new, date, account, before, after):
    rows = migration(story, plan, old, new, date, dryRun=True)["data"]
    row, = [row for row in rows if row["subscription"] == story.own(account)]
    assert (row["before"], row["after"]) == (before, after), row


# ---- another price

def tried(story, plan, start, end):
    """The finished simulation of the plan, against what everybody of the story has; made once."""
    made = story.__dict__.setdefault("simulations", {})
    if (plan, start, end) not in made:
        accounts = sorted({event["account"] for event in story.events.values()})
        operation = story.api.expect(202, "POST", "/v1/simulations", {
            "planVersion": {"plan": story.own(plan), "version": 1}, "against": "current",
            "from": moment(start), "to": moment(end), "accounts": accounts})
        while operation["status"] in ("queued", "running"):
            operation = story.api.get(f"/v1/operations/{operation['id']}")
        made[plan, start, end] = story.api.get(operation["result"])
    return made[plan, start, end]


@sentence("under <plan> from <start> to <end>, <account> pays <after> instead of <before>")
def try_plan(story, plan, start, end, account, before, after):
    simulation = tried(story, plan, start, end)
    rows = simulation["result"]["totals"]
    if account != "all":
        listed = story.api.get(f"/v1/simulations/{simulation['id']}/accounts", query={"limit": 1000})["data"]
        rows = [row for one in listed if one["account"] == story.own(account) for row in one["totals"]]
    row, = rows
    assert (row["before"], row["after"]) == (before, after), row


@sentence("under <plan> from <start> to <end>, <winners> pay less and <losers> more")
def try_plan_winners(story, plan, start, end, winners, losers):
    row, = tried(story, plan, start, end)["result"]["totals"]
    assert (row["winners"], row["losers"]) == (int(winners), int(losers)), row


# ---- usage

@sentence("<account> uses <value> <stream> on <date>[ with <properties>][ as <id>]")
def use(story, account, value, stream, date, properties, id):
    story.made += 1
    id = id or str(story.made)
    story.events[id] = {"meter": story.own(stream), "account": story.own(account), "value": value,
                        "ts": moment(date), "uniqueId": story.own(id),
                        **({"properties": terms(properties)} if properties else {})}
    story.last = send(story, story.events[id])
    assert story.last == "accepted", story.last


def send(story, event):
    return story.api.send([event], query={"verbose": "true"})["results"][0]["outcome"]


@sentence("everything is sent again: <verdict>")
def resend_all(story, verdict):
    answer = story.api.send(list(story.events.values()), query={"verbose": "true"})
    assert {result["outcome"] for result in answer["results"]} == {verdict}, answer


@sentence("<id> is sent again[ with <value>]: <verdict>")
def resend(story, id, value, verdict):
    event = story.events[id] if value is None else {**story.events[id], "value": value}
    outcome = send(story, event)
    assert outcome == verdict, outcome


@sentence("<id> is taken back")
def void(story, id):
    story.api.post("/v1/measurements/void", {"uniqueIds": [story.own(id)]})


def choice(story, stream, account, start, end, properties):
    return {"filter": {"event": story.own(stream), "account": story.own(account), "from": moment(start),
                       "to": moment(end), **({"properties": terms(properties)} if properties else {})}}


@sentence("taking back the <stream> of <account> from <start> to <end>[ with <properties>] would take "
          "<number> and the bill from <before> to <after>")
def void_preview(story, stream, account, start, end, properties, number, before, after):
    dry = story.api.post("/v1/measurements/void",
                         {**choice(story, stream, account, start, end, properties), "dryRun": True})
    bill, = dry["bills"]
    assert (dry["count"], bill["before"], bill["after"]) == (int(number), before, after), dry


@sentence("the <stream> of <account> from <start> to <end>[ with <properties>] are taken back by <name>")
def void_many(story, stream, account, start, end, properties, name):
    dry = story.api.post("/v1/measurements/void",
                         {**choice(story, stream, account, start, end, properties), "dryRun": True})
    story.voids[name] = story.api.post("/v1/measurements/void", {"token": dry["token"]})["id"]


@sentence("<name> is reverted")
def revert(story, name):
    story.api.post(f"/v1/voids/{story.voids[name]}/revert", None)


@sentence("<id> is amended to <value>[ on <date>]")
def amend(story, id, value, date):
    story.events[id].update(value=value, **({"ts": moment(date)} if date else {}))
    body = {key: story.events[id][key] for key in ("uniqueId", "value", "ts")}
    story.api.post("/v1/measurements/amend", [body])


@sentence("the server is killed")
def kill(story):
    story.api.server.kill9()
    story.api.server.start()


@sentence("the server is restarted")
def restart(story):
    story.api.server.restart()


# ---- what must be true

def bill_of(story, account, date, **query):
    return story.api.bill(story.own(account), at=moment(date), **query)


@sentence("<account> owes <amount> on <date>")
def owes(story, account, amount, date):
    got = bill_of(story, account, date)["amountDue"]
    assert got == amount, f"owes {got}"


@sentence("the bill of <account> on <date> says <charge>[ for <group>]: <usage> -> <amount>")
def says(story, account, date, charge, group, usage, amount):
    lines = [line for line in bill_of(story, account, date)["lines"] if line.get("charge") == charge
             and (group is None or group in (line.get("group") or {}).values())]
    got = [(line["usage"], line["amount"]) for line in lines]
    assert got == [(usage, amount)], f"says {got}"


@sentence("the bill of <account> on <date> runs from <start> to <end>")
def runs(story, account, date, start, end):
    got = bill_of(story, account, date)["period"]
    assert got == {"start": moment(start), "end": moment(end)}, f"runs {got}"


@sentence("<meter> of <account> from <start> to <end> is <value>")
def measured(story, meter, account, start, end, value):
    row, = story.api.usage(story.own(meter), account=story.own(account), window="total",
                           **{"from": moment(start), "to": moment(end)})["data"]
    assert row["value"] == value, f"is {row['value']}"


# ---- invoices

def change_answer(story, account, route, body, date):
    """What the change would come to when it is asked for on that date."""
    return story.api.post(f"/v1/subscriptions/{quote(story.own(account))}/{route}", {**body, "dryRun": True},
                          query={"ratedAt": moment(date)})


def invoiced(invoice):
    return invoice["subtotal"]


@sentence("changing <account> to <plan> on <date> would cost <amount>")
def would_cost(story, account, plan, date, amount):
    body = {"plan": story.own(plan), "effectiveAt": moment(date)}
    got = invoiced(change_answer(story, account, "change", body, date)["invoice"])
    assert got == amount, f"would cost {got}"


@sentence("canceling <account> on <date>[ with <credit> credit] would cost <amount>")
def canceling_costs(story, account, date, credit, amount):
    body = {"at": moment(date), **({"credit": "none"} if credit == "no" else {})}
    got = invoiced(change_answer(story, account, "cancel", body, date)["invoice"])
    assert got == amount, f"would cost {got}"


@sentence("on <date> the next invoice of <account> is <amount> on <when>")
def next_invoice(story, date, account, amount, when):
    data = story.api.get(f"/v1/accounts/{quote(story.own(account))}/upcomingInvoice",
                         query={"ratedAt": moment(date)})["data"]
    got = [(invoice["at"], invoice["total"]) for invoice in data]
    assert got == [(moment(when), amount)], f"is {got}"
