# SPDX-License-Identifier: Apache-2.0
"""Keys and projects that no command makes yet, written into the books of a stopped server. The keyed
hash is the one of catalog/key.h: BLAKE2b-256 with the data directory's pepper."""
import hashlib
import secrets
import sqlite3
import zlib

from client import connect_books

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def as_text(value):
    """Keys come as bytes from MariaDB."""
    return value.decode() if isinstance(value, bytes) else value


def checksum(text):
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        digits, number = LETTERS[number % 62] + digits, number // 62
    return digits


def make_secret(prefix="toll_test_"):
    text = prefix + "".join(secrets.choice(LETTERS) for _ in range(30))
    return text + checksum(text)


class Books:
    def __init__(self, server):
        assert server.process is None, "stop the server first"
        self.server = server
        if server.books:
            self.base, self.mark = connect_books(server.books, server.books.rpartition("/")[2]), "%s"
        else:
            self.base, self.mark = sqlite3.connect(server.data / "books.sqlite"), "?"
        self.tenant, self.project = (as_text(value) for value in self.row("select tenant, id from project"))

    def row(self, sql):
        cursor = self.base.cursor()
        cursor.execute(sql)
        return cursor.fetchone()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.base.commit()
        self.base.close()

    def add(self, table, **row):
        names = ", ".join(row)
        marks = ", ".join([self.mark] * len(row))
        self.base.cursor().execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def add_project(self, id, unknown_accounts="create", horizon_us=0):
        self.add("project", tenant=self.tenant, id=id, name=id, time_zone="UTC", unknown_accounts=unknown_accounts,
                 horizon_us=horizon_us, version=1, created_at=0)

    def add_key(self, scopes, project=None, expires_at=None):
        secret = make_secret()
        digest = hashlib.blake2b(secret.encode(), key=self.pepper(), digest_size=32).digest()
        self.add("api_key", tenant=self.tenant, project=project or self.project, id="key_" + secrets.token_hex(13),
                 name="test", hash=digest, scopes=self.scope_text(scopes), expires_at=expires_at, created_at=0)
        return secret

    def scope_text(self, scopes):
        """As the key that `toll init` made spells several of them."""
        made, = self.row("select scopes from api_key limit 1")
        separator = "," if "," in made else " "
        return separator.join(sorted(scopes))

    def pepper(self):
        lines = (self.server.data / "keys").read_text().splitlines()
        return bytes.fromhex(dict(line.split(" ") for line in lines)["pepper"])
