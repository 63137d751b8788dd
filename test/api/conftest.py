# SPDX-License-Identifier: Apache-2.0
"""One server for the session; every test names its own meters and accounts, so none sees another's.
Nothing here waits for ever: each test has an alarm, each server an end."""
import json
import os
import re
import shutil
import signal
import sys
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from client import Api, Server, run_toll  # noqa: E402
from contract import STATE, Contract  # noqa: E402

TEST_SECONDS = 180


def pytest_collection_modifyitems(session, config, items):
    here = Path(__file__).parent
    collected = {Path(str(item.fspath)).name for item in items if Path(str(item.fspath)).parent == here}
    every = {path.name for path in here.glob("test_*.py")}
    STATE["whole"] = collected == every and not config.option.keyword and not config.option.markexpr
    items.sort(key=lambda item: "test_zz_" in str(item.fspath))  # coverage comes last


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def ring(*_):
        raise TimeoutError(f"{item.name} took more than {TEST_SECONDS} s")
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(autouse=True)
def folder_goes(request):
    """A data directory is large, and pytest keeps those of its last three runs."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None and not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def contract():
    if STATE["contract"] is None:
        STATE["contract"] = Contract(json.loads(run_toll("print", "openapi").stdout))
    return STATE["contract"]


@pytest.fixture(scope="session")
def shared_server():
    with Server(seal_bits=6) as server:  # small seals: they and their merges happen under the tests
        yield server


@pytest.fixture(scope="session")
def shared_api(shared_server, contract):
    return Api(shared_server, contract=contract)


@pytest.fixture
def api(shared_api):
    shared_api.drop_connection()
    return shared_api


@pytest.fixture
def fresh(contract):
    """A server of the test's own: fresh() starts one, fresh(seal_bits=…) with other settings."""
    servers = []

    def make(**options):
        server = Server(**options)
        servers.append(server)
        server.start()
        return Api(server, contract=contract)
    yield make
    for server in servers:
        try:
            server.stop()
        finally:
            server.remove()


class Names:
    """Ids that belong to one test: n.meter, n("acct")."""

    def __init__(self, test):
        short = re.sub(r"[^A-Za-z0-9]+", "_", test.split("::")[-1])[:60].strip("_")
        self.prefix = f"{short}_{zlib.crc32(test.encode()):08x}"
        self.count = 0

    def __call__(self, kind="x"):
        self.count += 1
        return f"{self.prefix}.{kind}{self.count}"


@pytest.fixture
def n(request):
    return Names(request.node.nodeid)


@pytest.fixture
def event(n):
    """event(meter, account, value, …) makes one; ids are numbered within the test."""
    def make(meter, account="acct", value=1, ts="2026-06-10T12:00:00Z", uid=None, **properties):
        made = {"meter": meter, "account": account, "value": value, "ts": ts, "uniqueId": uid or n("evt")}
        if ts is None:
            del made["ts"]
        if value is None:
            del made["value"]
        if properties:
            made["properties"] = properties
        return made
    return make
