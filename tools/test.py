#!/usr/bin/python3
"""`make test`: runs every step, adds up what the runners report, and leaves no process behind.

A step is a make target. Its runner prints a line with `N passed` and, where there are any, `N failed`,
`N errors`, `N skipped`; the step fails when it exits with another status than 0, when it reports no
passed test, when it does not end, or when a process of it is still there afterwards.
The last line of everything is `N passed, N failed`.

tools/test.py [step...]   runs only these
"""
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time

# Of one step: a watchdog against a hang, not a limit on speed.
SECONDS_MAX = int(os.environ.get("STEP_SECONDS_MAX", 900))
BUILD = os.environ.get("BUILD", "build")
ASAN = ["BUILD=%s/asan" % BUILD, "MODE=asan"]

# name, arguments for make, what the step's environment gets
STEPS = [
    ("tidy", ["tidy"], {}),
    ("tools", ["tools"], {}),
    ("build", ["-j2", "all"], {}),
    ("drift", ["drift"], {}),
    ("cases", ["-j2", "cases"], {}),
    ("unit", ["-j2", "unit"], {}),
    ("api", ["-j2", "api"], {}),
    ("unit-mariadb", ["-j2", "unit-mariadb"], {}),
    ("api-mariadb", ["-j2", "api-mariadb"], {"SHORT": "1"}),
    ("model", ["model"], {"T": os.environ.get("T", "30")}),
    ("crash", ["crash"], {"N": "10"}),
    ("faults", ["faults"], {"N": "1"}),
    ("second-server", ["second-server"], {"N": "3"}),
    ("year", ["year"], {"N": "40", "KILL": "1", "ENGINES": "sqlite,mariadb"}),
    ("unit-asan", ["-j2"] + ASAN + ["unit"], {}),
    ("fuzz-replay", ["-j2"] + ASAN + ["fuzz-replay"], {}),
]
NO_TESTS = {"build"}

COUNT = re.compile(r"\b(\d+) (passed|failed|errors?|skipped)\b")


class Result:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0
        self.wrong = []


def make_flags():
    """The variables of the outer make's command line, without its job server."""
    _, mark, variables = os.environ.get("MAKEFLAGS", "").partition(" -- ")
    return " -- " + variables if mark else ""


def children():
    """Processes that are ours: children, and orphans that came to us as the subreaper."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as file:
                name, _, rest = file.read().rpartition(") ")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            found.append((int(entry), name.partition("(")[2], state))
    return found


def end_leftovers():
    """Ends and reaps what a step has left; answers the names of what was still running."""
    left = []
    for _ in range(100):
        alive = [(pid, name) for pid, name, state in children() if state != "Z"]
        left += ["%s (%d)" % (name, pid) for pid, name in alive]
        for pid, _ in alive:
            os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, 0 if alive else os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass
        if not alive:
            return left
    return left


def line_counts(line):
    found = {}
    for number, word in COUNT.findall(line):
        found[word.rstrip("s")] = found.get(word.rstrip("s"), 0) + int(number)
    return found


def count(result, lines):
    """A runner's total is its last line with counts; several runners in a step say `name: ...`."""
    totals = [counts for counts in map(line_counts, lines) if "passed" in counts or
              "failed" in counts or "error" in counts]
    named = [line_counts(line) for line in lines if re.match(r"^total [\w -]+: \d+ passed", line)]
    for counts in named or totals[-1:]:
        result.passed += counts.get("passed", 0)
        result.failed += counts.get("failed", 0) + counts.get("error", 0)
        result.skipped += counts.get("skipped", 0)


def follow(process, deadline):
    """Shows the output while it comes, until the process has ended (not until the pipe is closed: a
    process that was left behind may hold it) or the deadline has passed. Answers its lines."""
    output, shown = process.stdout.fileno(), b""
    while True:
        ended = process.poll() is not None
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            break
        if select.select([output], [], [], 0 if ended else 0.2)[0]:
            part = os.read(output, 65536)
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
            shown += part
            if part != b"":
                continue
            process.wait()
            break
        if ended:
            break
    return shown.decode(errors="replace").split("\n")


def run(name, arguments, more):
    result = Result(name)
    environment = dict(os.environ, MAKEFLAGS=make_flags(), **more)
    environment.pop("MFLAGS", None)
    environment.pop("MAKELEVEL", None)
    print("\n==== %s" % name, flush=True)
    begun = time.monotonic()
    process = subprocess.Popen(["make", "--no-print-directory"] + arguments, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    lines = follow(process, begun + SECONDS_MAX)
    status = process.wait()
    result.seconds = time.monotonic() - begun
    count(result, lines)
    if result.seconds >= SECONDS_MAX:
        result.wrong.append("no end after %d s" % SECONDS_MAX)
    elif status != 0:
        result.wrong.append("exit %d" % status)
    if name not in NO_TESTS and result.passed == 0:
        result.wrong.append("no test passed")
    left = end_leftovers()
    if left:
        result.wrong.append("left behind: " + ", ".join(left))
    if result.wrong and result.failed == 0:
        result.failed = 1
    return result


def stop(*_):
    for pid, _, _ in children():
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            pass
    end_leftovers()
    sys.exit(1)


def main():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wanted = sys.argv[1:]
    known = [name for name, _, _ in STEPS]
    if not set(wanted) <= set(known):
        print("the steps are: %s" % " ".join(known))
        return 2
    results = []
    for name, arguments, more in STEPS:
        if not wanted or name in wanted:
            results.append(run(name, arguments, more))
            if name == "build" and results[-1].failed:
                break
    print("\n%-14s %8s %8s %8s %9s" % ("step", "passed", "failed", "skipped", "seconds"))
    for result in results:
        print("%-14s %8d %8d %8d %9.1f  %s" % (result.name, result.passed, result.failed,
                                              result.skipped, result.seconds,
                                              "; ".join(result.wrong)))
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
