# SPDX-License-Identifier: Apache-2.0
"""What happens to an account in the simulated year, sent and noted. What may be done, and what it comes to, is said
by the oracle beforehand; the answer has to agree, refusals too."""
import copy

from calendars import DAY
from exact import instant, money
from year_books import Drawing, DrawLine, units
from year_check import must
from year_plans import PACKS
from year_world import Rule

REASONS = ["goodwill", "outage", "billing-error"]
METHODS = ["wire", "card"]
VOID_DAYS = 45  # longer ago, what came late could be too late for the invoice that replaces a void one


class Deeds:
    def __init__(self, account, send, clock):
        self.account, self.send, self.clock = account, send, clock

    def set_up(self):
        one, now = self.account, self.clock.now()
        self.send.must("PUT", f"/v1/accounts/{one.id}", one.body())
        for id, body in one.first_subscriptions(now):
            self.send.must("PUT", f"/v1/subscriptions/{id}", body)
            one.subscribed(id, body)
        if one.chance(0.5):
            self.rule()

    def round(self, since):
        one = self.account
        for share, deed in ((0.12, self.change), (0.10, self.grant), (0.05, self.buy), (0.12, self.charge),
                            (0.2, self.wallet_charge), (0.5, self.top_up), (0.04, self.rule), (0.7, self.pay),
                            (0.05, self.void_invoice), (0.06, self.write_off), (0.08, self.credit_note),
                            (0.06, self.adjust), (0.03, self.revoke)):
            if one.chance(share):
                deed()
        if one.chance(0.15):
            self.correct(since)

    def refused(self, what, answer, code):
        """code: the oracle's, None when it is to be done."""
        must(answer.code == code if code else answer.status < 300, f"{what} {code or 'done'} by the oracle: {answer!r}")
        self.account.done[f"{what} refused" if code else what] += 1
        return code is not None

    def must(self, what, method, path, body=None, key=None):
        """It can be done."""
        answer = self.send.call(method, path, body, key)
        self.refused(what, answer, None)
        return answer.json

    def change(self):
        made = self.account.change(self.clock.now())
        if made is None:
            return
        one, action, body = made
        answer = self.send.call("POST", f"/v1/subscriptions/{one.id}/{action}",
                                {**body, "changeId": self.account.name("change")})
        self.account.done[action if answer.status < 300 else f"{action} refused"] += 1
        if answer.status < 300:
            self.account.changed(one, action, body, instant(answer.json["change"]["recordedAt"]))
        else:  # it may not be so: the log stays as it is
            must(answer.status in (409, 422), f"{action} of {one.id} {body}: {answer!r}")

    # ---- credit

    def grant(self):
        one = self.account
        answer = self.must("grant", "POST", "/v1/grants", one.grant(self.clock.now()), one.name("grant"))
        one.granted(answer)
        one.add(one.cash, ("external", answer["currency"]), units(answer["price"]))

    def buy(self):
        """A pack, paid elsewhere or by the customer's balance, as far as that goes."""
        one = self.account
        bought = one.some_currency()
        id = one.random.choice([id for id, pack in PACKS.items() if pack["currency"] == bought])
        pack, payer = PACKS[id], one.random.choice(["external", "customerBalance"])
        price, currency = units(pack["price"]), pack["currency"]
        answer = self.send.call("POST", f"/v1/packs/{id}/buy", {"account": one.id, "paidBy": payer}, one.name("buy"))
        is_short = payer == "customerBalance" and price > one.balance.get(currency, 0)
        if self.refused("pack", answer, "insufficient_balance" if is_short and price > 0 else None):
            return
        grant = one.granted(answer.json)
        wanted = (units(pack["amount"]), price, pack.get("priority", 0), "paid" if price else "promotional",
                  tuple(pack.get("appliesTo", {}).get("charges", ())), price == 0)
        got = grant.amount, grant.price, grant.priority, grant.kind, grant.charges, grant.before_tax
        must(got == wanted, f"{wanted} was bought: {answer.json}")
        must(grant.expires == grant.effective + pack["validDays"] * DAY if "validDays" in pack
             else answer.json["expiresAt"] is None, f"{pack} was bought: {answer.json}")
        if payer == "external":
            one.add(one.cash, ("external", currency), price)
        else:
            one.add(one.balance, currency, -price)

    def available(self, currency):
        wallet = self.send.get(f"/v1/accounts/{self.account.id}/wallet")
        return sum(units(row["available"]) for row in wallet["balances"] if row["currency"] == currency)

    def wallet_charge(self):
        """Which grants pay is the engine's word; that they could, and how much, is checked."""
        one, currency = self.account, self.account.some_currency()
        body = {"account": one.id, "currency": currency, "amount": one.amount(currency, 0, 9),
                "chargeKey": one.name("wallet"), "collect": "wallet"}
        before = self.available(currency)
        if before == 0 and one.chance(0.7):
            return
        answer = self.send.call("POST", "/v1/charges", body)
        after = self.available(currency)
        if answer.code == "insufficient_balance":
            must(after == before, f"{before} was available, {after} is after {answer!r}")
            one.done["charge to a wallet refused"] += 1
            return
        must(answer.status < 300, f"{body}: {answer!r}")
        must(after == before - units(body["amount"]), f"{before} was available, {after} is after {answer.json}")
        taken, id, now = 0, answer.json["id"], instant(answer.json["at"])
        for entry in self.send.all(f"/v1/accounts/{one.id}/wallet/entries", currency=currency):
            if id in entry["source"]:
                grant, drawn = one.grants[entry["grant"]], -units(entry["amount"])
                must(0 < drawn <= grant.left and grant.effective <= now < grant.expires and not grant.charges,
                     f"{grant} paid {drawn} of {answer.json}")
                must(-units(entry["cost"]) == grant.cost(grant.drawn + drawn) - grant.cost(grant.drawn),
                     f"the cost of {entry} of {grant}")
                grant.drawn, taken = grant.drawn + drawn, taken + drawn
        must(taken == units(body["amount"]), f"{taken} was taken for {answer.json}")
        one.add(one.extra, currency, -taken)
        one.done["charge to a wallet"] += 1
        self.low(currency, after)

    def low(self, currency, available):
        """The wallet has paid."""
        one = self.account
        one.low(currency, available)
        got = {row["rule"]: units(row["amount"]) for row in self.pending()}
        must(got == one.top_ups, f"top-ups {one.top_ups} wait by the oracle, with {available} left: {got}")

    def pending(self):
        return [row for row in self.send.all("/v1/topUps", account=self.account.id) if row["state"] == "pending"]

    def rule(self):
        """A new one, or one of other amounts, or switched off."""
        one, currency = self.account, self.account.some_currency()
        id = one.random.choice([*one.rules, f"rule-{one.index}-{len(one.rules)}"])
        currency = one.rules[id].currency if id in one.rules else currency
        threshold = one.amount(currency, 5, 60)
        more = {"amount": one.amount(currency, 5, 90)} if one.chance(0.5) else \
            {"target": money(units(threshold) + units(one.amount(currency, 1, 50)), currency)}
        body = {"account": one.id, "currency": currency, "threshold": threshold, "enabled": one.chance(0.8), **more}
        self.send.must("PUT", f"/v1/topUpRules/{id}", body)
        one.rules[id] = Rule(currency, units(threshold), units(more.get("amount", "0")),
                             units(more.get("target", "0")), body["enabled"])

    def top_up(self):
        """Somebody takes the money for those that wait."""
        one = self.account
        for row in self.pending() if one.top_ups else ():
            answer = self.must("top-up", "POST", f"/v1/topUps/{row['id']}/complete", None, one.name("topUp"))
            grant = one.granted(answer)
            must(grant.amount == grant.price == one.top_ups.pop(row["rule"]) and grant.kind == "paid",
                 f"{row} became {answer}")
            one.add(one.cash, ("external", grant.currency), grant.price)

    def revoke(self):
        one = self.account
        held = [grant for grant in one.grants.values() if grant.left > 0]
        if held:
            grant, mode = one.random.choice(held), one.random.choice(["forfeit", "refund", "refundToBalance"])
            answer = self.must(f"revoke {mode}", "POST", f"/v1/grants/{grant.id}/revoke", {"mode": mode},
                               one.name("revoke"))
            value = grant.price - grant.cost(grant.drawn)
            must(units(answer["value"]) == value, f"{value} was paid for the rest of {grant}: {answer}")
            grant.drawn, grant.expires = grant.amount, instant(answer["grant"]["expiresAt"])
            if mode == "refund":
                one.add(one.cash, ("external", grant.currency), -value)
            else:
                one.add(one.balance if mode == "refundToBalance" else one.breakage, grant.currency, value)

    def adjust(self):
        """Customer's balance or wallet, to the customer or from him: neither goes below zero."""
        one, currency = self.account, self.account.some_currency()
        sign, target = one.random.choice([1, 1, -1]), one.random.choice(["customerBalance", "wallet"])
        amount, reason = sign * units(one.amount(currency, 1, 9)), one.random.choice(REASONS)
        body = {"account": one.id, "currency": currency, "amount": money(amount, currency), "target": target,
                "reasonCode": reason, "note": "As agreed"}
        answer = self.send.call("POST", "/v1/adjustments", body, one.name("adjust"))
        if target == "customerBalance":
            code = "insufficient_balance" if one.balance.get(currency, 0) + amount < 0 else None
            if not self.refused("adjustment", answer, code):
                one.add(one.balance, currency, amount)
                one.add(one.reasons, (reason, currency), amount)
        elif amount > 0:
            self.refused("adjustment", answer, None)
            self.wallet_given(answer.json, amount)
        else:
            self.wallet_taken(answer, -amount, currency, reason)

    def wallet_given(self, answer, amount):
        one, currency = self.account, answer["currency"]
        row, = [row for row in self.send.all("/v1/grants", account=one.id)
                if row["origin"] == f"adjustment:{answer['id']}"]
        grant = one.granted(row)
        must((grant.amount, grant.price, grant.charges) == (amount, amount, ()), f"{answer} made {row}")
        one.add(one.reasons, (answer["reasonCode"], currency), amount)

    def wallet_taken(self, answer, amount, currency, reason):
        """Of what is in force, in order of draw; the ledger had only what was paid for it."""
        one = self.account
        at = instant(answer.json["at"]) if answer.status < 300 else self.clock.now()
        grants = [copy.copy(grant) for grant in one.grants.values() if grant.currency == currency and grant.left > 0]
        drawing = Drawing([DrawLine(None, at, at, amount, None)], grants)
        drawing.draw(True)
        drawing.draw(False)
        is_short = sum(drawing.by_grant().values()) < amount
        if self.refused("adjustment of a wallet", answer, "insufficient_balance" if is_short else None):
            return
        for id, drawn in drawing.by_grant().items():
            grant = one.grants[id]
            one.add(one.reasons, (reason, currency), grant.cost(grant.drawn) - grant.cost(grant.drawn + drawn))
            grant.drawn += drawn

    # ---- invoices

    def charge(self):
        one, currency = self.account, self.account.some_currency()
        body = {"account": one.id, "currency": currency, "amount": one.amount(currency, 1, 40),
                "chargeKey": one.name("charge")}
        answer = self.must("charge", "POST", "/v1/charges", body)
        one.charges[body["chargeKey"]] = currency, units(body["amount"]), instant(answer["at"])

    def pay(self):
        """All of it, a part, or too much; sometimes what was given up already."""
        one = self.account
        for invoice in one.unpaid():
            if invoice.is_lost and not one.chance(0.3):
                continue
            currency, whole = invoice.row["currency"], invoice.remaining
            amount = one.random.choice([whole] * 6 + [(whole + 1) // 2, whole + 500])
            method = one.random.choice(METHODS)
            what = "payment after write-off" if invoice.is_lost else "payment" if amount >= whole else "part payment"
            answer = self.must(what, "POST", f"/v1/invoices/{invoice.id}/pay",
                               {"amount": money(amount, currency), "method": method}, one.name("pay"))
            invoice.paid += min(amount, whole)
            invoice.remaining -= min(amount, whole)
            invoice.is_lost, invoice.is_touched = False, True
            must(answer["status"] == invoice.status(), f"{invoice.status()} by the oracle: {answer}")
            one.add(one.balance, currency, amount - min(amount, whole))
            one.add(one.cash, (method, currency), amount)

    def write_off(self):
        """Nobody will pay it."""
        one = self.account
        open = [invoice for invoice in one.invoices.values() if not invoice.is_void]
        if open:
            owed = [invoice for invoice in open if invoice.remaining > 0]
            if not owed and one.chance(0.8):
                return
            invoice = one.random.choice(owed or open)
            answer = self.send.call("POST", f"/v1/invoices/{invoice.id}/writeOff")
            if not self.refused("write-off", answer, "invoice_state" if invoice.status() == "paid" else None):
                invoice.is_lost = True

    def void_invoice(self):
        """The newest that may be void; its boundary is the next one again."""
        one = self.account
        recent = [invoice for invoice in one.unpaid()
                  if invoice.since > self.clock.now() - VOID_DAYS * DAY]
        if recent:
            invoice = ([one for one in recent if one.may_be_void()] or recent)[-1]
            answer = self.send.call("POST", f"/v1/invoices/{invoice.id}/void")
            if answer.code == "invoice_has_payments" and invoice.restores:
                return  # what it gave back to the wallet was used since
            code = "invoice_state" if invoice.is_lost else "invoice_has_payments" if invoice.is_touched else None
            if not self.refused("void", answer, code):
                one.freed(invoice)

    def credit_note(self):
        """Of an invoice or some of its lines: to the wallet what credit had paid, the rest off what remains of it, to
        the customer's balance, or as money that goes back."""
        one = self.account
        some = [invoice for invoice in one.invoices.values() if not invoice.is_void and one.rest_of(invoice)]
        if not some:
            return
        apply = one.random.choice(["invoice", "balance", "refund"])
        if apply == "invoice" and one.chance(0.8):
            some = [invoice for invoice in some if invoice.remaining > 0] or some
        elif one.chance(0.3):  # another one, of an invoice that the balance has paid
            some = [invoice for invoice in some if invoice.balanced and invoice.balance_used] or some
        invoice = one.random.choice(some)
        body = {"invoice": invoice.id, "reasonCode": "goodwill", "apply": apply}
        wanted = one.rest_of(invoice)
        if one.chance(0.6):
            wanted = {place: one.part_of(wanted[place])
                      for place in one.random.sample(sorted(wanted), min(len(wanted), one.random.randint(1, 3)))}
            body["lines"] = [{"line": place + 1, "amount": money(wanted[place], invoice.row["currency"])}
                             for place in sorted(wanted)]
        answer = self.send.call("POST", "/v1/creditNotes", body, one.name("note"))
        code = "invoice_state" if invoice.is_lost else None if invoice.takes(wanted, apply) else "field_invalid"
        if not self.refused(f"credit note to {apply}", answer, code):
            one.credited(invoice, wanted, apply, answer.json)

    # ---- usage

    def correct(self, since):
        """Takes some of its newest usage back, or says it again."""
        one = self.account
        sent = one.correctable(since)
        if not sent:
            return
        event = one.random.choice(sent)
        if one.chance(0.5) or "value" not in event:
            self.send.must("POST", "/v1/measurements/void", {"uniqueIds": [event["uniqueId"]]})
            one.journal.void([event["uniqueId"]])
        else:
            body = {"uniqueId": event["uniqueId"], "value": one.random.randint(1, 900)}
            self.send.must("POST", "/v1/measurements/amend", [body])
            one.journal.amend(body)
        one.events.remove(event)
        one.touched.append(instant(event["ts"]))
