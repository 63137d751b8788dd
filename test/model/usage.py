# SPDX-License-Identifier: Apache-2.0
"""Events, verdicts and what meters make of them: every aggregation by its definition, over all events."""
import hashlib
import json
from fractions import Fraction

import calendars
from exact import ONE, ZERO, ceiling, exact, instant, show, to_places

PER = {"second": calendars.SECOND, "hour": calendars.HOUR, "day": calendars.DAY}
KINDS = {"string": 1, "number": 2, "bool": 3, "null": 4, "json": 5}


# ---- events

def property_of(value):
    """(kind, text): what identity has, and the text that filters and groups go by."""
    if isinstance(value, str):
        return ("string", value)
    if value is None:
        return ("null", "null")
    if isinstance(value, bool):
        return ("bool", "true" if value else "false")
    if isinstance(value, (dict, list)):
        return ("json", json.dumps(canonical(value), sort_keys=True))
    return ("number", show(exact(value)))


def canonical(value):
    if isinstance(value, dict):
        return {key: canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [canonical(part) for part in value]
    return list(property_of(value))


class Event:
    __slots__ = ("uid", "event", "account", "value", "ts_given", "ts", "properties", "sequence", "gone", "number")

    def __init__(self, sent, sequence, arrival=None):
        self.uid = sent["uniqueId"]
        self.event = sent["meter"]
        self.account = sent["account"]
        self.value = exact(sent.get("value", 1))
        self.ts_given = "ts" in sent
        self.ts = instant(sent["ts"]) if self.ts_given else arrival
        self.properties = {key: property_of(value) for key, value in sent.get("properties", {}).items()}
        self.sequence = sequence
        self.gone = []   # [sequence of the void, of its revert or None]
        self.number = None  # its digest, once somebody asked

    def content(self):
        return (self.event, self.account, self.value, self.properties)

    def text(self, key):
        """What filters and groups see; None when absent."""
        found = self.properties.get(key)
        return None if found is None else found[1]

    def counts_at(self, upto):
        if not self.gone:
            return upto is None or self.sequence <= upto
        if upto is None:
            return not any(revert is None for _, revert in self.gone)
        return self.sequence <= upto and not any(void <= upto and (revert is None or revert > upto)
                                                 for void, revert in self.gone)

    def order(self):
        return (self.ts, self.uid.encode())

    def digest(self):
        if self.number is None:
            self.number = int.from_bytes(hashlib.blake2b(self.bytes(), digest_size=32).digest(), "big")
        return self.number

    def bytes(self):
        """The canonical form: every variable part is counted, so no two different events have the same."""
        scaled = (self.value * 10 ** 12).numerator
        properties = b""
        if self.properties:
            properties = varint(len(self.properties)) + b"".join(
                counted(key) + bytes([KINDS[kind]]) + counted(text)
                for key, (kind, text) in sorted(self.properties.items(), key=lambda item: item[0].encode()))
        return b"".join((b"\x01", counted(self.event), counted(self.account),
                         varint(scaled * 2 if scaled >= 0 else -scaled * 2 - 1), counted(properties),
                         counted(self.uid), self.ts.to_bytes(8, "big", signed=True)))


def varint(number):
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7f | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def counted(part):
    part = part if isinstance(part, bytes) else part.encode()
    return varint(len(part)) + part


def matches(terms, event):
    """Every key present with one of its values; no terms match everything."""
    return all(event.text(key) in values for key, values in (terms or {}).items())


def counts(meter, event):
    return (event.event == meter.get("event", meter["id"]) and matches(meter.get("filter"), event)
            and not any(matches(terms, event) for terms in meter.get("exclude", ())))


def decimal_in(event, key):
    """The decimal in a property; None when there is none."""
    kind, text = event.properties.get(key, ("null", ""))
    return exact(text) if kind in ("number", "string") else None


# ---- aggregations: what the events of one window and group come to

class Window:
    """[start, end); a gauge runs up to `until`, not in the holes; an average is over `length`."""
    __slots__ = ("start", "end", "until", "zone", "length", "holes")

    def __init__(self, start, end, until=None, zone="UTC", length=None, holes=()):
        self.start, self.end, self.until, self.zone, self.holes = start, end, until, zone, holes
        self.length = end - start if length is None else length

    def running(self, start, end):
        return max(0, end - start) - sum(max(0, min(end, finish) - max(start, begin)) for begin, finish in self.holes)


class Aggregate:
    """value is a Fraction or None; events, of the window, includes the ignored. `before`: those ahead of it, for
    the kinds that look back."""

    def __init__(self, meter, events, window=None, before=()):
        self.meter, self.every = meter, events
        self.taken = [pair for pair in map(self.measure, events) if pair is not None]
        self.before = [pair for pair in map(self.measure, before) if pair is not None]
        self.value = self.fold(window)
        self.rated = ZERO if self.value is None else self.value
        self.events, self.ignored = len(events), len(events) - len(self.taken)

    def measure(self, event):
        """(event, what is measured of it); None when the meter ignores it."""
        meter, key = self.meter, self.meter.get("property", "value")
        operation = event.properties.get(meter.get("operationProperty"), ("null", ""))
        if operation[0] != "null" and operation[1] not in ("add", "remove", ""):
            return None
        if meter["aggregation"] == "count":
            return event, event.value
        if key == "value":
            return event, show(event.value) if meter["aggregation"] == "uniqueCount" else event.value
        found = event.properties.get(key)
        if found is None or found[0] == "null" or found[1] == "":
            return None
        if meter["aggregation"] == "uniqueCount":
            return event, found[1]
        number = decimal_in(event, key)
        return None if number is None else (event, number)

    def fold(self, window):
        if "window" not in self.meter:
            if window is None:
                return fold(self.meter["aggregation"], self.taken, self.meter)
            return slice_value(self.meter, self.before, self.taken, window)
        rule, values = self.meter["window"], []
        for start, end in calendars.windows(rule["unit"], window.start, window.end, window.zone):
            inside = [pair for pair in self.taken if start <= pair[0].ts < end]
            if not inside and looks_back(self.meter) and window.until is not None and start >= window.until:
                continue  # T has not reached it
            earlier = self.before + [pair for pair in self.taken if pair[0].ts < start]
            value = slice_value(self.meter, earlier, inside, Window(start, end, window.until, window.zone,
                                                                    holes=window.holes))
            if value is not None:
                values.append((None, value))
        if rule["aggregation"] == "latest":
            return values[-1][1] if values else None
        return fold(rule["aggregation"], values, self.meter)

    def priced(self, charge):
        """(event, value), for an eventPrice (event, value, what it says it costs), by time."""
        if charge["model"] != "eventPrice":
            return in_order(self.taken)
        kind = self.meter["aggregation"]  # one that counts measures 1, one that compares texts no value
        values = {event.uid: ONE if kind == "count" else ZERO if kind == "uniqueCount" else value
                  for event, value in self.taken}
        return [(event, values.get(event.uid, ZERO), decimal_in(event, charge["property"]) or ZERO)
                for event in sorted(self.every, key=Event.order)]

    def digest(self):
        return sum(event.digest() for event in self.every) % 2 ** 256

    def shown(self, kind):
        if self.value is None:
            return None
        text = show(self.value)
        return show(to_places(self.value, 12, "halfEven")) if kind == "average" or "/" in text else text


def slice_value(meter, before, taken, window):
    """One stretch of time: None where nothing was measured and nothing is not 0."""
    if meter["aggregation"] == "timeWeighted":
        return time_weighted(meter, in_order(before), in_order(taken), window)
    if meter["aggregation"] == "uniqueCount":
        return there(meter, in_order((before if meter.get("carryOver") else []) + taken))
    return fold(meter["aggregation"], (before if meter.get("carryOver") else []) + taken, meter)


def time_weighted(meter, before, taken, window):
    """Level x time, up to T and outside of holes: the opening level is the last one before, else 0."""
    level = opening_level(meter, before)
    end = window.end if window.until is None else min(window.end, window.until)
    at, area = window.start, ZERO
    for event, value in taken:
        area += level * window.running(at, min(event.ts, end))
        at, level = event.ts, level + value if meter.get("input") == "change" else value
    area += level * window.running(at, end)
    per = meter.get("per", "second")
    return area / (PER[per] if per != "period" else window.length)


def opening_level(meter, before):
    if meter.get("input") == "change":
        return sum((value for _, value in before), ZERO)
    return in_order(before)[-1][1] if before else ZERO


def there(meter, taken):
    """Distinct texts; one that was removed last is not there."""
    found = set()
    for event, text in taken:
        if event.text(meter.get("operationProperty")) == "remove":
            found.discard(text)
        else:
            found.add(text)
    return Fraction(len(found))


def in_order(pairs):
    """By time, ties by the id's bytes, never by arrival."""
    return sorted(pairs, key=lambda pair: pair[0].order())


def fold(kind, taken, meter):
    values = [value for _, value in taken]
    if kind == "count":
        return Fraction(len(taken))
    if kind == "uniqueCount":
        return Fraction(len(set(values)))
    if kind == "sum":
        return sum(values, ZERO)
    if not taken:
        return None
    if kind == "min":
        return min(values)
    if kind == "max":
        return max(values)
    if kind == "average":
        return sum(values, ZERO) / len(values)
    if kind == "latest":
        return max(taken, key=lambda pair: pair[0].order())[1]
    if kind == "percentile":  # nearest rank
        rank = ceiling(exact(meter["percentile"]) * len(values) / 100)
        return sorted(values)[max(1, int(rank)) - 1]
    raise ValueError(kind)


def looks_back(meter):
    return meter["aggregation"] == "timeWeighted" or bool(meter.get("carryOver"))


def group_key(values):
    """Group-key order: null first, then by bytes."""
    return tuple((value is not None, (value or "").encode()) for value in values)


def of_accounts(meter, events, window, before):
    """Levels of several accounts are kept apart, and are one sum."""
    made = Aggregate(meter, events, window, before)
    accounts = {event.account for event in [*events, *before]}
    if meter["aggregation"] == "timeWeighted" and meter.get("input", "level") == "level" and len(accounts) > 1:
        made.value = made.rated = sum((Aggregate(
            meter, [event for event in events if event.account == account], window,
            [event for event in before if event.account == account]).rated for account in accounts), ZERO)
    return made


def split_by(events, keys):
    parts = {}
    for event in events:
        parts.setdefault(tuple([event.text(key) for key in keys]), []).append(event)
    return parts


def groups(meter, events, group_by, window=None, before=()):
    """[(group, Aggregate)] in group-key order; without group_by exactly one."""
    if not group_by:
        return [((), of_accounts(meter, events, window, before))]
    inside, earlier = split_by(events, group_by), split_by(before, group_by)
    return [(key, of_accounts(meter, inside.get(key, []), window, earlier.get(key, ())))
            for key in sorted({**inside, **earlier}, key=group_key)]


# ---- what was sent

class Void:
    def __init__(self, number, events):
        self.number, self.events, self.is_reverted = number, events, False


class Journal:
    """All that was accepted, and what was taken back, in the order of its sequences."""

    def __init__(self):
        self.ids = {}
        self.events = []
        self.by_account = {}
        self.meters = {}
        self.streams = set()
        self.sequence = 0
        self.unknown = "rejected"

    def declare(self, meter):
        self.meters[meter["id"]] = meter
        self.streams.add(meter.get("event", meter["id"]))

    def take(self, sent, arrival=None):
        """The verdict of one event, and what it changes."""
        if sent["meter"] not in self.streams:
            return "rejected"
        event = Event(sent, self.sequence + 1, arrival)
        stored = self.ids.get(event.uid)
        if stored is None:
            self.store(event)
            return "accepted"
        same = stored.content() == event.content()
        if same and stored.ts_given and event.ts_given and stored.ts != event.ts:
            same = False
        return "duplicate" if same else "conflict"

    def store(self, event):
        self.sequence += 1
        event.sequence = self.sequence
        self.ids[event.uid] = event
        self.events.append(event)
        self.by_account.setdefault(event.account, []).append(event)

    def chosen(self, account, terms):
        """The ids of one account's events that a filter holds for and that still count."""
        start, end = (instant(terms.get(name, other)) for name, other in (("from", "0001-01-01T00:00:00Z"),
                                                                          ("to", "9999-01-01T00:00:00Z")))
        wanted = {key: [property_of(value)[1] for value in (values if isinstance(values, list) else [values])]
                  for key, values in terms.get("properties", {}).items()}
        return [event.uid for event in self.by_account.get(account, ()) if event.counts_at(None)
                and start <= event.ts < end and terms.get("event", event.event) == event.event
                and matches(wanted, event)]

    def void(self, uids):
        """An appended retraction; ids that are void already are not voided twice. Nothing left is no void."""
        events = [self.ids[uid] for uid in dict.fromkeys(uids) if self.ids[uid].counts_at(None)]
        if events:
            self.sequence += 1
        for event in events:
            event.gone.append([self.sequence, None])
        return Void(self.sequence, events)

    def revert(self, void):
        """Once; the events count again but for those that another void holds or that were amended."""
        if void.is_reverted:
            return
        self.sequence += 1
        for event in void.events:
            for pair in event.gone:
                if pair[0] == void.number and pair[1] is None:
                    pair[1] = self.sequence
        void.is_reverted = True

    def amend(self, sent):
        """Retraction and replacement under the same id."""
        stored = self.ids[sent["uniqueId"]]
        event = Event({"uniqueId": stored.uid, "meter": stored.event, "account": stored.account}, 0, stored.ts)
        event.value = exact(sent["value"]) if "value" in sent else stored.value
        event.ts = instant(sent["ts"]) if "ts" in sent else stored.ts
        event.ts_given = True
        event.properties = stored.properties
        if "properties" in sent:
            event.properties = {key: property_of(value) for key, value in sent["properties"].items()}
        self.sequence += 1
        stored.gone.append([self.sequence, None])
        self.store(event)

    def select(self, meter, account, start, end, upto=None):
        events = self.events if account is None else self.by_account.get(account, ())
        return [event for event in events if start <= event.ts < end and event.counts_at(upto)
                and counts(meter, event)]

    def before(self, meter, account, start, upto=None):
        return self.select(meter, account, -10 ** 18, start, upto) if looks_back(meter) else []

    def usage(self, meter_id, account, spans, group_by=(), upto=None, zone="UTC"):
        """[(start, end, group, Aggregate)] in the order of the answer; the zone is that of a meter's own windows."""
        meter, rows = self.meters[meter_id], []
        for start, end in spans:
            rows += [(start, end, group, aggregate) for group, aggregate in
                     groups(meter, self.select(meter, account, start, end, upto), group_by,
                            Window(start, end, zone=zone), self.before(meter, account, start, upto))]
        return rows
