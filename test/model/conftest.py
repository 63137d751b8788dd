# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "api")]

HISTORIES = {}  # passed, failed: each history counts as a test


def pytest_terminal_summary(terminalreporter):
    if HISTORIES:
        tests = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
        terminalreporter.write_line("total histories: {passed} passed, {failed} failed".format(**HISTORIES))
        terminalreporter.write_line("total model tests: {passed} passed, {failed} failed, {error} errors, {skipped} "
                                    "skipped".format(**tests))
