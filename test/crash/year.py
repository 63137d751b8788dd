#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A simulated year: accounts with mixed plans live through twelve months on a server that is killed every few
seconds, and at each month's end everything is compared with an oracle, to the cent.

In each month: usage with repetitions, late usage, voids and amendments, changes of plans and quantities, pauses,
ends, grants, packs, top-ups, one-off charges, payments whole and in part, void invoices, invoices written off, credit
notes of lines, adjustments. Then a billing run, while usage goes on, and
runs of every other kind. After each step the trial balance is zero; after each run every new invoice is the oracle's,
the invoices of every period that is over come to its last bill, no number is missing, nobody is billed twice; at the
end `toll verify` is clean.

`servers` are two on the same MariaDB, the second without usage of its own: clients take turns between them, and
either one is killed.

    N=accounts (2000)   MONTHS=12   SEED=number   ENGINES=sqlite,mariadb,servers
    LATE_POLICY=nextInvoice, creditNote or reopen (the seed says)
    KILL=seconds between kills (2; 0: none)   KEEP=1 keeps the data directories
"""
import contextlib
import mmap
import os
import random
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "api"), str(ROOT / "test" / "model"), str(ROOT / "tools")]
import mariadb  # noqa: E402
from calendars import DAY, HOUR  # noqa: E402
from client import Api, Server  # noqa: E402
from second import Peer  # noqa: E402
from year_books import units  # noqa: E402
import year_check  # noqa: E402
from year_check import Wrong, must  # noqa: E402
from year_deeds import Deeds  # noqa: E402
from year_plans import METERS, PACKS, TAX_RATES  # noqa: E402
from year_world import MINUTE, PLANS, Account, month_start  # noqa: E402

LIBRARY = os.environ.get("YEAR_CLOCK_SO", str(ROOT / "build/test/crash/year_clock.so"))
CLIENTS = 4
KINDS = ["billing", "accrual", "expiry", "reconcile", "sweep"]
RUN = 10 * HOUR  # behind the month's end; from 6 hours on there is no midnight in any of the zones
ANSWER_SECONDS = 120  # a watchdog: kills, starts and waits for a lock in between
KNOWN_SECONDS = 3   # until every server knows the accounts that usage names
AGAIN = {408, 429, 500, 502, 503, 504}


class Clock:
    """What the servers take for the time of day."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="toll-year-")
        self.file.write(bytes(8))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), 8)

    def set(self, us):
        struct.pack_into("q", self.map, 0, us // 1_000_000 - int(time.time()))

    def now(self):
        return (int(time.time()) + struct.unpack_from("q", self.map, 0)[0]) * 1_000_000


class Clocked:
    """A server that runs by the clock of the year."""
    clock = None

    def start(self, wait=True):
        """As a supervisor does it: once more when it ended because the books were busy or away."""
        began = time.monotonic()
        while True:
            try:
                return self.start_once(wait)
            except AssertionError:
                busy = self.process is not None and "(store_busy)" in self.log_tail(300)
                if not busy or time.monotonic() - began > ANSWER_SECONDS:
                    raise
                self.process = None

    def start_once(self, wait):
        os.environ.update(LD_PRELOAD=os.path.abspath(LIBRARY), YEAR_CLOCK=self.clock.file.name)
        try:
            return super().start(wait)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["YEAR_CLOCK"]


class YearServer(Clocked, Server):
    pass


class YearPeer(Clocked, Peer):
    """Of the same books, without usage of its own."""


class Killer:
    """Kills one of the servers every few seconds, and starts it again."""

    def __init__(self, servers, seconds, seed):
        self.servers, self.seconds, self.random = servers, seconds, random.Random(seed)
        self.kills, self.error = 0, None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.ended.wait(self.seconds * (0.3 + 1.4 * self.random.random())):
                server = self.random.choice(self.servers)
                server.kill9()
                self.kills += 1
                if self.random.random() < 0.15:  # while it recovers
                    server.start(wait=False)
                    time.sleep(0.1 * self.random.random())
                    server.kill9()
                    self.kills += 1
                server.start()
        except BaseException as error:  # told by whoever waits for answers
            self.error = error

    def __enter__(self):
        if self.seconds > 0:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
            for server in self.servers:  # a server ends with the thread that started it
                server.kill9()
                server.start()
        if self.error is not None:
            raise self.error


class Sender:
    """Sends until it is answered: everything may be sent again."""

    def __init__(self, servers):
        self.apis = [Api(server, key=servers[0].key) for server in servers]
        self.turn = 0
        self.resent = 0

    def call(self, method, path, body=None, key=None, query=None):
        headers = {"Idempotency-Key": key} if key else None
        began = time.monotonic()
        while True:
            self.turn += 1
            api, last = self.apis[self.turn % len(self.apis)], None
            try:
                last = api.call(method, path, body, query=query, headers=headers)
                if last.status not in AGAIN and last.code != "idempotency_key_running":
                    return last
            except (OSError, EOFError, ValueError, HTTPException) as error:
                last = error
            must(time.monotonic() - began < ANSWER_SECONDS, f"{method} {path}: no answer but {last!r}")
            self.resent += 1
            time.sleep(0.05)

    def get(self, path, **query):
        answer = self.call("GET", path, query=query or None)
        must(answer.status == 200, f"GET {path}: {answer!r}")
        return answer.json

    def must(self, method, path, body=None, key=None):
        answer = self.call(method, path, body, key)
        must(answer.status < 300, f"{method} {path} {body}: {answer!r}")
        return answer.json

    def all(self, path, **query):
        rows, cursor = [], None
        while True:
            page = self.get(path, limit=1000, **query, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            cursor = page["nextCursor"]
            if cursor is None:
                return rows


# ---- the year

class Year:
    def __init__(self, servers, clock, count, seed):
        self.servers, self.clock, self.seed = servers, clock, seed
        self.random = random.Random(seed)
        self.rounding = self.random.choice(["rate", "line", "lineRate", "invoice"])
        self.accounts = {one.id: one for one in (Account(seed, i) for i in range(count))}
        self.policy = os.environ.get("LATE_POLICY") or self.random.choice(
            ["nextInvoice", "nextInvoice", "creditNote", "reopen"])
        for one in self.accounts.values():
            one.policy = self.policy
        self.known, self.wrong, self.checks, self.resent = set(), [], 0, 0
        self.closed = None  # up to when everything was billed
        self.expired = []
        self.late = os.environ.get("LATE", "1") == "1"

    def sender(self):
        return Sender(self.servers)

    def in_parallel(self, work):
        """work(sender, its accounts) in each client."""
        def one(number, send):
            try:
                work(send, list(self.accounts.values())[number::CLIENTS])
            except BaseException:
                self.wrong.append(traceback.format_exc())
        senders = [self.sender() for _ in range(CLIENTS)]
        threads = [threading.Thread(target=one, args=pair, daemon=True) for pair in enumerate(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.resent += sum(send.resent for send in senders)
        must(not self.wrong, "\n".join(self.wrong))

    def open(self):
        self.clock.set(month_start(0) + HOUR)
        send = self.sender()
        send.must("PUT", "/v1/legalEntity", {"legalName": "Year Ltd", "taxRounding": self.rounding})
        send.must("PUT", "/v1/settings", {"billing": "manual", "lateUsage": self.policy})
        for id, body in TAX_RATES.items():
            send.must("PUT", f"/v1/taxRates/{id}", body)
        for id, body in PACKS.items():
            send.must("PUT", f"/v1/packs/{id}", body)
        for meter in METERS:
            send.must("PUT", f"/v1/meters/{meter['id']}", meter)
        for id, plan in PLANS.items():
            send.must("PUT", f"/v1/plans/{id}", plan)
            send.must("POST", f"/v1/plans/{id}/publish", {"effectiveFrom": "2020-01-01T00:00:00Z"})
        self.in_parallel(lambda send, mine: [Deeds(one, send, self.clock).set_up() for one in mine])
        if len(self.servers) > 1:
            time.sleep(KNOWN_SECONDS)

    def use(self, send, mine, start, end, late_from=None):
        """In batches over many accounts."""
        for at in range(0, len(mine), 25):
            made = [(one, sent) for one in mine[at:at + 25] for sent in one.usage(start, end, late_from)]
            if not made:
                continue
            answer = send.must("POST", "/v1/measurements", [sent for _, sent in made])
            must(answer["accepted"] + answer["duplicates"] == len(made), f"{answer} for {made}")
            for one, sent in made:
                one.took(sent)

    def stage(self, start, end):
        self.clock.set(end)

        def live(send, mine):
            self.use(send, mine, start, end, end - 40 * DAY if self.late else None)
            for one in mine:
                Deeds(one, send, self.clock).round(end - 40 * DAY if self.late else start)
        self.in_parallel(live)
        self.check_trial()

    def run(self, month):
        """The invoices of everybody, while usage of the new month comes in."""
        end = month_start(month + 1)
        self.clock.set(end + RUN)
        begun = []

        def bill(send, mine):
            if not begun:
                begun.append(send)
                for kind in KINDS:
                    self.expired += self.run_kind(send, kind, month)
            else:
                quiet = [one for one in mine if not one.shares_fees() and not one.is_changed_within(end, end + RUN)]
                self.use(send, quiet, end + 6 * HOUR, end + RUN)
        self.in_parallel(bill)

    @staticmethod
    def run_kind(send, kind, month):
        """The items of one that ends well."""
        run = send.must("POST", "/v1/runs", {"kind": kind}, f"{kind}-{month}")
        while run["status"] not in ("succeeded", "failed", "canceled"):
            time.sleep(0.05)
            run = send.get(f"/v1/runs/{run['id']}")
        items = send.all(f"/v1/runs/{run['id']}/items", **({} if kind == "expiry" else {"status": "failed"}))
        must((run["status"], run["failed"]) == ("succeeded", 0), f"{run}: {items[:3]}")
        return items

    # ---- checks

    def check_trial(self):
        for total in self.sender().get("/v1/ledger/trialBalance")["totals"]:
            must(units(total["difference"]) == 0, f"the trial balance is not zero: {total}")

    def check(self):
        send, now = self.sender(), self.clock.now()
        rows = send.all("/v1/invoices")
        notes = send.all("/v1/creditNotes")
        year_check.check_numbers(rows, "INV")
        year_check.check_numbers(notes, "CN")
        self.check_late_notes(notes)
        new = sorted((row for row in rows if row["id"] not in self.known), key=lambda row: row["number"])
        documents = {}

        def read(send, mine):
            ids = {one.id for one in mine}
            documents.update({row["id"]: send.get(f"/v1/invoices/{row['id']}") for row in new if row["account"] in ids})
        self.in_parallel(read)
        for row in new:
            year_check.check_invoice(self.accounts[row["account"]], documents[row["id"]], self.rounding, now)
            self.known.add(row["id"])
        year_check.check_rows(self.accounts, rows)
        for account in self.accounts.values():
            year_check.check_billed(account, now)
            year_check.check_boundaries(account)
            year_check.expire(account, now)
        if self.policy == "reopen":
            year_check.check_open(self.accounts, send.all("/v1/reconciliation", state="open"), now)
        year_check.check_expired(self.accounts, self.expired)
        year_check.check_top_ups(self.accounts, send.all("/v1/topUps"))
        year_check.check_grants(self.accounts, send.all("/v1/grants"))
        year_check.check_ledger(self.accounts, send.get("/v1/ledger/trialBalance"), {
            kind: send.all("/v1/ledger/accounts", kind=kind) for kind in ("receivable", "customerBalance", "wallet")})
        self.checks += len(new) + len(self.accounts) + 1
        self.closed = now
        return len(new)

    def check_late_notes(self, notes):
        """They come with the run, before its invoices."""
        late = {}
        for note in sorted(notes, key=lambda note: note["number"]):
            if note["reasonCode"] == "lateUsage" and note["id"] not in self.known:
                late.setdefault(note["account"], []).append(note)
                self.known.add(note["id"])
        must(not late or self.policy == "creditNote", f"notes of late usage: {late}")
        for one in self.accounts.values() if self.policy == "creditNote" else ():
            year_check.check_late_notes(one, late.get(one.id, []), self.closed)

    def live(self, months, seconds):
        self.open()
        with Killer(self.servers, seconds, self.seed) as killer:
            for month in range(months):
                began = time.monotonic()
                start = month_start(month)
                self.stage(start + 12 * HOUR, start + 10 * DAY)
                self.stage(start + 10 * DAY, start + 25 * DAY)
                ran = time.monotonic()
                self.run(month)
                ran = time.monotonic() - ran
                made = self.check()
                print(f"  month {month + 1}: {made} invoices, {killer.kills} kills so far, "
                      f"{time.monotonic() - began:.1f} s, the run {ran:.1f} s", flush=True)
        return killer.kills


def live_on(engine, count, months, seed, seconds, kind=Year, books=None):
    """books: of the address that the server was made with, the one that it is started with."""
    clock = Clocked.clock = Clock()
    clock.set(month_start(0) + 30 * MINUTE)
    server = YearServer(seal_bits=12)
    server.books = books(server.books) if books else server.books
    servers = [server]
    try:
        server.start()
        if engine == "servers":
            servers.append(YearPeer(server))
            servers[1].start()
        one = kind(servers, clock, count, seed)
        print(f"{engine}: {count} accounts, {months} months, seed {seed}, late usage: {one.policy}", flush=True)
        kills = one.live(months, seconds)
        proof = one.sender().get("/v1/ledger/verify")
        must(proof["clean"], f"verify: {proof}")
        for server in reversed(servers):
            server.stop()
        servers[0].verify()
        done = sum((account.done for account in one.accounts.values()), Counter())
        print("  " + ", ".join(f"{what} {done[what]}" for what in sorted(done)), flush=True)
        invoices = sum(len(account.invoices) for account in one.accounts.values())
        print(f"total year {engine}: {one.checks} passed, 0 failed ({invoices} invoices, {kills} kills, "
              f"{one.resent} requests sent again)", flush=True)
    except BaseException:
        for server in servers:
            print(server.log_tail(1500), file=sys.stderr)
        raise
    finally:
        for server in servers:
            server.remove()


@contextlib.contextmanager
def engine_of(name):
    """The books of the servers made meanwhile."""
    if name == "sqlite":
        yield
        return
    with mariadb.server() as one:
        os.environ["TEST_BOOKS"] = one.address()
        try:
            yield
        finally:
            del os.environ["TEST_BOOKS"]


def main():
    count = int(os.environ.get("N") or 2000)
    months = int(os.environ.get("MONTHS") or 12)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    seconds = float(os.environ.get("KILL") or 2)
    failed = 0
    for engine in (os.environ.get("ENGINES") or "sqlite,mariadb,servers").split(","):
        if engine != "sqlite" and mariadb.found() is None:
            print("year: no mariadbd here: left out")
            continue
        try:
            with engine_of(engine):
                live_on(engine, count, months, seed, seconds)
        except Exception as error:
            failed += 1
            print(f"{error if isinstance(error, Wrong) else traceback.format_exc()}\n"
                  f"total year {engine}: 0 passed, 1 failed (SEED={seed})", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
