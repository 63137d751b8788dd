# SPDX-License-Identifier: Apache-2.0
"""The tools that say whether everything is well must themselves not be fooled."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def run(arguments, where, **environment):
    return subprocess.run(arguments, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=dict(os.environ, **environment), timeout=60,
                          universal_newlines=True)


# ---- setup.sh, with a package tool of our own

@pytest.fixture
def machine(tmp_path):
    """A PATH in which dpkg-query knows what is in `installed` and apt-get writes down its calls."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (tmp_path / "installed").write_text("")
    script(bin_folder / "dpkg-query", 'echo asked >>"$ROOM/asked"; sed "s/^/installed /" "$ROOM/installed"\n')
    script(bin_folder / "apt-get", '''
case " $* " in *" -s "*) exit 0 ;; esac
echo "$*" >>"$ROOM/calls"
[ ! -e "$ROOM/broken" ] || { echo "no such package"; exit 100; }
case "$*" in *"install -y"*) for word in "$@"; do echo "$word" >>"$ROOM/installed"; done ;; esac
''')
    script(bin_folder / "id", 'echo "${USER_ID:-0}"\n')
    script(bin_folder / "sudo", 'exit 1\n')
    return tmp_path


def setup_on(machine, *sets, **environment):
    return run([str(ROOT / "tools" / "setup.sh"), *sets], machine, ROOM=str(machine),
               BUILD=str(machine / "build"), PATH="%s:%s" % (machine / "bin", os.environ["PATH"]),
               **dict({"SETUP": ""}, **environment))


def calls(machine):
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []


def every_package():
    text = (ROOT / "tools" / "setup.sh").read_text()
    return [word for line in text.split("dpkg_list=")[0].splitlines() if "packages" in line or line.startswith(" ")
            for word in line.replace("'", " ").replace('"', " ").replace("=", " ").split()]


def test_setup_installs_what_is_missing_and_says_so(machine):
    (machine / "installed").write_text("\n".join(word for word in every_package() if word != "libgmp-dev"))
    result = setup_on(machine, "build")
    assert result.returncode == 0
    assert "setup: installing: libgmp-dev" in result.stdout
    assert len(calls(machine)) == 1 and calls(machine)[0].endswith("--no-install-recommends libgmp-dev")


def test_setup_asks_nobody_when_nothing_changed(machine):
    (machine / "installed").write_text("\n".join(every_package()))
    assert setup_on(machine, "build", "test").stdout == ""
    asked = (machine / "asked").read_text()
    assert setup_on(machine, "build", "test").stdout == ""
    assert (machine / "asked").read_text() == asked
    assert calls(machine) == []


def test_setup_reads_the_lists_again_when_an_install_fails_and_then_gives_up(machine):
    (machine / "broken").write_text("")
    result = setup_on(machine, "build")
    assert result.returncode != 0
    assert [call.split()[-1] if call.endswith("update") else "install" for call in calls(machine)] == [
        "install", "update"]
    assert "no such package" in result.stdout
    assert not (machine / "build" / "setup" / "build").exists()


def test_setup_tells_a_user_who_may_not_install_what_to_run(machine):
    result = setup_on(machine, "build", USER_ID="1000")
    assert result.returncode == 1
    assert "sudo apt-get install" in result.stdout and "libmicrohttpd-dev" in result.stdout
    assert calls(machine) == []


def test_setup_leaves_a_machine_alone_when_told_so(machine):
    assert setup_on(machine, "build", SETUP="skip").returncode == 0
    assert calls(machine) == [] and not (machine / "asked").exists()


def test_setup_refuses_an_unknown_set(machine):
    assert setup_on(machine, "everything").returncode == 2


# ---- test.py, over a Makefile of our own

def run_steps(tmp_path, makefile, **environment):
    """test.py with the steps of `makefile`, every target a step."""
    (tmp_path / "Makefile").write_text(makefile)
    names = [line.split(":")[0] for line in makefile.splitlines() if line and not line.startswith("\t")]
    driver = "import sys; sys.path.insert(0, %r); import test; test.STEPS = [(n, [n], {}) for n in %r]; " \
             "sys.argv = ['test.py']; sys.exit(test.main())" % (str(ROOT / "tools"), names)
    return run([sys.executable, "-c", driver], tmp_path, MAKEFLAGS="", **environment)


def last(result):
    return result.stdout.splitlines()[-1]


def test_counts_of_all_runners_are_added(tmp_path):
    result = run_steps(tmp_path, "a:\n\t@echo '== 5 passed, 2 skipped in 1.2s =='\n"
                                 "b:\n\t@echo 'total x: 2 passed, 0 failed'; echo 'total y: 3 passed, 0 failed'\n"
                                 "c:\n\t@echo 'one: 1 passed, 0 failed'; echo '7 passed, 0 failed'\n")
    assert (result.returncode, last(result)) == (0, "17 passed, 0 failed")


def test_a_failure_is_a_failure_whatever_was_printed(tmp_path):
    result = run_steps(tmp_path, "a:\n\t@echo '5 passed'; exit 3\nb:\n\t@echo '1 failed, 4 passed'; exit 1\n")
    assert (result.returncode, last(result)) == (1, "9 passed, 2 failed")


def test_errors_of_pytest_are_failures(tmp_path):
    result = run_steps(tmp_path, "a:\n\t@echo '2 passed, 3 errors in 1s'; exit 1\n")
    assert (result.returncode, last(result)) == (1, "2 passed, 3 failed")


def test_a_step_without_a_test_fails(tmp_path):
    result = run_steps(tmp_path, "a:\n\t@echo fine\nb:\n\t@echo '1 passed'\n")
    assert (result.returncode, last(result)) == (1, "1 passed, 1 failed")
    assert "no test passed" in result.stdout


def test_a_process_that_is_left_behind_fails_the_step_and_is_ended(tmp_path):
    pid_file = tmp_path / "pid"
    result = run_steps(tmp_path, "a:\n\t@setsid sh -c 'echo $$$$ >%s; exec sleep 300' & sleep 0.5; echo '1 passed'\n"
                       % pid_file)
    assert (result.returncode, last(result)) == (1, "1 passed, 1 failed")
    assert "left behind: sleep" in result.stdout
    assert not Path("/proc/%s" % pid_file.read_text().strip()).exists()


def test_a_step_that_does_not_end_is_ended(tmp_path):
    result = run_steps(tmp_path, "a:\n\t@echo '1 passed'; sleep 300\n", STEP_SECONDS_MAX="1")
    assert result.returncode == 1 and "no end after 1 s" in result.stdout


# ---- unit.py

def run_unit(tmp_path, body):
    (tmp_path / "test/unit/a").mkdir(parents=True)
    (tmp_path / "test/unit/a/b_test.c").write_text("")
    program = tmp_path / "build/test/unit/a/b_test"
    program.parent.mkdir(parents=True)
    script(program, body)
    return run([sys.executable, str(ROOT / "tools/unit.py"), "build"], tmp_path)


@pytest.mark.parametrize("body, code, total", [
    ("echo '[  PASSED  ] 3 test(s).'", 0, "3 passed, 0 failed"),
    ("echo '[  PASSED  ] 2 test(s).'; echo '[  FAILED  ] 1 test(s), listed below:'; exit 1", 1, "2 passed, 1 failed"),
    ("echo '[  PASSED  ] 3 test(s).'; exit 1", 1, "3 passed, 1 failed"),  # a leak told at exit
    ("kill -SEGV $$", 1, "0 passed, 1 failed"),
    ("exit 0", 1, "0 passed, 1 failed"),
])
def test_unit_programs_are_counted(tmp_path, body, code, total):
    result = run_unit(tmp_path, body + "\n")
    assert (result.returncode, last(result)) == (code, total)


# ---- docs.sh

def test_drift_is_seen(tmp_path):
    toll = tmp_path / "toll"
    script(toll, 'echo "[\\"$2 $(cat %s/word)\\"]"\n' % tmp_path)
    (tmp_path / "word").write_text("one")
    docs = str(ROOT / "tools/docs.sh")
    assert run([docs, "write", str(toll)], tmp_path).returncode == 0
    fine = run([docs, "check", str(toll)], tmp_path)
    assert (fine.returncode, last(fine)) == (0, "7 passed, 0 failed")
    (tmp_path / "docs/reference/errors.md").write_text("errors two\n")
    drifted = run([docs, "check", str(toll)], tmp_path)
    assert (drifted.returncode, last(drifted)) == (1, "6 passed, 1 failed")
