#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The simulated year on a Galera cluster of three MariaDB nodes: one is killed and comes back, one is cut off from the
others while clients may still reach it, one hangs; then the same happens to the node that the server writes to. The
server itself is killed as well. What must hold is what year.py checks.

    N=accounts (120)   MONTHS=10   SEED=number   KILL=seconds between kills of the server (3; 0: none)
"""
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import year  # noqa: E402  it sets the path for the others
import mariadb  # noqa: E402
from year_check import Wrong  # noqa: E402

PROVIDERS = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so"]
READY_SECONDS = 90  # a watchdog
READY, SIZE = "show status like 'wsrep_ready'", "show status like 'wsrep_cluster_size'"
STATE = "show status like 'wsrep_cluster_status'"


def provider():
    return next((path for path in PROVIDERS if os.path.exists(path)), None)


class Node(mariadb.Server):
    """One of the cluster; group, transfer and replay have ports of their own."""

    def __init__(self, folder, name):
        super().__init__(folder)
        self.name = name
        self.ports = [mariadb.free_port() for _ in range(3)]

    def join(self, nodes):
        """Says who the others are."""
        group, replay, transfer = self.ports
        self.common = [
            "--wsrep-on=ON", f"--wsrep-provider={provider()}", "--wsrep-cluster-name=books",
            "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-sst-method=rsync",
            "--wsrep-node-address=127.0.0.1", f"--wsrep-node-name={self.name}",
            f"--wsrep-sst-receive-address=127.0.0.1:{transfer}",
            "--wsrep-cluster-address=gcomm://" + ",".join(f"127.0.0.1:{node.ports[0]}" for node in nodes),
            "--wsrep-provider-options=" + ";".join([
                f"gmcast.listen_addr=tcp://127.0.0.1:{group}", f"ist.recv_addr=127.0.0.1:{replay}", "gcache.size=128M",
                "evs.keepalive_period=PT0.5S", "evs.suspect_timeout=PT4S", "evs.inactive_timeout=PT10S",
                "evs.inactive_check_period=PT0.3S"])]
        self.options = self.common

    def wait(self):
        super().wait()
        late = time.monotonic() + READY_SECONDS
        while self.ask(READY) != "ON":
            if self.process.poll() is not None or time.monotonic() > late:
                raise RuntimeError(f"{self.name} does not join:\n{self.log()}")
            time.sleep(0.1)

    def ask(self, sql):
        """The last column of the first row; None when it does not answer."""
        import pymysql
        try:
            with pymysql.connect(host="127.0.0.1", port=self.port, user="root", password=mariadb.PASSWORD,
                                 autocommit=True, connect_timeout=5, read_timeout=5) as connection:
                cursor = connection.cursor()
                cursor.execute(sql)
                row = cursor.fetchone()
                return row[-1] if row else None
        except pymysql.err.MySQLError:
            return None

    def recovered(self):
        """Where a node that was killed stood: so it asks the others for the rest alone."""
        command = [mariadb.found(), "--no-defaults", f"--datadir={self.data}", "--wsrep-recover",
                   f"--socket={self.folder}/recover", "--skip-networking",
                   f"--log-error={self.folder}/recover.err", *self.common]
        command += [f"--user={self.user}"] if self.user else []
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = re.findall(r"Recovered position: (\S+)", (self.folder / "recover.err").read_text(errors="replace"))
        return found[-1]

    def come_back(self):
        self.options = self.common + [f"--wsrep-start-position={self.recovered()}"]
        self.start()

    def cut_off(self, yes):
        """From the other nodes; clients still reach it."""
        self.ask(f"set global wsrep_provider_options = 'gmcast.isolate={int(yes)}'")

    def hang(self, yes):
        self.process.send_signal(signal.SIGSTOP if yes else signal.SIGCONT)


@contextlib.contextmanager
def cluster():
    folder = tempfile.mkdtemp(prefix="toll_galera_")
    os.chmod(folder, 0o755)
    nodes = [Node(Path(folder) / name, name) for name in ("first", "second", "third")]
    try:
        for node in nodes:
            node.make()
            node.join(nodes)
        nodes[0].options = nodes[0].common + ["--wsrep-new-cluster"]
        for node in nodes:
            node.start()
            (node.folder / "init.sql").write_text("select 1;\n")  # what it said is the cluster's
        yield nodes
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


class Troubles:
    """What happens to the nodes, month by month. The server's books name all three; it begins with the first."""

    def __init__(self, nodes):
        self.first, self.second, self.third = nodes

    def of_month(self, month):
        """(what, a function) or None."""
        return {
            1: ("a node is killed", self.second.kill),
            2: ("it comes back", self.second.come_back),
            3: ("a node is cut off", lambda: self.third.cut_off(True)),
            4: ("it is one of them again", lambda: self.join_again(self.third)),
            5: ("a node hangs for a while", lambda: self.hang_for(self.second, 15)),
            6: ("the node that is written to is cut off", lambda: self.first.cut_off(True)),
            7: ("it is one of them again", lambda: self.join_again(self.first)),
            8: ("the node that was first is killed", self.first.kill),
            9: ("it comes back, and the second is killed", self.swap),
        }.get(month)

    def swap(self):
        self.first.come_back()
        self.second.kill()

    def join_again(self, node):
        node.cut_off(False)
        self.wait_for_all()

    def hang_for(self, node, seconds):
        node.hang(True)
        time.sleep(seconds)
        node.hang(False)
        self.wait_for_all()

    def wait_for_all(self):
        """A second failure while one is mended leaves no majority."""
        late = time.monotonic() + READY_SECONDS
        while any((node.ask(SIZE), node.ask(READY)) != ("3", "ON") for node in (self.first, self.second, self.third)):
            if time.monotonic() > late:
                raise RuntimeError("the nodes do not find each other again")
            time.sleep(0.2)


class ClusterYear(year.Year):
    troubles = None

    def run(self, month):
        """The trouble comes while everybody is billed."""
        trouble = self.troubles.of_month(month)
        if trouble is None:
            return super().run(month)
        print(f"  {trouble[0]}", flush=True)
        thread = threading.Thread(target=self.make, args=(trouble[1],), daemon=True)
        thread.start()
        super().run(month)
        thread.join()

    def make(self, trouble):
        time.sleep(0.2)
        try:
            trouble()
        except BaseException:
            self.wrong.append(traceback.format_exc())


def main():
    if provider() is None or mariadb.found() is None:
        print("galera: no Galera here: left out")
        return 0
    count = int(os.environ.get("N") or 120)
    months = int(os.environ.get("MONTHS") or 10)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    seconds = float(os.environ.get("KILL") or 3)
    try:
        with cluster() as nodes:
            ClusterYear.troubles = Troubles(nodes)
            os.environ["TEST_BOOKS"] = nodes[0].address()
            hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
            try:
                year.live_on("galera", count, months, seed, seconds, ClusterYear,
                             lambda books: books.replace(f"127.0.0.1:{nodes[0].port}", hosts))
            except Exception:
                for node in nodes:
                    print(f"{node.name}: {node.process and node.ask(STATE)}\n{node.log()[-1500:]}", file=sys.stderr)
                raise
    except Exception as error:
        print(f"{error if isinstance(error, Wrong) else traceback.format_exc()}\n"
              f"total year galera: 0 passed, 1 failed (SEED={seed})", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
