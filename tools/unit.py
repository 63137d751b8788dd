#!/usr/bin/python3
"""Runs the unit tests of a build folder and says how many passed.

tools/unit.py BUILD [part-of-a-name...]

Prints one line a test program, the whole output of one that fails, and at the end
`N passed, N failed`. A program that dies, hangs or runs no test counts as failed.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

SECONDS_MAX = 300  # a watchdog against a hang, not a limit on speed


def programs(build, names):
    found = []
    for source in sorted(pathlib.Path("test").glob("unit/*/*_test.c")) + sorted(
            pathlib.Path("test").glob("sim/*_test.c")):
        program = build / source.with_suffix("")
        if not names or any(name in str(source) for name in names):
            found.append((source, program))
    return found


def run(program):
    environment = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1",
                       TSAN_OPTIONS="halt_on_error=1 suppressions=test/tsan.supp",
                       CMOCKA_MESSAGE_OUTPUT="STDOUT")
    try:
        result = subprocess.run([str(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=SECONDS_MAX, env=environment)
        return result.returncode, result.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return "no end after %d s" % SECONDS_MAX, (late.stdout or b"").decode(errors="replace")
    except OSError as absent:
        return absent.strerror, "not built"


def count(pattern, output):
    return sum(int(number) for number in re.findall(pattern, output))


def timed_run(program):
    begun = time.monotonic()
    code, output = run(program)
    return code, output, time.monotonic() - begun


def main():
    build = pathlib.Path(sys.argv[1])
    passed = failed = 0
    chosen = programs(build, sys.argv[2:])
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    results = pool.map(timed_run, [program for _, program in chosen])
    for (source, program), (code, output, seconds) in zip(chosen, results):
        good = count(r"\[  PASSED  \] (\d+) test", output)
        bad = count(r"\[  FAILED  \] (\d+) test", output)
        skipped = count(r"\[  SKIPPED \] (\d+) test", output)
        if code != 0 and bad == 0 or good + bad + skipped == 0:
            bad += 1
        passed += good
        failed += bad
        note = ", %d skipped" % skipped if skipped else ""
        print("%-6s %-48s %4d passed%s  %.1f s" % (
            "failed" if bad else "ok", source, good, note, seconds), flush=True)
        if bad:
            print(output)
            print("%s: exit %s" % (program, code), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
