#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fails under the real server: the n-th write or sync of the journal or of the usage store
fails, tears or is cut short (faulty_disk.c, preloaded), a start meets a dead disk, a file system is full.

After a fault that counts: no event is acknowledged any more, every request is answered, /readyz says no,
reads still work and show what was acknowledged and nothing that was not, the process does not spin and
ends when asked. After a start without the fault: every acknowledged event is there exactly once, a resend
of the others answers accepted or duplicate, `toll verify` is clean.

    N=rounds over all faults (5)   SEED=number replays the choices (not the timing)
"""
import contextlib
import mmap
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from crash import SPAN, Client, Directory, must  # noqa: E402  (finds the client's module, too)
from client import Server, run_toll, toll_binary  # noqa: E402

LIBRARY = os.environ.get("FAULTY_DISK_SO", "build/test/crash/faulty_disk.so")
PWRITEV, SYNC, WRITE = 1, 2, 4
FAIL, TEAR, CUT_SHORT = 0, 1, 2
EIO, ENOSPC = 5, 28
WAIT_S = 60  # a watchdog, not a limit on speed


class Refused(HTTPException):
    """Ingest has ended, or the load was asked to: this request stored nothing that anybody was told of."""


class FaultClient(Client):
    """Load until the journal has failed. An answer that does not come is a fault, a dead server, too."""

    def __init__(self, *rest):
        super().__init__(*rest)
        self.enough = threading.Event()
        self.refused_by = None
        self.note = {}

    def event(self):
        made = super().event()
        return {**made, "properties": {**made["properties"], **self.note}}

    def send(self, batch, atomic):
        self.watch(lambda: super(FaultClient, self).send(batch, atomic))

    def correct(self):
        self.watch(super().correct)

    def watch(self, act):
        if self.enough.is_set():
            raise Refused
        call = self.api.call

        def watched(*args, **more):
            answer = call(*args, **more)
            if answer.status == 503 and answer.code == "journal_failed":
                self.refused_by = "journal_failed"
                raise Refused
            return answer
        self.api.call = watched
        try:
            act()
        except Refused:
            raise
        except Exception as broken:
            self.wrong.append(f"no answer: {broken!r}")
            raise Refused from broken
        finally:
            self.api.call = call


class FaultyServer(Server):
    """A server with the library in between."""

    def __init__(self, folder, **more):
        self.orders = open(folder / "order", "w+b")
        self.orders.truncate(4096)
        self.map = mmap.mmap(self.orders.fileno(), 4096)
        super().__init__(data=folder, **more)

    def start(self, wait=True):
        os.environ.update(LD_PRELOAD=os.path.abspath(LIBRARY), FAULTY_DISK=self.orders.name)
        try:
            return super().start(wait)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["FAULTY_DISK"]

    def arm(self, calls, path, how=FAIL, error=EIO, keep=0, stays=False, passes=0):
        self.map[:128] = struct.pack("<IIIIIIiI96s", 0, calls, how, error, keep, stays, passes, 0, path.encode())
        self.map[:4] = struct.pack("<I", 1)

    def disarm(self):
        self.map[:4] = struct.pack("<I", 0)

    def hits(self):
        return struct.unpack("<I", self.map[28:32])[0]

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Setting:
    """One data directory, its load, and what must be true around a fault."""

    def __init__(self, rng, folder):
        self.random = rng
        self.server = FaultyServer(folder, seal_bits=rng.choice([5, 6, 8]), config="usage.segmentBytes = 1MiB\n")
        self.directory = Directory(rng, self.server, FaultClient)
        self.clients, self.api = self.directory.clients, self.directory.api

    def load(self):
        for client in self.clients:
            client.enough.clear()
            client.refused_by = None
        self.threads = [threading.Thread(target=client.run, daemon=True) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def load_ended(self):
        """Every client has got its answer."""
        for thread in self.threads:
            thread.join(WAIT_S)
            must(not thread.is_alive(), f"a request was not answered in {WAIT_S} s")
        for client in self.clients:
            must(not client.wrong, f"{client.name}: {client.wrong[:3]}")
        must(self.server.process.poll() is None, "the server died")

    def load_stop(self):
        for client in self.clients:
            client.enough.set()
        self.load_ended()

    def until_hit(self):
        deadline = time.monotonic() + WAIT_S
        while self.server.hits() == 0:
            must(time.monotonic() < deadline, "the fault was never met")
            time.sleep(0.01)

    def check_latched(self, exact):
        """Ingest has ended, the rest goes on. `exact`: nothing but what was acknowledged may be seen."""
        for client in self.clients:
            must(client.refused_by == "journal_failed", f"{client.name} was not refused")
        for at in range(12):
            events = [self.clients[0].event() for _ in range(1 + at % 3)]
            answer = self.api.call("POST", "/v1/measurements", events if at % 2 else events[0])
            must((answer.status, answer.code) == (503, "journal_failed"), f"acknowledged after a failure: {answer!r}")
        answer = self.api.call("PUT", "/v1/meters/late", {"event": "work", "aggregation": "max"})
        must(answer.status == 503, f"a meter after a failure: {answer!r}")
        answer = self.api.call("GET", "/readyz")
        must((answer.status, answer.code) == (503, "journal_failed"), f"ready after a failure: {answer!r}")
        must(self.api.call("GET", "/livez").status == 200, "not alive after a failure")
        count, total = self.directory.counted()
        known, value = self.directory.known()
        # A void whose answer was a failure may be there all the same.
        void = sum(len(client.asked[1]) for client in self.clients if client.asked and client.asked[0] == "void")
        must(count >= known - void, f"{count} events are seen, {known} were acknowledged, {void} may be void")
        must(not exact or void or (count == known and total == value),
             f"{count} events of {total} are seen, {known} of {value} were acknowledged")
        before = self.server.cpu_seconds()
        time.sleep(0.6)
        must(self.server.cpu_seconds() - before < 0.3, "the process spins")

    def end(self):
        if self.random.random() < 0.7:
            self.server.stop()
        else:
            self.server.kill9()
        self.server.disarm()

    def come_back(self):
        self.server.verify()
        self.server.start()
        self.directory.check()
        self.server.stop()
        self.server.verify()


# ---- the faults

def latched_by(setting, exact, **order):
    """The usual course of a fault that ends ingest."""
    setting.load()
    time.sleep(0.2 + 0.2 * setting.random.random())
    setting.server.arm(**order)
    setting.load_ended()
    setting.check_latched(exact)
    setting.end()
    setting.come_back()


def a_failed_sync(setting):
    latched_by(setting, True, calls=SYNC, path=".journal", passes=setting.random.randrange(30))


def a_failed_write(setting):
    latched_by(setting, True, calls=PWRITEV, path=".journal", error=ENOSPC, passes=setting.random.randrange(30))


def a_torn_write(setting):
    latched_by(setting, True, calls=PWRITEV, path=".journal", how=TEAR, keep=512 * setting.random.randrange(9),
               passes=setting.random.randrange(30))


def no_room_for_a_segment(setting):
    for client in setting.clients:
        client.note = {"note": "n" * 400}  # the spare segments are used up sooner
    latched_by(setting, True, calls=PWRITEV, path="/spare-", error=ENOSPC, stays=True)


def no_room_for_a_seal(setting):
    latched_by(setting, False, calls=WRITE, path="/incoming/", error=ENOSPC, stays=True)


def a_seal_whose_files_do_not_sync(setting):
    latched_by(setting, False, calls=SYNC, path="/store/", stays=True)


def a_manifest_that_is_not_written(setting):
    latched_by(setting, False, calls=setting.random.choice([WRITE, SYNC, WRITE | SYNC]), path="/rocks/MANIFEST",
               error=setting.random.choice([EIO, ENOSPC]), stays=True, passes=setting.random.randrange(4))


def a_manifest_that_fails_once(setting):
    """A seal that fails ends ingest; a fold that fails is done again."""
    setting.load()
    time.sleep(0.2)
    setting.server.arm(SYNC, "/rocks/MANIFEST", passes=setting.random.randrange(4))
    setting.until_hit()
    time.sleep(0.2 * setting.random.random())
    setting.load_stop()
    if any(client.refused_by for client in setting.clients):
        must(setting.api.call("GET", "/readyz").status == 503, "ready after a failure")
    setting.end()
    setting.come_back()


def a_short_write_is_continued(setting):
    setting.load()
    time.sleep(0.2)
    setting.server.arm(PWRITEV, ".journal", CUT_SHORT, keep=setting.random.choice([1, 95, 97, 511, 700, 4096]),
                       passes=setting.random.randrange(10))
    setting.until_hit()
    time.sleep(0.1)
    setting.load_stop()
    must(setting.api.call("GET", "/readyz").status == 200, "a short write counts as a failure")
    setting.end()
    setting.come_back()


def a_start_on_a_dead_disk(setting):
    """Nothing is served, the process ends and says why; nothing is lost by the attempt."""
    setting.load()
    time.sleep(0.2)
    setting.server.kill9()
    for thread in setting.threads:
        thread.join(WAIT_S)
    for client in setting.clients:
        client.wrong = []  # its connection was cut
    setting.server.arm(*setting.random.choice([(SYNC, ".journal"), (PWRITEV, ".journal")]), stays=True)
    setting.server.start(wait=False)
    try:
        must(setting.server.process.wait(WAIT_S) == 1, "a start on a dead disk did not end with 1")
    except subprocess.TimeoutExpired:
        must(False, "a start on a dead disk did not end")
    must("cannot be written" in setting.server.log_tail(), f"no reason was given: {setting.server.log_tail(500)}")
    setting.server.process = None
    setting.server.disarm()
    setting.come_back()


def a_second_server(setting):
    """It is refused, as is verify, and the first does not notice."""
    setting.load()
    for command in (["serve", "--listen", "127.0.0.1:0"], ["verify"]):
        done = run_toll(command[0], "--data", str(setting.server.data), *command[1:], check=False, timeout=WAIT_S)
        must(done.returncode == 1 and b"another process" in done.stderr, f"opened twice: {done}")
    setting.load_stop()
    setting.end()
    setting.come_back()


def a_full_file_system(setting):
    """A small tmpfs, filled up beside the server; then more room and a new start."""
    ballast = setting.server.folder / "ballast"
    setting.load()
    time.sleep(0.2)
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
    setting.load_ended()
    setting.check_latched(False)
    setting.end()
    ballast.unlink()
    setting.come_back()


FAULTS = [a_failed_sync, a_failed_write, a_torn_write, no_room_for_a_segment, no_room_for_a_seal,
          a_seal_whose_files_do_not_sync, a_manifest_that_is_not_written, a_manifest_that_fails_once,
          a_short_write_is_continued, a_start_on_a_dead_disk, a_second_server]


# ---- running

@contextlib.contextmanager
def small_file_system(folder):
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(folder)],
                          capture_output=True)
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def run(fault, seed):
    """passed, failed or skip."""
    with tempfile.TemporaryDirectory(prefix="toll-faults-") as name, contextlib.ExitStack() as stack:
        if fault is a_full_file_system and not stack.enter_context(small_file_system(name)):
            return "skip"
        setting = None
        try:
            setting = Setting(random.Random(seed), Path(name))
            fault(setting)
        except (AssertionError, OSError) as wrong:
            log = setting.server.log_tail() if setting is not None else ""
            print(f"faults: {fault.__name__} FAILED with SEED={seed}: {wrong}\n{log}")
            return "failed"
        finally:
            if setting is not None:
                setting.server.kill9()
    return "passed"


def main():
    rounds = int(os.environ.get("N") or 5)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    only = sys.argv[1:]
    toll_binary()
    if not os.path.exists(LIBRARY):
        raise SystemExit(f"no library at {LIBRARY}: run make faults, or set FAULTY_DISK_SO=")
    counts = {"passed": 0, "failed": 0, "skip": 0}
    for at in range(rounds):
        for fault in FAULTS + [a_full_file_system]:
            if not only or fault.__name__ in only:
                began = time.monotonic()
                result = run(fault, seed + at)
                counts[result] += 1
                reason = ": mounting a small file system needs root" if result == "skip" else ""
                print(f"faults: {fault.__name__} {result}{reason} ({time.monotonic() - began:.1f} s)", flush=True)
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"faults: {counts['passed']} passed, {counts['failed']} failed{skipped} (SEED={seed})")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
