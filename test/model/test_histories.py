# SPDX-License-Identifier: Apache-2.0
"""N random histories, or as many of 20,000 as fit T seconds (420) when no N is given; SEED= replays. Every bill of
each, in every step and digest, equals the oracle's."""
import os
import random

import bill
import conftest
import histories

N = int(os.environ.get("N", 0))
T = int(os.environ.get("T", 420))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10 ** 9)))


def test_histories():
    totals = histories.run(N, SEED) if N else histories.run(20_000, SEED, T)
    conftest.HISTORIES.update(passed=totals.histories - len(totals.failures), failed=len(totals.failures))
    if totals.failures:
        seed, index, _ = totals.failures[0]
        raise AssertionError(f"history {index} of SEED={seed}, the smallest part that differs:\n"
                             + histories.minimal(seed, index))
    assert totals.histories == N or (N == 0 and totals.histories > 0)
    assert totals.bills >= 3 * totals.histories and totals.too_large <= max(3, totals.histories // 50)
    print(f"{totals.bills} bills equal, SEED={SEED}")


def test_a_difference_is_found_and_made_small(monkeypatch):
    """The judge is judged: an oracle that takes every discount once too often is told apart, by few steps."""
    take_off = bill.Bill.discount
    seed = 5

    def twice(made, rule):
        take_off(made, rule)
        take_off(made, rule)
    with histories.Server(seal_bits=12) as server:
        shrinking = histories.Shrinking(server, seed)
        scripts = [script for i in range(20) for script in histories.flock(seed, [i]).values()
                   if any("discounts" in plan for plan in script["plans"].values())]
        assert scripts and all(shrinking.shrink(script) is None for script in scripts[:2])
        monkeypatch.setattr(bill.Bill, "discount", twice)
        found = [made for made in map(shrinking.shrink, scripts) if made is not None]
    script, failure = found[0]
    assert "the server says" in failure or "only the" in failure
    assert len(script["steps"]) <= 3 and sum(len(step.get("events", [])) for step in script["steps"]) <= 2
