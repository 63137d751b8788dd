# SPDX-License-Identifier: Apache-2.0
"""A second server on the books of a first one, without usage of its own."""
import shutil
import subprocess
import tempfile
from pathlib import Path

from client import Server, books_environment, end_with_parent, free_port, toll_binary


class Peer(Server):
    def __init__(self, first, keys=None):
        self.own = True
        self.folder = Path(tempfile.mkdtemp(prefix="toll-peer-"))
        self.data = None
        self.process = self.port = None
        self.starts = 0
        self.books, self.key, self.project = first.books, first.key, first.project
        self.keys = self.folder / "keys"
        shutil.copy(keys or first.data / "keys", self.keys)

    def arguments(self, more=""):
        self.port = free_port()
        config = self.folder / "toll.conf"
        config.write_text(f"usage = remote\nkeys = {self.keys}\n{more}")
        return [toll_binary(), "serve", "--config", str(config), "--listen", f"127.0.0.1:{self.port}"]

    def start(self, wait=True):
        assert self.process is None, "already running"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True, preexec_fn=end_with_parent,
                                            env=books_environment(self.books))
        self.starts += 1
        return self.wait_ready() if wait else 0.0

    def refused(self, more="", books=True):
        """How it ends when it must not start: what it says."""
        done = subprocess.run(self.arguments(more), capture_output=True, timeout=60,
                              env=books_environment(self.books if books else None))
        assert done.returncode == 1, done
        return done.stderr.decode()

    def verify(self):
        raise AssertionError("a server without usage has nothing to verify")
