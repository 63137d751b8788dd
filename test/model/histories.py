# SPDX-License-Identifier: Apache-2.0
"""Random histories against the oracle, many at once.

histories.py --count N --seed S           so many, from that seed on, in two processes
histories.py --seed S --only K            one again, and the smallest part of it that still differs"""
import argparse
import json
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
from wire import Wire  # noqa: E402
from world import World  # noqa: E402

FLOCK = 50         # histories that share their meters and travel together
FLOCKS_A_STORE = 20  # flocks that share a data directory
WORKERS = 2


def flock_texts(seed, indices):
    """The scripts of a flock: its meters are `@m…`, the names of history i begin with `@`."""
    world = World(seed, "@m", streams=[f"@m.s{i}" for i in range(3)])
    meters = []
    for stream in world.streams:
        meters += [world.meter(stream, plain=True), world.meter(stream), world.meter(stream)]
    return {index: script.write(f"{seed}/{index}", meters, world.streams) for index in indices}


def play_flock(server, seed, count):
    """({index: what differed}, bills that were compared)"""
    players = []
    for index, text in flock_texts(seed, range(count)).items():
        players.append(Player(script.named(text.replace("@m", f"f{seed}.m"), f"f{seed}.{index}")))
    wire = Wire(server)
    stage = Stage(wire, players, seed)
    stage.declare()
    failures = stage.play()
    wire.close()
    return failures, sum(player.bills for player in players)


def seal_bits(seed):
    """A store seals after so many events: 16, or 4,096, or as many as in earnest."""
    return random.Random(seed).choice([4, 12, 20])


def play_stores(seeds, sizes, results):
    """In a process of its own: some flocks in one store after the other."""
    for at in range(0, len(seeds), FLOCKS_A_STORE):
        with Server(seal_bits=seal_bits(seeds[at])) as server:
            for seed in seeds[at:at + FLOCKS_A_STORE]:
                failures, bills = play_flock(server, seed, sizes[seed])
                results.put((seed, sizes[seed], failures, bills))
            server.stop()
            server.verify()
    results.put(None)


class Totals:
    def __init__(self):
        self.histories = self.bills = 0
        self.failures = []  # (seed, index, what differed)


def run(count, seed, show=print):
    """Plays `count` histories."""
    totals, queue, flocks = Totals(), multiprocessing.Queue(), -(-count // FLOCK)
    sizes = {seed + flock: min(FLOCK, count - flock * FLOCK) for flock in range(flocks)}
    workers = []
    for worker in range(min(WORKERS, flocks)):
        mine = list(sizes)[worker::WORKERS]
        workers.append(multiprocessing.Process(target=play_stores, args=(mine, sizes, queue)))
        workers[-1].start()
    ended = 0
    while ended < len(workers):
        result = take(queue, workers)
        if result is None:
            ended += 1
            continue
        flock, size, failures, bills = result
        totals.histories += size
        totals.bills += bills
        for index, failure in failures.items():
            totals.failures.append((flock, index, failure))
            if len(totals.failures) <= 5:
                show(f"history {index} of SEED={flock}: {failure[:3000]}", flush=True)
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
    text = flock_texts(seed, [index])[index]
    with Server(seal_bits=seal_bits(seed)) as server:
        found = Shrinking(server, seed).shrink(text)
    if found is None:
        return "alone it does not differ"
    made, failure = found
    return f"{json.dumps(made, indent=1, default=str, ensure_ascii=False)}\n{failure}"


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
