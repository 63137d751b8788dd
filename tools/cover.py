#!/usr/bin/python3
"""Lines and branches that tests reached in a MODE=cover build, by folder of src, from gcov."""
import collections
import gzip
import json
import pathlib
import subprocess
import sys


def reports(build):
    notes = sorted(str(path) for path in build.rglob("*.gcda"))
    for note in notes:
        output = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", note],
                                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        if output.startswith(b"\x1f\x8b"):
            output = gzip.decompress(output)
        for line in output.decode().splitlines():
            yield json.loads(line)


def main():
    lines, branches = collections.Counter(), collections.Counter()
    for report in reports(pathlib.Path(sys.argv[1])):
        for file in report["files"]:
            if not file["file"].startswith("src/"):
                continue
            for line in file["lines"]:
                place = (file["file"], line["line_number"])
                lines[place] += line["count"]
                for index, branch in enumerate(line["branches"]):
                    branches[place + (index,)] += branch["count"]
    table = collections.defaultdict(lambda: [0, 0, 0, 0])
    for hits, at in ((lines, 0), (branches, 2)):
        for place, count in hits.items():
            for folder in (place[0].rsplit("/", 1)[0], "total"):
                table[folder][at] += count > 0
                table[folder][at + 1] += 1
    print("%-24s %8s %10s" % ("folder", "lines", "branches"))
    for folder, (line, all_lines, branch, all_branches) in sorted(table.items()):
        print("%-24s %7.1f%% %9.1f%%" % (folder, 100 * line / max(all_lines, 1),
                                         100 * branch / max(all_branches, 1)))
    return 0 if table else 1


if __name__ == "__main__":
    sys.exit(main())
