#!/usr/bin/python3
"""Drives the fuzz targets test/fuzz/NAME_fuzz.c over their corpora test/fuzz/corpus/NAME.

tools/fuzz.py replay BUILD       every kept file once; ends with `N passed, N failed` (files)
tools/fuzz.py search BUILD T     libFuzzer for T seconds a target; what it finds new stays in BUILD
"""
import pathlib
import subprocess
import sys

SECONDS_MAX = 300  # of one replay: a watchdog against a hang


def targets(build):
    for source in sorted(pathlib.Path("test/fuzz").glob("*_fuzz.c")):
        corpus = pathlib.Path("test/fuzz/corpus") / source.stem[:-len("_fuzz")]
        yield build / source.with_suffix(""), corpus


def ends_well(program, files):
    try:
        result = subprocess.run([str(program)] + [str(file) for file in files], timeout=SECONDS_MAX,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return False, "no end after %d s" % SECONDS_MAX
    return result.returncode == 0, result.stdout.decode(errors="replace")


def replay(build):
    passed = failed = 0
    for program, corpus in targets(build):
        files = sorted(file for file in corpus.rglob("*") if file.is_file())
        bad = []
        if not ends_well(program, files)[0]:
            for file in files:  # one by one, so that every bad one is named
                good, output = ends_well(program, [file])
                if not good:
                    bad.append(file)
                    print("%s %s\n%s" % (program, file, output))
        if not files:
            bad.append(corpus)
            print("%s has no corpus in %s" % (program, corpus))
        passed += len(files) - len([file for file in bad if file in files])
        failed += len(bad)
        print("%-6s %s: %d files" % ("failed" if bad else "ok", program.name, len(files)), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed == 0 else 0


def search(build, seconds):
    failed = 0
    for program, corpus in targets(build):
        found = build / "corpus" / corpus.name
        found.mkdir(parents=True, exist_ok=True)
        print("== %s, %s s" % (program.name, seconds), flush=True)
        arguments = ["-max_total_time=%s" % seconds, "-timeout=10", "-rss_limit_mb=2048",
                     "-print_final_stats=1", "-artifact_prefix=%s/" % build, str(found), str(corpus)]
        failed += subprocess.run([str(program)] + arguments, stdin=subprocess.DEVNULL).returncode != 0
    print("%d failed" % failed)
    return 1 if failed else 0


def main():
    build = pathlib.Path(sys.argv[2])
    return replay(build) if sys.argv[1] == "replay" else search(build, sys.argv[3])


if __name__ == "__main__":
    sys.exit(main())
