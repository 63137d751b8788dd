# SPDX-License-Identifier: Apache-2.0
"""The server as its operator sees it: health, metrics, the printed reference, starting and stopping."""
import json
import re
import shutil
import socket
import threading
import time
from decimal import Decimal

import jsonschema
import pytest
from client import ROOT, Api, Server, dump, run_toll


def test_livez_and_healthz(api):
    assert api.get("/livez", key="") == api.get("/healthz", key="")


def test_readyz(api):
    assert api.get("/readyz", key="")


def metrics(api):
    answer = api.call("GET", "/metrics")
    assert answer.status == 200
    return answer.body.decode()


def test_metrics_are_openmetrics(api):
    answer = api.call("GET", "/metrics")
    assert answer.type == "application/openmetrics-text"
    text = answer.body.decode()
    assert text.endswith("# EOF\n")
    types, seen = {}, set()
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and kind in ("counter", "gauge", "histogram")
            types[name] = kind
        elif line.startswith("# "):
            assert re.match(r"# (HELP|UNIT) [a-z_]+ ", line), line
        else:
            name, value = re.match(r"^([a-z_]+)(?:\{[^}]*\})? (-?[\d.e+]+)$", line).groups()
            base = re.sub("_total$", "", name)
            assert types[base] == ("counter" if name.endswith("_total") else "gauge"), line
            assert name not in seen
            seen.add(name)
    assert {"toll_events_accepted_total", "toll_sequence"} <= seen


def number(text, name):
    return int(re.search(rf"^{name} (\d+)$", text, re.M).group(1))


def test_metrics_count_verdicts(api, n, event):
    meter = api.meter(n("meter"))["id"]
    before, made = metrics(api), event(meter)
    api.send([made, event(meter)])
    api.send([made, {**made, "value": 2}, {**event(meter), "value": "x"}])
    after = metrics(api)
    grown = [number(after, f"toll_events_{name}_total") - number(before, f"toll_events_{name}_total")
             for name in ("accepted", "duplicate", "conflict", "rejected")]
    assert grown == [2, 1, 1, 1]


def test_the_served_openapi_is_the_printed_one(api):
    served = api.call("GET", "/openapi.json", key="").json
    assert served == json.loads(run_toll("print", "openapi").stdout)


def test_the_stored_openapi_has_not_drifted():
    stored = ROOT / "docs" / "openapi.json"
    assert stored.exists(), "docs/openapi.json is missing: make docs"
    assert json.loads(stored.read_text()) == json.loads(run_toll("print", "openapi").stdout), "make docs"


def test_openapi_is_whole(contract):
    document = contract.document
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for _, _, _, operation in contract.routes]
    assert len(names) == len(set(names))
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document))):
        assert contract.resolve({"$ref": reference}) is not None
    for method, template, _, operation in contract.routes:
        told = {part["name"] for part in map(contract.resolve, operation.get("parameters", []))
                if part["in"] == "path"}
        assert told == set(re.findall(r"\{([^}]+)\}", template)), (method, template)
        assert operation.get("summary") or operation.get("description")


@pytest.mark.parametrize("what", ["errors", "config", "metrics", "scopes", "steps"])
def test_the_rest_of_the_reference_prints(what):
    assert run_toll("print", what).stdout.strip()


def test_docs_page(api):
    answer = api.call("GET", "/docs", key="")
    assert answer.status == 200 and answer.type == "text/html"


def test_commands_exit_2_on_wrong_usage_and_1_on_failure(tmp_path):
    assert run_toll("nonsense", check=False).returncode == 2
    assert run_toll("serve", "--colour", "red", check=False).returncode == 2
    nothing = str(tmp_path / "nothing")
    assert run_toll("serve", "--data", nothing, "--listen", "127.0.0.1:0", check=False).returncode == 1
    assert run_toll("verify", "--data", nothing, check=False).returncode == 1


COMMANDS = ("init", "serve", "demo", "ingest", "rate", "verify", "migrate", "config", "print", "bench", "bench ingest",
            "bench rate", "bench simulate", "bench bill", "bench charge", "bench ledger")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_tells_its_usage_when_it_is_asked(command):
    for asking in (("--help",), ("-h",), ("--colour", "red", "--help")):
        done = run_toll(*command.split(), *asking)
        assert done.stderr == b"" and f"toll {command}".encode() in done.stdout, (asking, done)


def test_every_command_is_asked_for_its_usage():
    listed = re.findall(r"^  toll (\w+)", run_toll("--help").stdout.decode(), re.M)
    assert set(listed) == {command.split()[0] for command in COMMANDS}


def test_the_demo_closes_its_month():
    told = json.loads(run_toll("demo", "--json").stdout)
    document, balance = told["invoice"]["document"], told["trialBalance"]
    assert told["bill"]["total"] == "25193.02"
    assert [document[name] for name in ("subtotal", "credits", "tax", "amountDue")] == \
        ["25193.02", "-500.00", "4938.60", "29631.62"]
    assert (told["run"]["invoices"], told["run"]["failed"]) == (12, 0)
    assert sum(Decimal(row["balance"]) for row in balance["data"]) == 0
    assert told["proof"]["clean"] and told["proof"]["transactions"] == 13
    shown = run_toll("demo").stdout.decode()
    assert "29,631.62 USD" in shown and "13 transactions" in shown


def told(*args, **more):
    done = run_toll(*args, check=False, **more)
    return done.returncode, done.stderr.decode()


def test_a_wrong_command_line_is_told_what_is_wrong(monkeypatch):
    monkeypatch.delenv("TOLL_KEY", raising=False)
    for args, wrong in ((("nonsense",), "there is no command nonsense"),
                        (("serve", "--colour", "red"), "--colour is no option of it"),
                        (("serve", "--data"), "--data needs a value"),
                        (("ingest", "-f", "usage.json"), "a key is required, as --key or in TOLL_KEY"),
                        (("ingest", "--key", "k"), "-f FILE is required"),
                        (("ingest", "-f", "-", "--batch", "0"), "not understood: --batch 0")):
        code, text = told(*args)
        assert code == 2 and wrong in text, (args, text)


def test_a_file_that_is_no_json_is_not_sent(shared_server):
    code, text = told("ingest", "-f", "-", "--key", shared_server.key, "--url",
                      f"http://127.0.0.1:{shared_server.port}", input=b"meter,account,value\nm,a,1\n")
    assert code == 1 and "one object a line or one array" in text, text


def test_init_makes_a_private_directory_once_and_leaves_other_files_alone(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "notes.txt").write_text("mine")
    made = json.loads(run_toll("init", "--data", str(data), "--json").stdout)
    assert set(made) == {"tenant", "project", "apiKey"}
    assert re.fullmatch(r"toll_(test|live)_[0-9A-Za-z]{36}", made["apiKey"])
    assert (data / "notes.txt").read_text() == "mine"
    assert (data / "keys").stat().st_mode & 0o077 == 0
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    assert run_toll("init", "--data", str(data), "--json", check=False).returncode == 1
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()} == before


def test_a_directory_has_one_server_at_a_time(shared_server):
    second = run_toll("serve", "--data", str(shared_server.data), "--listen", "127.0.0.1:0", check=False)
    assert second.returncode == 1
    assert run_toll("verify", "--data", str(shared_server.data), check=False).returncode == 1


def test_an_address_has_one_server_at_a_time(shared_server, tmp_path):
    run_toll("init", "--data", str(tmp_path / "data"))
    taken = f"127.0.0.1:{shared_server.port}"
    code, text = told("serve", "--data", str(tmp_path / "data"), "--listen", taken)
    assert code == 1 and f"cannot listen on {taken}" in text


def test_the_sequence_is_told_after_a_restart_and_its_loss_is_noticed(fresh, n, event):
    api = fresh()
    meter = api.meter(n("meter"))["id"]
    api.send([event(meter, n("acct"), value=i) for i in range(5)])
    before = re.search(r"^toll_sequence (\d+)$", metrics(api), re.M)[1]
    api.server.restart()
    assert int(before) >= 5 and re.search(r"^toll_sequence (\d+)$", metrics(api), re.M)[1] == before
    api.server.stop()
    journal, away = api.server.data / "usage" / "journal", api.server.data / "away"
    journal.rename(away)
    code, text = told("verify", "--data", str(api.server.data), books=api.server.books)
    assert code == 1 and "usage has fewer" in text, text
    if journal.exists():
        shutil.rmtree(journal)
    away.rename(journal)
    api.server.verify()
    api.server.start()


def test_everything_survives_a_restart(fresh, n, event):
    api = fresh(seal_bits=4)
    meter, account, plan = api.meter(n("meter"), dimensions=["region"])["id"], n("acct"), n("plan")
    made = [event(meter, account, value=i, region=f"r{i % 3}") for i in range(100)]
    api.send(made)
    charge = {"id": "c", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    api.publish(plan, {"currency": "USD", "charges": [charge]})
    sub = api.subscribe(n("sub"), account, plan)["id"]

    def outcomes(*names):
        rows = api.get("/v1/measurements/outcomes", query={"window": "hour"})["data"]
        return [sum(row[name] for row in rows) for name in names]

    def everything():
        bill = api.bill(sub, at="2026-06-15T00:00:00Z")
        return (bill["lines"], bill["sequence"], api.get(f"/v1/meters/{meter}"), api.get(f"/v1/accounts/{account}"),
                api.get(f"/v1/plans/{plan}"), api.get("/v1/measurements", query={"account": account, "limit": 100}),
                outcomes("accepted"))
    before = everything()
    for end in (api.server.stop, api.server.kill9, api.server.stop):
        verdicts = outcomes("accepted", "duplicates")
        end()
        api.server.start()
        assert everything() == before
        if end == api.server.stop:  # a crash may lose the last second's count of duplicates
            assert outcomes("accepted", "duplicates") == verdicts
        assert api.send(made)["duplicates"] == 100


def test_verify_is_clean_and_finds_drift(fresh, n, event):
    api = fresh(seal_bits=4)
    meter = api.meter(n("meter"))["id"]
    api.send([event(meter) for _ in range(100)])
    api.server.stop()
    api.server.verify()
    damaged = sorted((api.server.data / "usage").rglob("*.sst"))
    assert damaged, "no sealed file: seals of 16 events must have happened"
    raw = bytearray(damaged[0].read_bytes())
    raw[len(raw) // 3] ^= 0x10
    damaged[0].write_bytes(bytes(raw))
    assert run_toll("verify", "--data", str(api.server.data), check=False, books=api.server.books).returncode == 1


def test_a_flipped_bit_in_the_journal_is_refused_by_range(fresh, n, event):
    api = fresh()  # nothing is sealed: all is in the journal
    meter = api.meter(n("meter"))["id"]
    for _ in range(20):
        made = event(meter)
        api.send([made])
    api.server.kill9()
    victim = next(path for path in (api.server.data / "usage").rglob("*")
                  if path.is_file() and made["uniqueId"].encode() in path.read_bytes())
    raw = bytearray(victim.read_bytes())
    at = raw.find(made["uniqueId"].encode()[:-2] + b"10")  # in the middle of the records
    raw[at] ^= 0x01
    victim.write_bytes(bytes(raw))
    ended = run_toll("serve", "--data", str(api.server.data), "--listen", "127.0.0.1:0", check=False,
                     books=api.server.books)
    assert ended.returncode == 1
    assert victim.stem.encode() in ended.stderr, ended.stderr
    # Recovery, which fails here, can take long: an address that cannot be listened on is told before it.
    for listen in ("8080", "127.0.0.1:http", "host.invalid:80"):
        code, text = told("serve", "--data", str(api.server.data), "--listen", listen, books=api.server.books)
        assert code == 1 and f"cannot listen on {listen}" in text and victim.stem not in text


def test_a_drain_answers_what_was_taken(fresh, n, event):
    api = fresh(seal_bits=6)
    meter, acknowledged, lock = api.meter(n("meter"))["id"], [], threading.Lock()

    def load(number):
        mine = Api(api.server)
        for i in range(100_000):
            made = event(meter, uid=f"{meter}-{number}-{i}")
            try:
                answer = mine.call("POST", "/v1/measurements", [made])
            except OSError:
                return
            except Exception:
                return
            if answer.status == 503:
                return
            assert answer.json["accepted"] == 1
            with lock:
                acknowledged.append(made)
    threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 200:
        time.sleep(0.005)
    api.server.stop()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    api.server.start()
    assert api.send(acknowledged[:10_000])["duplicates"] == len(acknowledged[:10_000])


def test_many_connections_are_all_answered(api, n, event):
    """1, 100 and 1,000 connections send at once; each gets its answer. The alarm is the watchdog."""
    meter = api.meter(n("meter"))["id"]
    for count in (1, 100, 1000):
        socks = [socket.create_connection(("127.0.0.1", api.server.port), timeout=60) for _ in range(count)]
        for sock in socks:
            body = dump(event(meter)).encode()
            sock.sendall((f"POST /v1/measurements HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
                          f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        for sock in socks:
            assert sock.recv(4096).startswith(b"HTTP/1.1 202")
            sock.close()


def test_a_full_disk_stops_acknowledging_and_says_so(contract, n):
    """A small file system that fills up. Needs the right to mount one; says so when it has none."""
    import os
    import subprocess
    import tempfile
    folder = tempfile.mkdtemp(prefix="toll-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", folder], capture_output=True).returncode:
        os.rmdir(folder)
        pytest.skip("may not mount a small file system here")
    try:
        server = Server(data=folder, seal_bits=10)
        server.start()
        api = Api(server, contract=contract)
        meter, accepted = api.meter(n("meter"))["id"], []
        api.meter(meter)
        batch = 0
        while batch < 400:
            batch += 1
            made = [{"meter": meter, "account": "a", "uniqueId": f"{batch}-{i}", "ts": "2026-06-01T00:00:00Z",
                     "properties": {"p": os.urandom(500).hex()}} for i in range(1000)]
            answer = api.call("POST", "/v1/measurements", made)
            if answer.status == 503:
                break
            assert answer.json["accepted"] == 1000
            accepted += made
        assert answer.status == 503 and answer.code in ("journal_failed", "sealing_behind"), answer
        again = api.call("POST", "/v1/measurements", made)
        assert again.status == 503, "once failed, it must stay so until a restart"
        ready = api.call("GET", "/readyz", key="")
        assert ready.status == 503, ready
        assert api.call("GET", "/livez", key="").status == 200
        server.kill9()
        subprocess.run(["mount", "-o", "remount,size=2g", folder], check=True)
        server.start()
        for at in range(0, len(accepted), 10_000):
            part = accepted[at:at + 10_000]
            assert api.send(part)["duplicates"] == len(part), "an acknowledged event is gone"
        assert api.call("POST", "/v1/measurements", made).json["accepted"] + \
            api.call("POST", "/v1/measurements", made).json["duplicates"] >= 1000
        server.stop()
        server.verify()
    finally:
        server.kill9()
        subprocess.run(["umount", folder])
        os.rmdir(folder)


def test_addresses_are_checked_before_anything_is_opened(monkeypatch, tmp_path):
    for variable, value, wrong in (("TOLL_BOOKS", "postgres://toll:secret@db/books", "does not begin with mysql://"),
                                   ("TOLL_BOOKS", "mysql://toll:secret@db", "there is no database"),
                                   ("TOLL_LISTEN", "8080", "must be HOST:PORT")):
        with monkeypatch.context() as patched:
            patched.setenv(variable, value)
            for command in (("config", "check"), ("init", "--data", str(tmp_path / "books"))):
                code, text = told(*command)
                assert code == 1 and wrong in text and "secret" not in text, (variable, command, text)
    assert not (tmp_path / "books").exists()


def test_init_says_how_to_serve_with_the_same_configuration(tmp_path):
    file = tmp_path / "toll.conf"
    file.write_text("log.level = info\n")
    made = run_toll("init", "--data", str(tmp_path / "a"), "--config", str(file)).stdout.decode()
    assert f"toll serve --data {tmp_path / 'a'} --config {file}" in made
