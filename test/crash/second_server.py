#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two servers on the same MariaDB books, one of them without usage, and kill -9 of either one.

Six clients ask whichever of the two they like, and ask again until they are answered. Each has accounts of its own
for usage, so it knows what every bill must be: an answer of either server is that to the cent, or it is no answer.
All of them charge the same wallets. After each kill, once both serve again: the trial balance is zero, wallets hold
what was granted less what was charged, no number of an invoice is missing or twice. Money goes on while the server
with the usage is down. At the end `toll verify` is clean.

    N=kills (20)   SEED=number   KEEP=1 keeps the data directories
"""
import collections
import os
import random
import sys
import threading
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "api"), str(ROOT / "tools")]
import mariadb  # noqa: E402
from client import Api, Server  # noqa: E402
from second import Peer  # noqa: E402

CLIENTS, WALLETS, PRICE = 6, 3, Decimal("0.25")
ANSWER_SECONDS = 120  # a watchdog
AT = {"at": "2026-06-20T00:00:00Z"}


class Fault(AssertionError):
    pass


def must(truth, text):
    if not truth:
        raise Fault(text)


class World:
    """Both servers, and what all clients together know."""

    def __init__(self, first, peer):
        self.servers = [first, peer]
        self.lock = threading.Lock()
        self.granted, self.charged = collections.Counter(), collections.Counter()
        self.invoices = {}       # id -> (number, total)
        self.alone = 0           # answers about money while the usage was away
        self.unreachable = 0     # refusals because the usage was away
        self.reads = 0           # bills that were compared

    def up(self, which):
        return self.servers[which].process is not None


class Client(threading.Thread):
    def __init__(self, world, name, seed):
        super().__init__(name=name)
        self.world, self.dice = world, random.Random(seed)
        self.apis = [Api(server, timeout=30) for server in world.servers]
        self.account = f"acct-{name}"
        self.events = self.made = 0
        self.fault = None
        self.going, self.resting = threading.Event(), threading.Event()
        self.ends = False

    def answer(self, method, path, body=None, **more):
        """Of either server, by chance, until one gives it."""
        late = time.monotonic() + ANSWER_SECONDS
        while True:
            must(time.monotonic() < late, f"{method} {path} was never answered")
            which = self.dice.randrange(2)
            try:
                answer = self.apis[which].call(method, path, body, **more)
            except (OSError, HTTPException):
                time.sleep(0.01)
                continue
            if answer.status not in (409, 503):
                if method == "POST" and not self.world.up(0):
                    self.world.alone += 1
                return answer
            if answer.code == "usage_owner_unreachable":
                self.world.unreachable += 1
            time.sleep(0.005)

    def use(self):
        count = self.dice.randint(1, 20)
        body = [{"uniqueId": f"{self.name}-{self.made + i}", "meter": "work", "account": self.account, "value": 1,
                 "ts": "2026-06-10T00:00:00Z"} for i in range(count)]
        answer = self.answer("POST", "/v1/measurements", body)
        must(answer.status == 202, f"usage: {answer}")
        must(answer.json["accepted"] + answer.json["duplicates"] == count, f"usage: {answer}")
        self.made += count
        self.events += count

    def look(self):
        answer = self.answer("GET", f"/v1/subscriptions/s-{self.account}/bill?at={AT['at']}")
        must(answer.status == 200, f"bill: {answer}")
        must(Decimal(answer.json["total"]) == PRICE * self.events,
             f"a bill of {answer.json['total']} for {self.events} events of {PRICE}")
        self.world.reads += 1

    def grant(self):
        self.made += 1
        wallet, amount = f"wallet{self.dice.randrange(WALLETS)}", self.dice.randint(1, 9)
        answer = self.answer("POST", "/v1/grants", {"account": wallet, "amount": str(amount), "kind": "paid",
                                                    "currency": "USD"},
                             headers={"Idempotency-Key": f"{self.name}-{self.made}"})
        must(answer.status == 201, f"grant: {answer}")
        with self.world.lock:
            self.world.granted[wallet] += amount

    def charge(self):
        self.made += 1
        wallet, amount = f"wallet{self.dice.randrange(WALLETS)}", self.dice.randint(1, 5)
        answer = self.answer("POST", "/v1/charges", {"account": wallet, "chargeKey": f"{self.name}-{self.made}",
                                                     "amount": str(amount), "currency": "USD", "collect": "wallet"})
        must(answer.status in (200, 201) or answer.code == "insufficient_balance", f"charge: {answer}")
        if answer.status != 402:
            with self.world.lock:
                self.world.charged[wallet] += amount

    def invoice(self):
        """One fee each, of an account of its own."""
        self.made += 1
        name = f"{self.name}-{self.made}"
        body = {"account": self.account, "currency": "USD", "lines": [{"description": name, "amount": "3.00"}]}
        made = self.answer("POST", "/v1/invoices", body, headers={"Idempotency-Key": name})
        must(made.status == 201, f"invoice: {made}")
        done = self.answer("POST", f"/v1/invoices/{made.json['id']}/finalize")
        must(done.status == 200, f"finalize: {done}")
        with self.world.lock:
            self.world.invoices[done.json["id"]] = (done.json["number"], done.json["total"])

    def run(self):
        try:
            while not self.ends:
                self.going.wait()
                if self.ends:
                    return
                self.resting.clear()
                self.dice.choice([self.use, self.use, self.look, self.look, self.grant, self.charge, self.charge,
                                  self.invoice])()
                self.resting.set()
        except BaseException as fault:  # told by the main thread
            self.fault = fault
        finally:
            self.resting.set()


def every(api, path):
    cursor = None
    while True:
        page = api.get(path, query={"limit": 1000, **({"cursor": cursor} if cursor else {})})
        yield from page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            return


def compare(world):
    for server in world.servers:
        api = Api(server)
        for row in api.get("/v1/ledger/trialBalance")["totals"]:
            must(Decimal(row["difference"]) == 0, f"trial balance: {row}")
        for i in range(WALLETS):
            held = sum(Decimal(one["posted"]) for one in api.get(f"/v1/accounts/wallet{i}/wallet")["balances"])
            known = world.granted[f"wallet{i}"] - world.charged[f"wallet{i}"]
            must(held == known, f"wallet{i} holds {held} and should hold {known}")
        rows = {row["id"]: row for row in every(api, "/v1/invoices")}
        for id, (number, total) in world.invoices.items():
            must((rows[id]["number"], rows[id]["total"]) == (number, total), f"invoice {id}: {rows[id]}")
        numbers = sorted(row["number"] for row in rows.values() if row["number"] is not None)
        must(len(set(numbers)) == len(numbers) == len(world.invoices), f"numbers: {numbers}")
        if numbers:
            digits = sorted(int(number.rpartition("-")[2]) for number in numbers)
            must(digits == list(range(digits[0], digits[0] + len(digits))), f"a number is missing: {numbers}")


def rest(clients):
    """All clients have finished what they were at."""
    for client in clients:
        client.going.clear()
    for client in clients:
        must(client.resting.wait(ANSWER_SECONDS + 30), f"{client.name} does not end")
        if client.fault is not None:
            raise client.fault


def ready(server):
    late = time.monotonic() + ANSWER_SECONDS
    while Api(server).call("GET", "/v1/measurements/outcomes").status != 200:
        must(time.monotonic() < late, "the usage is not reached")
        time.sleep(0.02)


def prepare(api, clients):
    api.meter("work")
    api.publish("plan", {"currency": "USD", "charges": [
        {"id": "work", "model": "perUnit", "meter": "work", "unitPrice": str(PRICE)}]})
    for client in clients:
        api.put(f"/v1/accounts/{client.account}", {"currency": "USD"})
        api.subscribe(f"s-{client.account}", client.account, "plan", "2026-06-01T00:00:00Z")
    for i in range(WALLETS):
        api.put(f"/v1/accounts/wallet{i}", {"currency": "USD"})


def campaign(world, clients, dice, kills):
    for kill in range(kills):
        for client in clients:
            client.resting.clear()
            client.going.set()
        time.sleep(dice.uniform(0.2, 1.0))
        which = dice.randrange(2)
        world.servers[which].kill9()
        time.sleep(dice.uniform(0.1, 1.0))
        world.servers[which].start()
        ready(world.servers[1])
        rest(clients)
        compare(world)


def run(seed, kills):
    first = Server(seal_bits=6)
    peer = Peer(first)
    world, dice = World(first, peer), random.Random(seed)
    clients = [Client(world, f"c{i}", seed * 100 + i) for i in range(CLIENTS)]
    try:
        first.start()
        peer.start()
        ready(peer)
        prepare(Api(peer), clients)
        for client in clients:
            client.start()
        campaign(world, clients, dice, kills)
        peer.stop()
        first.stop()
        print(first.verify().strip().splitlines()[-1])
    finally:
        for client in clients:
            client.ends = True
            client.going.set()
        for server in (peer, first):
            server.kill9()
            server.remove()
    must(world.reads > 0 and len(world.invoices) > 0, "nothing was compared")
    return world


def main():
    kills, seed = int(os.environ.get("N", "20")), int(os.environ.get("SEED", "1"))
    if mariadb.found() is None:
        print("second server: no mariadbd here; skipped")
        return 0
    with mariadb.server() as books:
        os.environ["TEST_BOOKS"] = books.address()
        world = run(seed, kills)
    print(f"total second server: {world.reads + len(world.invoices)} passed, 0 failed ({kills} kills, {world.reads} "
          f"bills and {len(world.invoices)} invoices compared, {sum(world.charged.values())} charged; {world.alone} "
          f"answers about money and {world.unreachable} refusals while the usage was away; SEED={seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
