# SPDX-License-Identifier: Apache-2.0
"""The life of a subscription out of its log: which document counts when, what it holds, when it rests, when it
ends, and the periods that all of that is cut into."""
from dataclasses import dataclass, field

import calendars
from exact import exact, instant

FOREVER = 1 << 62


# ---- documents

def merge(document, patch):
    """RFC 7396, in which charges and discounts are objects by id: null takes one away, a new id adds one."""
    if not isinstance(patch, dict):
        return patch
    made = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if name in ("charges", "discounts") and isinstance(made.get(name, []), list) and isinstance(value, dict):
            made[name] = merge_list(made.get(name, []), value)
        elif value is None:
            made.pop(name, None)
        else:
            made[name] = merge_member(made.get(name), value)
    return made


def merge_member(document, patch):
    """Inside a member everything is by the letter."""
    if not isinstance(patch, dict):
        return patch
    made = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merge_member(made.get(name), value)
    return made


def merge_list(items, patch):
    made = []
    for item in items:
        if item["id"] not in patch:
            made.append(item)
        elif patch[item["id"]] is not None:
            made.append({**merge_member(item, patch[item["id"]]), "id": item["id"]})
    known = {item["id"] for item in items}
    return made + [{"id": id, **merge_member({}, value)} for id, value in patch.items()
                   if id not in known and value is not None]


# ---- calendars over changes

@dataclass
class Period:
    service: tuple   # what is billed together
    full: tuple      # the natural period, never the stub
    index: int       # 0 for the one that holds the start
    zone: str


@dataclass
class Era:
    rule: dict
    zone: str
    anchor: int      # instant whose local date and time the rule counts from
    start: int       # its first boundary
    first: tuple     # its first period in full
    index: int
    anchor_zone: str = None

    def boundaries(self):
        return calendars.Boundaries(self.rule, self.zone, self.anchor, self.anchor_zone)


class Calendar:
    """Periods without gap or overlap."""

    def __init__(self, rule, zone, start):
        self.start = start
        self.eras = [self.era(rule, zone, start, 0)]

    @staticmethod
    def era(rule, zone, at, index):
        boundaries = calendars.Boundaries(rule, zone, at)
        number = boundaries.holding(at)
        return Era(rule, zone, at, at, (boundaries.at(number), boundaries.at(number + 1)), index, zone)

    def era_at(self, at):
        return [era for era in self.eras if era.start <= at or era is self.eras[0]][-1]

    def period(self, at):
        """The one that holds `at`."""
        era = self.era_at(at)
        later = next((other.start for other in self.eras if other.start > era.start), FOREVER)
        if at < era.first[1]:
            return Period((era.start, min(era.first[1], later)), era.first, era.index, era.zone)
        boundaries = era.boundaries()
        number = boundaries.holding(at)
        full = boundaries.at(number), boundaries.at(number + 1)
        index = era.index + 1 + number - boundaries.holding(era.first[1])
        return Period((full[0], min(full[1], later)), full, index, era.zone)

    def change_zone(self, at, zone):
        """The running period keeps its end; the next begins there and ends at the first boundary of the new zone
        that is more than half a period later."""
        last = self.eras[-1]
        if at <= self.start or at == last.start:
            self.eras[-1] = self.era(last.rule, zone, last.start, last.index)
            return
        if len(self.eras) > 1 and at < last.start:  # it was to begin at the end of this period: not any more
            self.eras.pop()
        last = self.eras[-1]
        if last.zone == zone:
            return
        running = self.period(at)
        begin = running.full[1]
        first = calendars.Boundaries(last.rule, zone, last.anchor, last.anchor_zone).first_from(begin)
        self.eras.append(Era(last.rule, zone, last.anchor, begin, first, running.index + 1, last.anchor_zone))

    def change_rule(self, at, rule):
        """The running period ends, and a new calendar begins."""
        zone = self.eras[-1].zone
        if self.eras[-1].rule == rule:
            return
        if self.eras[-1].start > at:
            self.eras.pop()
        running = self.period(at)
        index = running.index + (running.service[0] < at)
        if self.eras[-1].start == at:
            index = self.eras.pop().index
        self.eras.append(self.era(rule, zone, at, index))

    def next_boundary(self, at):
        return self.period(at).service[1]


# ---- the log

@dataclass
class Change:
    kind: str        # terms, cancel, pause, resume, migrate
    at: int          # from when it counts
    recorded: int    # when it became known
    body: dict = field(default_factory=dict)


@dataclass
class Term:
    """A stretch under one effective document."""
    start: int
    end: int
    plan_id: str
    version: int
    document: dict
    since: int       # the first instant under that plan id
    patches: list    # of its phase and of the subscription, which the document has

    def terms(self):
        return self.plan_id, self.version, self.patches


class Timeline:
    """versions: {(plan id, version): document}; in_force(plan id, instant) -> version; zones: [(from, zone)]."""

    def __init__(self, first, log, versions, zones, known_at=FOREVER):
        self.first, self.versions = first, versions
        self.log = sorted((change for change in log if change.recorded <= known_at), key=lambda change: change.at)
        self.zones = [pair for pair in zones if pair[0] <= known_at]
        self.starts = instant(first["startsAt"])
        self.find_end([change for change in log if change.recorded <= known_at])
        self.stretches = self.fold_stretches()
        self.quantities = self.fold_quantities()
        self.pauses = self.fold_pauses()
        self.terms, self.calendar = [], None
        self.fold_terms()

    def find_end(self, log):
        """The last that was recorded says when it ends."""
        self.ends = instant(self.first["endsAt"]) if "endsAt" in self.first else FOREVER
        self.credits = True
        for change in log:
            if change.kind == "cancel":
                self.ends, self.credits = change.at, change.body.get("credit", "prorated") == "prorated"
            elif change.kind == "end":
                self.ends, self.credits = change.body["endsAt"], True

    def fold_stretches(self):
        """[(from, {plan, version, overrides, phases, quantities})]"""
        now = {"plan": self.first["plan"], "version": self.first["planVersion"],
               "overrides": self.first.get("overrides"), "phases": self.first.get("phases"),
               "quantities": dict(self.first.get("quantities", {}))}
        made = [(self.starts, now)]
        for change in self.log:
            if change.at >= self.ends or change.kind not in ("terms", "migrate"):
                continue
            body, now = change.body, dict(now)
            if change.kind == "migrate" and (now["plan"], now["version"]) != (body["plan"], body["from"]):
                continue
            if "plan" in body or "planVersion" in body:
                plan = body.get("plan", now["plan"])
                if plan != now["plan"]:
                    now["phases"] = now["overrides"] = None
                now["plan"], now["version"] = plan, body["planVersion"]
            if "overrides" in body:
                now["overrides"] = body["overrides"]
            now["quantities"] = {**now["quantities"], **body.get("quantities", {})}
            made.append((change.at, now))
        return made

    def fold_quantities(self):
        """{name: [(from, value)]}"""
        made = {}
        for at, state in self.stretches:
            for name, value in state["quantities"].items():
                history = made.setdefault(name, [])
                if history and history[-1][0] == at:
                    history.pop()
                history.append((at, exact(value)))
        return made

    def fold_pauses(self):
        """[(from, to, whether usage is free)]"""
        made, running = [], None
        for change in self.log:
            if change.at >= self.ends:
                continue
            if change.kind == "pause" and running is None:
                running = change
            elif change.kind == "resume" and running is not None:
                made.append((running.at, change.at, running.body.get("usage") == "free"))
                running = None
        if running is not None:
            made.append((running.at, self.ends, running.body.get("usage") == "free"))
        return [pause for pause in made if pause[0] < pause[1]]

    # ---- terms: from instant to instant at which something else may count

    def fold_terms(self):
        at = self.starts
        while at < self.ends:
            term, phase_end = self.term_from(at)
            last = self.terms[-1] if self.terms else None
            if last is not None:
                last.end = at
            if last is not None and last.terms() == term.terms():
                last.end = self.ends
            else:
                self.terms.append(term)
            at = min([self.ends, phase_end] + [begin for begin, _ in self.stretches if begin > at]
                     + [begin for begin, _ in self.zones if begin > at])

    def term_from(self, at):
        state = [state for begin, state in self.stretches if begin <= at][-1]
        since = next((term.since for term in self.terms if term.plan_id == state["plan"]), at)
        version, document = state["version"], self.versions[state["plan"], state["version"]]
        self.turn(at, document)
        phase, phase_end = self.phase(state["phases"] or document.get("phases") or [], since, at)
        patches = [{}, state["overrides"] or {}]
        if phase is not None:  # a plan's comes before what is agreed with one customer, an own one after it
            version = phase.get("planVersion", version)
            patches[0] = phase.get("overrides") or {}
            if state["phases"]:
                patches.reverse()
        document = self.versions[state["plan"], version]
        for patch in patches:
            document = merge(document, patch)
        self.turn(at, document)
        return Term(at, self.ends, state["plan"], version, document, since, patches), phase_end

    def zone(self, document, at):
        zones = [zone for begin, zone in self.zones if begin <= at] or [self.zones[0][1]]
        return document.get("timeZone") or zones[-1] or "UTC"

    def turn(self, at, document):
        """The calendar as the document wants it from here on."""
        rule, zone = rule_of(document), self.zone(document, at)
        if self.calendar is None:
            self.calendar = Calendar(rule, zone, at)
        elif zone != self.calendar.eras[-1].zone:
            self.calendar.change_zone(at, zone)
        self.calendar.change_rule(at, rule)

    def phase(self, phases, since, at):
        """(the phase that holds `at`, its end), counted from the first instant under the plan."""
        begin = since
        for phase in phases:
            end = FOREVER
            if "until" in phase:
                end = instant(phase["until"])
            elif "periods" in phase:
                end = begin
                for _ in range(phase["periods"]):
                    if end < self.ends:
                        end = self.calendar.next_boundary(end)
            if at < end:
                return phase, end
            begin = max(begin, end)
        return None, FOREVER

    def period(self, at):
        """Clipped to the end of the subscription."""
        period = self.calendar.period(at)
        period.service = (period.service[0], min(period.service[1], self.ends))
        return period


def unchanged(plan, subscription, zone):
    """The timeline of a subscription that never changes."""
    first = {"planVersion": 1, **subscription}
    return Timeline(first, [], {(first["plan"], first["planVersion"]): plan}, [(-FOREVER, zone)])


def rule_of(document):
    rule = document.get("period", {})
    return {"every": int(rule.get("every", 1)), "unit": rule.get("unit", "month"),
            "anchor": rule.get("anchor", "calendar")}
