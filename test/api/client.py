# SPDX-License-Identifier: Apache-2.0
"""A Toll server under test, and a client that believes nothing it is told.

Server   one data directory and the process that serves it; ends by process id, checks that it ended
Api      HTTP with keep-alive, one connection a thread; every answer goes to a Contract when there is one
Contract the printed OpenAPI document: every answer is checked against it, every route and declared
         error that was reached is remembered
"""
import ctypes
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60  # a watchdog, not a measurement


def toll_binary():
    path = Path(os.environ.get("TOLL", str(ROOT / "build" / "toll")))
    if not path.is_absolute():
        path = ROOT / path
    if not path.exists():
        raise SystemExit(f"no binary at {path}: run make, or set TOLL=")
    return str(path)


def run_toll(*args, check=True, input=None, timeout=120, books=None):
    done = subprocess.run([toll_binary(), *args], capture_output=True, input=input, timeout=timeout,
                          env=books_environment(books))
    if check and done.returncode != 0:
        raise AssertionError(f"toll {' '.join(args)}: exit {done.returncode}\n{done.stderr.decode()}")
    return done


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def books_environment(books):
    return dict(os.environ, TOLL_BOOKS=books) if books else None


def connect_books(address, database=None):
    """A connection to the MariaDB server of TEST_BOOKS=mysql://user:password@host:port/database."""
    import pymysql
    parts = urllib.parse.urlsplit(address)
    return pymysql.connect(host=parts.hostname, port=parts.port, user=parts.username, password=parts.password,
                           database=database, autocommit=True)


def new_books():
    """The address of a new database on the server of TEST_BOOKS; None: books are files."""
    address = os.environ.get("TEST_BOOKS")
    if not address:
        return None
    name = f"api_{secrets.token_hex(8)}"
    with connect_books(address) as connection:
        connection.cursor().execute(f"create database {name}")
    return address.rpartition("/")[0] + "/" + name


LIBC = ctypes.CDLL(None)


def end_with_parent():
    """In the child: a test run that is killed leaves no server behind."""
    LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Server:
    """One data directory; start, kill9, stop as often as wanted."""
    program = staticmethod(toll_binary)

    def __init__(self, data=None, seal_bits=None, config=None):
        self.own = data is None
        self.folder = Path(data or tempfile.mkdtemp(prefix="toll-test-"))
        self.data = self.folder / "data"
        self.process = None
        self.port = None
        self.config = config
        self.starts = 0
        if not self.data.exists():
            args = ["init", "--data", str(self.data), "--json"]
            if seal_bits is not None:
                args += ["--seal-bits", str(seal_bits)]
            books = new_books()
            made = json.loads(run_toll(*args, books=books).stdout)
            (self.folder / "init.json").write_text(json.dumps(dict(made, books=books)))
        self.made = json.loads((self.folder / "init.json").read_text())
        self.books = self.made["books"]
        self.key = self.made["apiKey"]
        self.project = self.made["project"]

    @property
    def log_path(self):
        return self.folder / "serve.log"

    def start(self, wait=True):
        assert self.process is None, "already running"
        self.port = free_port()
        args = [self.program(), "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        if self.config:
            path = self.folder / "toll.conf"
            path.write_text(self.config)
            args += ["--config", str(path)]
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        start_new_session=True, preexec_fn=end_with_parent,
                                        env=books_environment(self.books))
        log.close()
        self.starts += 1
        return self.wait_ready() if wait else 0.0

    def wait_ready(self, seconds=START_SECONDS):
        """Seconds from now until /readyz says yes."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                answer.read()
                connection.close()
                if answer.status == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.005)
        self.kill9()
        raise AssertionError(f"not ready after {seconds} s:\n{self.log_tail()}")

    def log_tail(self, size=4000):
        return self.log_path.read_bytes()[-size:].decode("utf-8", "replace")

    def kill9(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.process = None

    def stop(self, seconds=60):
        """Asks it to end and checks that it did, cleanly and with nothing left in its group."""
        if self.process is None:
            return
        group = self.process.pid
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"serve did not end within {seconds} s of SIGTERM:\n{self.log_tail()}")
        self.process = None
        try:
            os.killpg(group, 0)
            raise AssertionError("serve left a process behind")
        except ProcessLookupError:
            pass
        assert code == 0, f"serve ended with {code}:\n{self.log_tail()}"

    def restart(self):
        self.stop()
        return self.start()

    def verify(self):
        """toll verify on the stopped data directory; returns its output, raises on any drift."""
        assert self.process is None, "stop the server first"
        done = run_toll("verify", "--data", str(self.data), check=False, timeout=600, books=self.books)
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, f"toll verify: exit {done.returncode}\n{text}"
        return text

    def remove(self):
        self.kill9()
        if self.own and not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        try:
            if error[0] is None:
                self.stop()
        finally:
            self.remove()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body
        self.type = (headers.get("Content-Type") or "").split(";")[0].strip()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code") if self.type == "application/problem+json" else None

    def __repr__(self):
        return f"<{self.status} {self.type} {self.body[:2000]!r}>"


def dump(value):
    """JSON text in which a Decimal is a number exactly as written."""
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(name) + ":" + dump(part) for name, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dump(part) for part in value) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def quote(text):
    """A caller's id as one path segment."""
    return urllib.parse.quote(text, safe="")


class Api:
    """`call` never raises on a refusal: tests look at the status themselves; `get`, `put`, `post`
    expect success and return the JSON."""

    def __init__(self, server, key=None, contract=None, timeout=60):
        self.server = server
        self.key = server.key if key is None else key
        self.contract = contract
        self.timeout = timeout
        self.local = threading.local()

    def connection(self):
        held = getattr(self.local, "held", None)
        if held is None or held[0] != self.server.port:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=self.timeout)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            held = self.local.held = (self.server.port, connection)
        return held[1]

    def drop_connection(self):
        held = getattr(self.local, "held", None)
        if held is not None:
            held[1].close()
            self.local.held = None

    def exchange(self, method, target, body, headers):
        try:
            connection = self.connection()
            connection.request(method, target, body=body, headers=headers)
            raw = connection.getresponse()
            answer = Answer(raw.status, raw.headers, raw.read())
            if raw.will_close:
                self.drop_connection()
            return answer
        except BaseException:
            self.drop_connection()
            raise

    def call(self, method, path, body=None, query=None, headers=None, type="application/json", key=None):
        """body: bytes go as they are, text as UTF-8, anything else as JSON."""
        sent = {}
        bearer = self.key if key is None else key
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        if body is not None:
            if isinstance(body, str):
                body = body.encode()
            elif not isinstance(body, (bytes, bytearray)):
                body = dump(body).encode()
            sent["Content-Type"] = type
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        target = path
        if query:
            target += "?" + urllib.parse.urlencode(query, doseq=True)
        answer = self.exchange(method, target, body, sent)
        if self.contract is not None:
            self.contract.check(method, path, answer, body if type == "application/json" else None)
        return answer

    def expect(self, status, method, path, body=None, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status == status, f"{method} {path}: wanted {status}, got {answer!r}"
        return answer.json if answer.body else None

    def get(self, path, **more):
        return self.expect(200, "GET", path, **more)

    def put(self, path, body, **more):
        answer = self.call("PUT", path, body, **more)
        assert answer.status in (200, 201), f"PUT {path}: {answer!r}"
        return answer.json

    def post(self, path, body, **more):
        answer = self.call("POST", path, body, **more)
        assert answer.status in (200, 201, 202), f"POST {path}: {answer!r}"
        return answer.json

    def send(self, events, **more):
        """A batch of measurements; the counts and results of the answer."""
        return self.expect(202, "POST", "/v1/measurements", list(events), **more)

    def meter(self, id, aggregation="sum", **members):
        return self.put(f"/v1/meters/{quote(id)}", {"aggregation": aggregation, **members})

    def usage(self, meter, **query):
        return self.get("/v1/usage", query={"meter": meter, **query})

    def publish(self, plan, document, effective="2020-01-01T00:00:00Z"):
        self.put(f"/v1/plans/{quote(plan)}", document)
        return self.post(f"/v1/plans/{quote(plan)}/publish", {"effectiveFrom": effective})

    def subscribe(self, id, account, plan, starts="2020-01-01T00:00:00Z", **members):
        return self.put(f"/v1/subscriptions/{quote(id)}",
                        {"account": account, "plan": plan, "startsAt": starts, **members})

    def bill(self, subscription, **query):
        return self.get(f"/v1/subscriptions/{quote(subscription)}/bill", query=query)
