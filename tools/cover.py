#!/usr/bin/python3
"""Lines and branches that tests reached in a MODE=cover build, by folder of src, from gcov.

Exits 1 when a folder of WHOLE, the numbers that bills and books are made of, is below 100 % of either; what is
missing there is listed. Two kinds of branches cannot be taken and are not counted, no line is:
  * those within an assert_that or assert_slow statement: its other side ends the process;
  * of a `switch`, one: it has a case for every enumerator, and gcov counts the way past all of them.
"""
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys

WHOLE = ("src/money", "src/time", "src/price", "src/flow/ledger", "src/flow/bill", "src/flow/invoice", "src/flow/run")


def reports(build):
    notes = sorted(str(path) for path in build.rglob("*.gcda"))
    for note in notes:
        output = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", note],
                                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        if output.startswith(b"\x1f\x8b"):
            output = gzip.decompress(output)
        for line in output.decode().splitlines():
            yield json.loads(line)


def counts(build):
    """How often each (file, line) and each (file, line, branch) of src was run."""
    lines, branches = collections.Counter(), collections.Counter()
    for report in reports(build):
        for file in report["files"]:
            if not file["file"].startswith("src/"):
                continue
            for line in file["lines"]:
                place = (file["file"], line["line_number"])
                lines[place] += line["count"]
                for index, branch in enumerate(line["branches"]):
                    branches[place + (index,)] += branch["count"]
    return lines, branches


def promises(text):
    """The numbers of the lines on which assert_that and assert_slow statements stand."""
    for match in re.finditer(r"\bassert_(that|slow)\(", text):
        first = text.count("\n", 0, match.start()) + 1
        end = text.find(";", match.end())
        yield from range(first, first + text.count("\n", match.start(), end) + 1)


def without_impossible(branches):
    """The branches that a test could take."""
    by_line = collections.defaultdict(dict)
    for (file, line, index), count in branches.items():
        by_line[file, line][index] = count
    texts = {file: pathlib.Path(file).read_text() for file, _ in by_line}
    asserts = {file: set(promises(text)) for file, text in texts.items()}
    kept = {}
    for (file, line), taken in by_line.items():
        if line in asserts[file]:
            continue
        if re.match(r"\s*switch \(", texts[file].split("\n")[line - 1]):
            past = next((index for index, count in sorted(taken.items()) if count == 0), None)
            taken.pop(past, None)
        for index, count in taken.items():
            kept[file, line, index] = count
    return kept


def folder_of(place):
    return place[0].rsplit("/", 1)[0]


def missing_of(lines, branches):
    """One line of text for each line of WHOLE that was not run, or not in every direction."""
    for place in sorted(place for place in lines if folder_of(place) in WHOLE):
        never = [index for index in range(64) if branches.get(place + (index,)) == 0]
        if lines[place] == 0 or never:
            yield "%s:%d: %s" % (*place, "never run" if lines[place] == 0 else
                                 "branches never taken: %s" % ", ".join(map(str, never)))


def main():
    build = pathlib.Path(sys.argv[1])
    lines, branches = counts(build)
    branches = without_impossible(branches)
    table = collections.defaultdict(lambda: [0, 0, 0, 0])
    for hits, at in ((lines, 0), (branches, 2)):
        for place, count in hits.items():
            for folder in (folder_of(place), "total"):
                table[folder][at] += count > 0
                table[folder][at + 1] += 1
    print("%-24s %8s %10s" % ("folder", "lines", "branches"))
    for folder, (line, all_lines, branch, all_branches) in sorted(table.items()):
        print("%-24s %7.1f%% %9.1f%%%s" % (folder, 100 * line / max(all_lines, 1),
                                           100 * branch / max(all_branches, 1),
                                           "  must be whole" if folder in WHOLE else ""))
    missing = list(missing_of(lines, branches))
    print("\n".join(missing))
    return 1 if missing or not table else 0


if __name__ == "__main__":
    sys.exit(main())
