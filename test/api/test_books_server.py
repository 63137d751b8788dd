# SPDX-License-Identifier: Apache-2.0
"""Books on a MariaDB server that misbehaves: what was answered is there once, what was refused is not."""
import concurrent.futures
import itertools
import os
import random
import time
import urllib.parse

import pytest
from client import Api, Server, connect_books
from proxy import Proxy

pytestmark = pytest.mark.skipif(not os.environ.get("TEST_BOOKS"), reason="books are files in this run")

ACCOUNTS = 120


def database_of(server):
    return connect_books(server.books, server.books.rpartition("/")[2])


def rows(server, sql):
    with database_of(server) as base:
        cursor = base.cursor()
        cursor.execute(sql)
        return cursor.fetchall()


def accounts_put(api, names):
    """Several at a time, so that commits are of groups."""
    def put(name):
        return name, api.call("PUT", "/v1/accounts/" + name, {"name": name}).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return dict(pool.map(put, names))


def behind(proxy_port, books):
    parts = urllib.parse.urlsplit(books)
    return books.replace(f":{parts.port}/", f":{proxy_port}/")


@pytest.fixture
def through_proxy():
    """A server of Toll whose commits go through a proxy that asks `lose`."""
    made = []

    def make(lose):
        server = Server(seal_bits=6)
        parts = urllib.parse.urlsplit(server.books)
        proxy = Proxy(parts.hostname, parts.port, lose)
        straight, server.books = server.books, behind(proxy.port, server.books)
        server.start()
        server.books = straight
        made.append((server, proxy))
        return server, proxy
    yield make
    for server, proxy in made:
        server.stop()
        proxy.close()
        server.remove()


def audited(server):
    """How often each account's creation stands in the audit log, which is written in its transaction."""
    found = {}
    for name, in rows(server, "select object from audit_entry where action like 'account%'"):
        found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_connection_lost_at_commit_loses_nothing_and_doubles_nothing(through_proxy, how):
    """Error 2013 at COMMIT: the writer's own row tells whether it happened."""
    dice = random.Random(how)
    server, proxy = through_proxy(lambda: how if dice.random() < 0.2 else None)
    names = [f"acct_{i:04d}" for i in range(ACCOUNTS)]
    statuses = accounts_put(Api(server), names)
    assert proxy.lost[how] > 0
    assert set(statuses.values()) == {200}, statuses
    assert [name.decode() for name, in rows(server, "select id from account order by id")] == names
    assert sorted(audited(server).values()) == [1] * ACCOUNTS
    server.stop()
    server.verify()


def test_a_row_that_somebody_locks_is_waited_for(fresh):
    """Error 1205: the transaction is rolled back whole and run again."""
    api = fresh()
    api.call("PUT", "/v1/accounts/held", {"name": "before"})
    with database_of(api.server) as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        cursor = other.cursor()
        cursor.execute("start transaction")
        cursor.execute("select * from account where id = 'held' for update")
        change = pool.submit(api.call, "PUT", "/v1/accounts/held", {"name": "after"})
        while not rows(api.server, "select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"):
            time.sleep(0.3)  # what it shows is renewed only when it was not read for a tenth of a second
        time.sleep(6)  # longer than a statement waits for a row
        cursor.execute("rollback")
        assert change.result().status == 200
    assert api.call("GET", "/v1/accounts/held").json["name"] == "after"


def test_connections_that_were_ended_while_idle_are_made_again(fresh):
    api = fresh()
    api.call("PUT", "/v1/accounts/one", {"name": "one"})
    database = api.server.books.rpartition("/")[2]
    ids = [number for number, in rows(api.server, "select id from information_schema.processlist where db = "
                                                  f"'{database}' and id <> connection_id()")]
    assert ids
    with connect_books(api.server.books) as other:
        for number in ids:
            other.cursor().execute(f"kill connection {number}")
    assert api.call("GET", "/v1/accounts/one").json["name"] == "one"
    assert api.call("PUT", "/v1/accounts/two", {"name": "two"}).status == 200


def test_writers_of_two_servers_lose_no_update(fresh):
    """Two writers on one row, as two servers would be: what both read they lock, so nothing is lost; one
    that deadlocks (1213) is run again."""
    api = fresh()
    api.call("PUT", "/v1/accounts/hot", {"name": "0"})
    stop = time.monotonic() + 3
    added = itertools.count()

    def other_server():
        with database_of(api.server) as base:
            cursor = base.cursor()
            while time.monotonic() < stop:
                try:
                    cursor.execute("start transaction")
                    cursor.execute("select version from account where id = 'hot' for update")
                    version, = cursor.fetchone()
                    cursor.execute("update account set version = %s where id = 'hot' and version = %s",
                                   (version + 1, version))
                    assert cursor.rowcount == 1
                    cursor.execute("commit")
                    next(added)
                except Exception as error:  # a deadlock or a wait: again
                    if not error.args or error.args[0] not in (1205, 1213):
                        raise
                    cursor.execute("rollback")

    def toll(name):
        done = 0
        while time.monotonic() < stop:
            done += api.call("PUT", "/v1/accounts/hot", {"name": f"{name} {done}"}).status == 200
        return done
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        others = [pool.submit(other_server) for _ in range(2)]
        changes = [pool.submit(toll, name) for name in range(4)]
        done = sum(change.result() for change in changes)
        for other in others:
            other.result()
    (version,), = rows(api.server, "select version from account where id = 'hot'")
    assert done > 0 and version == 1 + done + next(added)
