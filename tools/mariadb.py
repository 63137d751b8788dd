#!/usr/bin/python3
"""A MariaDB server of one's own, for tests: in a temporary directory, on a loopback port and a
socket, as a user who is not root; gone with the process that asked for it.

tools/mariadb.py [--OPTION=VALUE]... COMMAND...
    runs the command with TEST_BOOKS=mysql://…, under which it may make as many databases as it
    likes. Options before it are the server's: it is small, as tests need it, but for
    --innodb-buffer-pool-size=1G --innodb-log-file-size=512M, say, as who measures does. Whatever
    they are, a commit is on disk when it is answered.
"""
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PASSWORD = "test"
SECONDS_MAX = 120  # a watchdog, not a limit on speed


def found():
    return shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """start() and kill() may be repeated: the data stays until the folder goes."""

    def __init__(self, folder, options=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.socket = self.folder / "socket"
        self.port = free_port()
        self.options = list(options)
        self.process = None
        self.user = "nobody" if os.geteuid() == 0 else None

    def address(self, database="toll"):
        return "mysql://root:%s@127.0.0.1:%d/%s" % (PASSWORD, self.port, database)

    def make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user:
            shutil.chown(self.folder, self.user)
        command = ["mariadb-install-db", "--no-defaults", "--datadir=%s" % self.data,
                   "--auth-root-authentication-method=normal", "--skip-test-db"]
        command += ["--user=%s" % self.user] if self.user else []
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(done.stdout.decode(errors="replace"))
        (self.folder / "init.sql").write_text(
            "alter user root@localhost identified by '%s';\n"
            "create or replace user root@'127.0.0.1' identified by '%s';\n"
            "grant all on *.* to root@'127.0.0.1' with grant option;\n"
            "create database if not exists toll;\n" % (PASSWORD, PASSWORD))

    def start(self):
        command = [found(), "--no-defaults", "--datadir=%s" % self.data,
                   "--socket=%s" % self.socket, "--port=%d" % self.port,
                   "--bind-address=127.0.0.1", "--pid-file=%s/pid" % self.folder,
                   "--log-error=%s/log.err" % self.folder, "--init-file=%s/init.sql" % self.folder,
                   "--skip-name-resolve", "--skip-log-bin", "--innodb-buffer-pool-size=64M",
                   "--innodb-log-file-size=64M", "--performance-schema=off"] + self.options
        command += ["--user=%s" % self.user] if self.user else []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        late = time.monotonic() + SECONDS_MAX
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > late:
                raise RuntimeError("mariadbd did not start:\n" + self.log())
            time.sleep(0.05)

    def answers(self):
        """The port is open once the server has run its init file."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as one:
                return one.recv(1) != b""
        except OSError:
            return False

    def log(self):
        try:
            return (self.folder / "log.err").read_text(errors="replace")[-4000:]
        except OSError:
            return ""

    def kill(self, number=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def server(options=()):
    folder = tempfile.mkdtemp(prefix="toll_mariadb_")
    os.chmod(folder, 0o755)
    one = Server(folder, options)
    try:
        one.make()
        one.start()
        yield one
    finally:
        one.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    options = list(itertools.takewhile(lambda word: word.startswith("--"), sys.argv[1:]))
    command = sys.argv[1 + len(options):]
    if not command:
        print(__doc__)
        return 2
    if found() is None:
        print("mariadb: no mariadbd here; what needs one is skipped", file=sys.stderr)
        return subprocess.run(command).returncode
    with server(options) as one:
        return subprocess.run(command,
                              env=dict(os.environ, TEST_BOOKS=one.address())).returncode


if __name__ == "__main__":
    sys.exit(main())
