# SPDX-License-Identifier: Apache-2.0
"""Deeds at random on one account of a test project: usage, late and taken back, invoices by hand and by runs, payments,
voids, credit notes, credit, charges, changes of subscriptions, tax, settings. After each of them the books agree with
each other; in the end all is billed, earned and expired. A seed that fails is run again with SEED=… STEPS=…"""
import datetime as dt
import itertools
import os
import random
from decimal import Decimal

import pytest
from clock import set_clock, test_project as project_folder
from test_revenue import all_of, waited

BEGIN = dt.datetime(2031, 1, 1, tzinfo=dt.timezone.utc)
ZONES = ("UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia")
PLACES = {"USD": 2, "JPY": 0, "KWD": 3}
SEEDS = [int(os.environ["SEED"])] if "SEED" in os.environ else [1, 2]
STEPS = int(os.environ.get("STEPS", 50))
WEIGHTS = {"use": 8, "take_back": 3, "amend": 1, "advance": 4, "to_boundary": 4, "run": 3, "bill": 4, "drafts": 1,
           "pay": 4, "void": 3, "write_off": 1, "credit_note": 3, "grant": 3, "pack": 1, "revoke": 1, "adjust": 1,
           "charge": 2, "one_off": 2, "change": 3, "pause": 1, "resume": 1, "cancel": 0.5, "subscribe": 0.7,
           "settings": 0.7, "tax": 0.5, "accrual": 3, "expiry": 1, "foresee": 2}


def written(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    def __init__(self, api, seed):
        self.api, self.random = api, random.Random(seed)
        self.numbers = itertools.count()
        self.now = BEGIN
        self.currency = self.random.choice(list(PLACES))
        self.events, self.voids, self.subscriptions = [], [], []
        self.is_usual = True  # billed by hand, late usage on the next invoice
        set_clock(api, written(BEGIN))
        self.make()

    # ---- what there is

    def amount(self, minor):
        return f"{Decimal(minor).scaleb(-PLACES[self.currency]):f}"

    def plan(self, id, *charges, **members):
        document = {"currency": self.currency, "charges": charges, **members}
        self.api.publish(id, document, effective="2030-01-01T00:00:00Z")

    def make(self):
        amount, api = self.amount, self.api
        for meter, aggregation in (("calls", "sum"), ("top", "max")):
            api.meter(meter, aggregation)
        tiers = [{"upTo": "50", "unitPrice": amount(40)}, {"unitPrice": amount(20)}]
        fee = {"id": "fee", "model": "flat", "amount": amount(3100), "timing": "advance"}
        support = {"id": "support", "model": "flat", "amount": amount(999)}
        seats = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": amount(501), "timing": "advance",
                 "onDecrease": "credit"}
        usage = {"id": "calls", "meter": "calls", "taxCategory": "soft"}
        calls = {**usage, "model": "perUnit", "unitPrice": amount(37)}
        top = {"id": "top", "meter": "top", "model": "perUnit", "unitPrice": amount(13)}
        self.plan("plain", fee, calls)
        self.plan("volume", fee, seats, support, dict(usage, model="volume", tiers=tiers),
                  minimum={"amount": amount(6000)})
        self.plan("tiers", dict(usage, model="graduated", tiers=tiers, included="7"), top, seats,
                  maximum={"amount": amount(5000)}, discounts=[{"id": "d", "percent": "10", "periods": 3}])
        self.plan("ahead", fee, dict(usage, model="graduated", tiers=tiers),
                  invoiceThreshold={"amount": amount(1500)})
        self.plan("term", calls, top, seats, commitment={"amount": amount(9000), "trueUp": True,
                                                         "term": {"every": 3, "unit": "month"}})
        self.rates = self.random.choice([[], ["vat"], ["vat", "city"], ["city", "vat"]])
        inclusive = self.random.random() < 0.4
        api.put("/v1/taxRates/vat", {"percent": "19", "inclusive": inclusive})
        api.put("/v1/taxRates/city", {"percent": "2.375", "categories": ["soft"], "inclusive": inclusive})
        api.put("/v1/legalEntity", {"taxRounding": self.random.choice(["rate", "line", "lineRate", "invoice"])})
        api.put("/v1/packs/pack", {"currency": self.currency, "amount": amount(5000), "price": amount(4321),
                                   "validDays": 40})
        self.zone = self.random.choice(ZONES)
        self.account("taxable")
        self.settings("manual", "nextInvoice")
        self.do_subscribe()

    def account(self, status):
        self.api.put("/v1/accounts/ada", {"currency": self.currency, "taxRates": self.rates, "timeZone": self.zone,
                                          "taxStatus": status})

    def settings(self, billing, late):
        self.is_usual = (billing, late) == ("manual", "nextInvoice")
        self.api.put("/v1/settings", {"billing": billing, "lateUsage": late, "recomputeHorizonDays": 3000})

    def call(self, method, path, body=None):
        answer = self.api.call(method, path, body, headers={"Idempotency-Key": f"deed-{next(self.numbers)}"})
        assert answer.status < 500, f"{method} {path} {body}: {answer}"
        return answer

    def invoices(self, *states):
        return [row for row in all_of(self.api, "/v1/invoices", account="ada") if not states or row["status"] in states]

    def any_of(self, rows):
        return self.random.choice(rows) if rows else None

    def past(self, days):
        seconds = min(self.random.randint(0, days * 86400), int((self.now - BEGIN).total_seconds()))
        return written(self.now - dt.timedelta(seconds=seconds))

    def when(self, name):
        if self.random.random() < 0.4:
            return {}
        ahead = dt.timedelta(days=self.random.randint(1, 40))
        return {name: self.past(45) if self.random.random() < 0.7 else written(self.now + ahead)}

    def move(self, to):
        self.now = to
        for id in self.api.post("/v1/testClock/advance", {"to": written(to)})["runs"]:
            waited(self.api, self.api.get(f"/v1/runs/{id}"))

    def run(self, kind, may_fail=False):
        done = waited(self.api, self.call("POST", "/v1/runs", {"kind": kind}).json)
        items = all_of(self.api, f"/v1/runs/{done['id']}/items", status="failed") if done["failed"] else []
        assert done["status"] == "succeeded" and (may_fail or not items), items

    # ---- deeds: each may be refused

    def do_use(self):
        sent = []
        for _ in range(self.random.randint(1, 4)):
            self.events.append(f"event-{next(self.numbers)}")
            sent.append({"meter": self.random.choice(["calls", "calls", "top"]), "account": "ada",
                         "uniqueId": self.events[-1], "value": self.random.randint(1, 60),
                         "ts": self.past(70 if self.random.random() < 0.3 else 3)})
        self.api.send(sent)

    def do_take_back(self):
        if self.voids and self.random.random() < 0.3:
            self.call("POST", f"/v1/voids/{self.random.choice(self.voids)}/revert")
        elif self.events:
            some = self.random.sample(self.events, min(len(self.events), 2))
            void = self.api.post("/v1/measurements/void", {"uniqueIds": some})["id"]
            self.voids += [void] if void else []

    def do_amend(self):
        if self.events:
            amended = {"uniqueId": self.random.choice(self.events), "value": str(self.random.randint(0, 50))}
            self.call("POST", "/v1/measurements/amend", [amended | {"ts": self.past(50)}])

    def do_advance(self):
        self.move(self.now + dt.timedelta(hours=self.random.randint(1, 400)))

    def do_to_boundary(self):
        month = (self.now.replace(day=1, hour=0, minute=0, second=0) + dt.timedelta(days=32)).replace(day=1)
        self.move(month + dt.timedelta(seconds=self.random.choice([0, 1, 26 * 3600])))

    def do_run(self):
        self.run("billing", may_fail=True)

    def do_bill(self):
        draft = self.call("POST", "/v1/accounts/ada/invoices")
        if draft.status == 200:
            final = self.call("POST", f"/v1/invoices/{draft.json['id']}/finalize")
            assert final.status != 200 or final.json["total"] == draft.json["total"], (draft, final)

    def do_drafts(self):
        self.call("POST", "/v1/accounts/ada/invoices")
        for row in self.invoices("draft"):
            self.call("POST", f"/v1/invoices/{row['id']}/finalize")

    def do_pay(self):
        row = self.any_of(self.invoices("finalized", "uncollectible"))
        if row:
            most = max(1, int(Decimal(row["amountRemaining"]).scaleb(PLACES[self.currency]) * 3 / 2))
            body = {} if self.random.random() < 0.4 else {"amount": self.amount(self.random.randint(1, most))}
            self.call("POST", f"/v1/invoices/{row['id']}/pay", body)

    def do_void(self):
        row = self.any_of(self.invoices("finalized", "paid", "draft"))
        if row:
            self.call("POST", f"/v1/invoices/{row['id']}/void")

    def do_write_off(self):
        row = self.any_of(self.invoices("finalized"))
        if row:
            self.call("POST", f"/v1/invoices/{row['id']}/writeOff")

    def do_credit_note(self):
        row = self.any_of(self.invoices("finalized", "paid"))
        if not row:
            return
        apply = self.random.choice(["invoice", "balance", "refund"])
        body = {"invoice": row["id"], "reasonCode": "goodwill", "apply": apply}
        lines = [(line["number"], abs(int(Decimal(line["amount"]).scaleb(PLACES[self.currency]))))
                 for line in self.api.get(f"/v1/invoices/{row['id']}")["document"]["lines"] if Decimal(line["amount"])]
        if lines and self.random.random() < 0.6:
            some = self.random.sample(lines, self.random.randint(1, len(lines)))
            body["lines"] = [{"line": line, "amount": self.amount(self.random.randint(1, most))} for line, most in some]
        self.call("POST", "/v1/creditNotes", body)

    def do_grant(self):
        kind, amount = self.random.choice(["paid", "promotional"]), self.random.randint(1, 6000)
        body = {"account": "ada", "currency": self.currency, "amount": self.amount(amount), "kind": kind,
                "creditTiming": self.random.choice(["beforeTax", "afterTax"]), "priority": self.random.randint(-1, 1),
                "effectiveAt": written(self.now + dt.timedelta(days=self.random.randint(-40, 20))),
                "expiresAt": written(self.now + dt.timedelta(days=self.random.randint(21, 60))),
                "appliesTo": self.random.choice([None, None, {"charges": ["calls"]}, {"charges": ["fee"]}])}
        if kind == "paid":
            body |= {"price": self.amount(self.random.randint(0, amount)),
                     "paidBy": self.random.choice(["external", "external", "customerBalance"])}
        self.call("POST", "/v1/grants", body)

    def do_pack(self):
        self.call("POST", "/v1/packs/pack/buy", {"account": "ada"})

    def do_revoke(self):
        row = self.any_of(all_of(self.api, "/v1/grants", account="ada"))
        if row:
            mode = self.random.choice(["forfeit", "refund", "refundToBalance"])
            self.call("POST", f"/v1/grants/{row['id']}/revoke", {"mode": mode})

    def do_adjust(self):
        amount = self.amount(self.random.choice([-1, 1]) * self.random.randint(1, 1500))
        target = self.random.choice(["wallet", "customerBalance"])
        self.call("POST", "/v1/adjustments", {"account": "ada", "currency": self.currency, "amount": amount,
                                              "reasonCode": "x", "target": target})

    def do_charge(self):
        key, amount = str(next(self.numbers)), self.amount(self.random.randint(1, 900))
        collect = self.random.choice(["wallet", "invoice"])
        self.call("POST", "/v1/charges", {"account": "ada", "currency": self.currency, "chargeKey": key,
                                          "amount": amount, "collect": collect})

    def do_one_off(self):
        amounts = [self.random.choice([1, 1, 1, -1]) * self.random.randint(1, 4000) for _ in range(2)]
        lines = [{"description": "x", "amount": self.amount(amount)} for amount in amounts]
        made = self.call("POST", "/v1/invoices", {"account": "ada", "currency": self.currency, "lines": lines})
        if self.random.random() < 0.8:
            self.call("POST", f"/v1/invoices/{made.json['id']}/finalize")

    def terms(self):
        plan = self.random.choice(["plain", "volume", "tiers", "ahead", "term"])
        seats = {"quantities": {"seats": self.random.randint(0, 6)}}
        return {"plan": plan, **(seats if plan in ("volume", "tiers", "term") else {})}

    def do_subscribe(self):
        if len(self.subscriptions) < 3:
            id = f"sub-{len(self.subscriptions)}"
            wanted = {"account": "ada", "startsAt": self.past(20), **self.terms()}
            made = self.call("PUT", f"/v1/subscriptions/{id}", wanted)
            self.subscriptions += [id] if made.status < 300 else []  # two may not bill the same usage

    def change(self, what, body):
        self.call("POST", f"/v1/subscriptions/{self.random.choice(self.subscriptions)}/{what}", body)

    def do_change(self):
        self.change("change", self.terms() | self.when("effectiveAt"))

    def do_pause(self):
        self.change("pause", {"usage": self.random.choice(["billed", "free"])} | self.when("at"))

    def do_resume(self):
        self.change("resume", self.when("at"))

    def do_cancel(self):
        self.change("cancel", self.when("at"))

    def do_settings(self):
        self.settings(self.random.choice(["manual", "automatic"]),
                      self.random.choice(["nextInvoice", "creditNote", "reopen"]))

    def do_tax(self):
        self.account(self.random.choice(["taxable", "exempt", "reverseCharge"]))
        percent = str(self.random.randint(1, 25))
        self.call("PUT", "/v1/taxRates/vat", {"percent": percent, "effectiveFrom": self.past(20)})

    def do_accrual(self):
        self.run("accrual", may_fail=True)

    def do_expiry(self):
        self.run("expiry", may_fail=True)

    def do_foresee(self):
        """What is shown of the next invoice is what is billed when its time has come."""
        if not self.is_usual:
            return
        self.run("billing", may_fail=True)
        foreseen = self.api.get("/v1/accounts/ada/upcomingInvoice")["data"]
        if not foreseen or foreseen[0]["at"] <= written(self.now):
            return
        self.move(dt.datetime.fromisoformat(foreseen[0]["at"].replace("Z", "+00:00")))
        draft = self.call("POST", "/v1/accounts/ada/invoices").json
        final = self.call("POST", f"/v1/invoices/{draft['id']}/finalize").json["document"]
        for member in ("at", "subtotal", "tax", "total", "credits", "balanceUsed", "toBalance", "lines"):
            assert foreseen[0][member] == final[member], member

    # ---- what always holds

    def ledger(self, kind):
        return sum(Decimal(row["balance"]) for row in all_of(self.api, "/v1/ledger/accounts", kind=kind))

    def check(self):
        for total in self.api.get("/v1/ledger/trialBalance")["totals"]:
            assert Decimal(total["difference"]) == 0, total
        rows = self.invoices()
        assert self.ledger("receivable") == sum(Decimal(row["amountRemaining"]) for row in rows
                                                if row["status"] == "finalized")
        for row in rows:
            assert Decimal(row["amountRemaining"]) >= 0 and Decimal(row["total"]) >= 0, row
        assert self.ledger("customerBalance") <= 0 and self.ledger("wallet") <= 0
        for balance in self.api.get("/v1/accounts/ada/wallet")["balances"]:
            assert Decimal(balance["expectedDraw"]) >= 0 and Decimal(balance["available"]) >= 0, balance
        self.run("reconcile")

    def step(self):
        deed, = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        print(written(self.now), deed)
        getattr(self, f"do_{deed}")()
        self.check()

    def billed(self):
        """What documents have of each line of the subscriptions, but for what was given as goodwill."""
        sums, lines = {}, {}
        for row in self.invoices("finalized", "paid", "uncollectible"):
            lines[row["id"]] = self.api.get(f"/v1/invoices/{row['id']}")["document"]["lines"]
            for line in lines[row["id"]]:
                key = line["subscription"], line["charge"] or line["kind"], line["period"]["start"]
                sums[key] = sums.get(key, 0) + Decimal(line["amount"]) + Decimal(line["discount"])
        for note in all_of(self.api, "/v1/creditNotes"):
            for part in note["lines"] if note["reasonCode"] == "lateUsage" else []:
                line = lines[note["invoice"]][part["line"] - 1]
                included = sum(Decimal(tax["tax"]) for tax in line["taxes"] if tax["inclusive"])
                key = line["subscription"], line["charge"] or line["kind"], line["period"]["start"]
                sums[key] = None if included or sums[key] is None else sums[key] - Decimal(part["amount"])
        return {key: sum for key, sum in sums.items() if key[0] and sum != 0}

    def bills(self):
        sums = {}
        for id in self.subscriptions:
            at = self.api.get(f"/v1/subscriptions/{id}")["startsAt"]
            while (answer := self.call("GET", f"/v1/subscriptions/{id}/bill?at={at}")).status == 200:
                for line in answer.json["lines"]:
                    key = id, line["charge"] or line["kind"], line["period"]["start"]
                    sums[key] = sums.get(key, 0) + Decimal(line["amount"]) + Decimal(line["discount"])
                at = answer.json["period"]["end"]
        return {key: sum for key, sum in sums.items() if sum != 0}

    def end(self):
        """Everything is over: all is billed, what was deferred is earned, credit has expired."""
        self.settings("manual", "nextInvoice")
        for id in self.subscriptions:
            self.call("POST", f"/v1/subscriptions/{id}/cancel", {})
        for _ in range(4):
            self.move(self.now + dt.timedelta(days=32))
            for kind in ("billing", "billing", "accrual", "expiry"):
                self.run(kind)
            self.check()
        assert self.call("POST", "/v1/accounts/ada/invoices").code == "nothing_due"
        assert (self.ledger("deferred"), self.ledger("unbilled")) == (0, 0)
        assert self.api.get("/v1/reconciliation", query={"state": "open"})["data"] == []
        for row in all_of(self.api, "/v1/grants", account="ada"):
            assert row["expiresAt"] is None or Decimal(row["remaining"]) == 0, row
        billed, bills = self.billed(), self.bills()
        assert {key: sum for key, sum in billed.items() if sum is not None} == \
               {key: sum for key, sum in bills.items() if billed.get(key, 0) is not None}
        self.run("sweep")


@pytest.mark.skipif("SHORT" in os.environ and "TEST_BOOKS" in os.environ,
                    reason="done with books in a file; make api-mariadb does it on a server too")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_agree_whatever_happens(fresh, tmp_path, seed):
    api = fresh(data=project_folder(tmp_path))
    world = World(api, seed)
    for _ in range(STEPS):
        world.step()
    world.end()
    api.server.stop()
    assert "clean" in api.server.verify()
    api.server.start()
