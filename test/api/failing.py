# SPDX-License-Identifier: Apache-2.0
"""A server whose books fail when they are told to: test/api/failing_books.c.

busy_everywhere      the same with books that are busy
refused_everywhere   does a deed with the first call to the books failing, then with the second, and so
                     on, until none fails; every time it is refused, and nothing is half done
meanwhile            does something else just before a deed's n-th write, or read: another request was faster
"""
import contextlib
import itertools
import mmap
import os
import sqlite3
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from client import Server, connect_books, toll_binary

CALLS_MAX = 3000
PLAN_BYTES = 232
# What the sealer and who holds it write meanwhile, and how far accounts are known: each has tests of its own.
BESIDE = {"ledger_chain", "ledger_day", "lease", "projection"}


def failing_binary():
    path = Path(toll_binary()).parent / "test" / "api" / "failing_books"
    assert path.exists(), f"no {path}: make api builds it"
    return str(path)


class FailingServer(Server):
    program = staticmethod(failing_binary)

    def __init__(self, **options):
        if os.environ.get("SHORT") and os.environ.get("TEST_BOOKS"):
            pytest.skip("done with books in a file; make api-mariadb does it on a server too")
        super().__init__(**options)
        self.base, self.seen, self.found = None, None, {}
        path = self.folder / "faults"
        path.write_bytes(bytes(PLAN_BYTES))
        with open(path, "r+b") as file:
            self.faults = mmap.mmap(file.fileno(), PLAN_BYTES)

    def start(self, wait=True):
        os.environ["TOLL_BOOK_FAULTS"] = str(self.folder / "faults")
        try:
            return super().start(wait)
        finally:
            del os.environ["TOLL_BOOK_FAULTS"]

    def fail(self, call, threads="worker", busy=0):
        """Of the calls that those threads make from now on, the call-th; 0: none. `busy`: it finds the books
        busy, 1, and all after it too, 2; above that: so many do."""
        self.faults[64:72] = struct.pack("=q", busy)
        self.faults[16:64] = threads.encode().ljust(48, b"\0")
        self.faults[8:16] = struct.pack("=q", 0)
        self.faults[0:8] = struct.pack("=q", call)

    def wait(self, writes=0, reads=0, threads="worker"):
        """Of the transactions that those threads begin from now on, the so-manieth waits: before it, nothing
        is locked. `waits` tells, go() ends it."""
        self.faults[16:64] = threads.encode().ljust(48, b"\0")
        self.faults[72:96] = struct.pack("=qqq", writes, reads, 0)

    @property
    def waits(self):
        return struct.unpack("=q", self.faults[88:96])[0] == 1

    def go(self):
        self.faults[72:96] = struct.pack("=qqq", 0, 0, 0)

    def lose(self, write, threads="worker"):
        """Of the transactions that those threads write from now on, the outcome of the so-manieth is unknown to
        whoever waits for it: it is written."""
        self.faults[16:64] = threads.encode().ljust(48, b"\0")
        self.faults[96:104] = struct.pack("=q", write)

    def fail_of(self, text, threads="worker", number=1):
        """Of the calls of those threads that ask the books something with that text in it, or are of the function
        of that name, the number-th fails."""
        self.faults[16:64] = threads.encode().ljust(48, b"\0")
        self.faults[112:232] = text.encode().ljust(120, b"\0")
        self.faults[104:112] = struct.pack("=q", number)

    @property
    def has_failed(self):
        """What fail_of looks for was met."""
        return struct.unpack("=q", self.faults[104:112])[0] == 0

    @property
    def is_lost(self):
        return struct.unpack("=q", self.faults[96:104])[0] == 0

    @property
    def left(self):
        return struct.unpack("=q", self.faults[0:8])[0]

    @property
    def counted(self):
        """Calls since fail()."""
        return struct.unpack("=q", self.faults[8:16])[0]

    def connect(self):
        if self.books:
            return connect_books(self.books, self.books.rpartition("/")[2])
        base = sqlite3.connect(self.data / "books.sqlite", isolation_level=None, timeout=30)
        base.text_factory = bytes
        return base

    @contextlib.contextmanager
    def damaged(self, table, change):
        """The table's rows are changed so, and afterwards are as they were."""
        base = self.connect()
        cursor = base.cursor()
        cursor.execute(f"create temporary table kept as select * from {table}")
        cursor.execute(f"update {table} set {change}")
        assert cursor.rowcount > 0, f"{table} is empty"
        try:
            yield
        finally:
            for sql in (f"delete from {table}", f"insert into {table} select * from kept"):
                cursor.execute(sql)
            base.close()

    def rows(self, sql):
        if self.base is None:
            self.base = self.connect()
        cursor = self.base.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def stop(self, seconds=60):
        if self.base is not None:
            self.base.close()
            self.base = None
        super().stop(seconds)

    def table_names(self):
        if self.books:
            return sorted(name for name, in self.rows("show tables"))
        return sorted(name.decode() for name, in self.rows("select name from sqlite_master where type = 'table'"))

    def tables(self):
        """Every row of every table that requests write."""
        version = None if self.books else self.rows("pragma data_version")  # another as soon as others commit
        if version is None or version != self.seen:
            self.found = {}
            for name in self.table_names():
                if name not in BESIDE and not name.startswith("writer"):
                    columns = "id, source, content" if name == "ledger_transaction" else "*"
                    self.found[name] = sorted(map(repr, self.rows(f"select {columns} from {name}")))
        self.seen = version
        return self.found

    def sealed(self):
        """Waits until there is nothing to seal: what is done then runs alone."""
        end = time.monotonic() + 60
        while self.rows("select count(*) from ledger_transaction where position is null")[0][0] > 0:
            assert time.monotonic() < end, "the sealer does not come"
            time.sleep(0.02)


def differences(before, after):
    return {name: (set(before[name]) ^ set(after[name])) for name in before if before[name] != after[name]}


def meanwhile(server, deed, other, writes=0, reads=0, threads="worker"):
    """What the deed answers when other() is done just before its so-manieth write to the books, or read of them:
    a transaction each, which are counted on their own. The deed and other() must not share a connection."""
    server.wait(writes, reads, threads)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(deed)
        try:
            while not server.waits:
                assert not answer.done(), f"it is done with fewer: {answer.result()}"
                time.sleep(0.001)
            other()
        finally:
            server.go()
        return answer.result()


def busy_everywhere(server, deed, busy=2, transactions=1):
    """Does the deed with the first call finding the books busy, then the second, …; 2: and from there on, 1: only
    that one, so that whoever tries again succeeds. Answers how often it succeeded in spite of it."""
    states, succeeded = [server.tables()], 0
    for call in itertools.count(1):
        assert call < CALLS_MAX, "the deed never comes to an end"
        server.fail(call, busy=busy)
        answer = deed()
        was_refused = server.left <= 0
        server.fail(0)
        now = server.tables()
        if now != states[-1]:
            states.append(now)
        assert len(states) <= transactions + 1, (call, differences(*states[-2:]))
        if not was_refused:
            assert answer.status < 300, answer
            return succeeded
        succeeded += answer.status < 300
        assert answer.status < 300 and busy == 1 or (answer.status, answer.code) == (503, "store_busy"), answer


def refused_everywhere(server, deed, transactions=1, least=2, ends=None):
    """`transactions`: so many times the deed may change the books before it answers; what it has
    changed stays, and is not done twice. 0: it only reads. `ends`: the code
    it is refused with when nothing fails. Answers what the deed answers in the end."""
    states = [server.tables()]
    for call in itertools.count(1):
        assert call < CALLS_MAX, "the deed never comes to an end"
        server.fail(call)
        answer = deed()
        was_refused = server.left == 0
        server.fail(0)
        if transactions > 0 or not was_refused:
            now = server.tables()
            if now != states[-1]:
                states.append(now)
        assert len(states) <= transactions + 1, (call, differences(*states[-2:]))
        if not was_refused:
            assert answer.status < 300 or answer.code == ends, (call, answer)
            assert call > least, f"only {call - 1} calls were refused"
            return answer
        assert (answer.status, answer.code) == (500, "store_failed"), (call, answer)
