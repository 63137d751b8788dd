# SPDX-License-Identifier: Apache-2.0
"""Random histories against the oracle, many at once.

histories.py --count N --seed S           so many, from that seed on, in two processes
histories.py --seed S --only K            one again, and the smallest part of it that still differs"""
import argparse
import math
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "api")]

import script  # noqa: E402  the path first
from client import Server  # noqa: E402
from play import Player, Stage  # noqa: E402
from shrink import Shrinking  # noqa: E402
from wire import Wire, encode  # noqa: E402
from world import World  # noqa: E402

FLOCK = 50         # histories that share their meters and travel together
FLOCKS_A_STORE = 20  # flocks that share a data directory
WORKERS = 2


def flock(seed, indices, prefix="@"):
    """{index: script} of a flock: its meters are `<prefix>m…`, the names of history i begin with `<prefix>i`, or with
    the prefix alone when there is one."""
    world = World(seed, f"{prefix}m", streams=[f"{prefix}m.s{i}" for i in range(3)])
    meters = []
    for stream in world.streams:
        meters += [world.meter(stream, plain=True), world.meter(stream), world.meter(stream)]
    return {index: script.write(f"{seed}/{index}", prefix if prefix == "@" else f"{prefix}{index}.", meters,
                                world.streams) for index in indices}


def play_flock(server, seed, count):
    """({index: what differed}, bills that were compared, histories that grew too large to be billed)"""
    players = [Player(made) for made in flock(seed, range(count), f"f{seed}.").values()]
    wire = Wire(server)
    stage = Stage(wire, players, seed)
    stage.declare()
    if random.Random(seed).random() < 0.1:
        stage.restart = server.kill9, server.start
    failures = stage.play()
    wire.close()
    return failures, sum(player.bills for player in players), stage.too_large


def seal_bits(seed):
    """A store seals after so many events: 16, or 4,096, or as many as in earnest."""
    return random.Random(seed).choice([4, 12, 20])


def play_stores(seeds, sizes, results, until):
    """In a process of its own: some flocks in one store after the other, none begun after `until`."""
    for at in range(0, len(seeds), FLOCKS_A_STORE):
        if time.monotonic() > until:
            break
        with Server(seal_bits=seal_bits(seeds[at])) as server:
            for seed in seeds[at:at + FLOCKS_A_STORE]:
                if time.monotonic() > until:
                    break
                results.put((seed, sizes[seed], *play_flock(server, seed, sizes[seed])))
            server.stop()
            server.verify()
    results.put(None)


class Totals:
    def __init__(self):
        self.histories = self.bills = self.too_large = 0
        self.failures = []  # (seed, index, what differed)


def run(count, seed, seconds=math.inf, show=print):
    """Plays `count` histories, or as many as fit the seconds."""
    until = time.monotonic() + seconds
    totals, queue, workers = Totals(), multiprocessing.Queue(), []
    sizes = {seed + i: min(FLOCK, count - i * FLOCK) for i in range(-(-count // FLOCK))}
    for worker in range(min(WORKERS, len(sizes))):
        mine = list(sizes)[worker::WORKERS]
        workers.append(multiprocessing.Process(target=play_stores, args=(mine, sizes, queue, until)))
        workers[-1].start()
    ended = 0
    while ended < len(workers):
        result = take(queue, workers)
        if result is None:
            ended += 1
            continue
        played, size, failures, bills, too_large = result
        totals.histories += size
        totals.bills += bills
        totals.too_large += too_large
        for index, failure in failures.items():
            totals.failures.append((played, index, failure))
            if len(totals.failures) <= 5:
                show(f"history {index} of SEED={played}: {failure[:3000]}", flush=True)
    for worker in workers:
        worker.join()
    return totals


def take(queue, workers):
    """The next result; a worker that died is an error, not a wait for ever."""
    while True:
        try:
            return queue.get(timeout=5)
        except Exception:
            if any(worker.exitcode not in (0, None) for worker in workers) and queue.empty():
                for worker in workers:
                    worker.kill()
                raise AssertionError("a process that played histories has ended")


def minimal(seed, index):
    """The smallest part of one history that still differs, as text."""
    with Server(seal_bits=seal_bits(seed)) as server:
        found = Shrinking(server, seed).shrink(flock(seed, [index])[index])
    if found is None:
        return "alone it does not differ"
    made, failure = found
    return f"{told(made)}\n{failure}"


def told(made):
    """A script to read: a line for each meter, plan and step."""
    def line(value):
        return encode(value).decode()
    return "\n".join([*(f"meter {line(meter)}" for meter in made["meters"]),
                      *(f"plan {id} {line(plan)}" for id, plan in made["plans"].items()),
                      f"subscription {line(made['subscription'])}, zone {made['zone']}", *map(line, made["steps"])])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=int(os.environ.get("N", 1000)))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", 0)) or random.randrange(10 ** 9))
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.only is not None:
        print(minimal(options.seed, options.only))
        return 0
    began = time.monotonic()
    totals = run(options.count, options.seed)
    for seed, index, _ in totals.failures[:1]:
        print(f"\nthe smallest part of history {index} of SEED={seed}:\n{minimal(seed, index)}")
    failed = len(totals.failures)
    print(f"total histories: {totals.histories - failed} passed, {failed} failed ({totals.bills} bills, "
          f"{time.monotonic() - began:.0f} s, SEED={options.seed})")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
