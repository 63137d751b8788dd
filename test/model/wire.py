# SPDX-License-Identifier: Apache-2.0
"""HTTP at little cost: one keep-alive connection, many requests on their way at once, answers in order."""
import json
import re
import socket
import urllib.parse

IN_FLIGHT = 24
NUMBER = re.compile(r'"\\u0001([^"]*)"')


def encode(value):
    """JSON in which a Decimal is a number exactly as written."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda number: f"\1{number}")
    return NUMBER.sub(r"\1", text).encode()


def quote(text):
    """A caller's id as one path segment."""
    return urllib.parse.quote(text, safe="")


class Request:
    __slots__ = ("method", "target", "body", "type")

    def __init__(self, method, target, body=None, type="application/json"):
        self.method, self.target, self.type = method, target, type
        self.body = b"" if body is None else body if isinstance(body, bytes) else encode(body)


class Wire:
    def __init__(self, server):
        self.server = server
        self.socket, self.rest = None, b""

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.head = f"Host: toll\r\nAuthorization: Bearer {self.server.key}\r\n".encode()

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def bytes_of(self, request):
        return b"".join((request.method.encode(), b" ", request.target.encode(), b" HTTP/1.1\r\n", self.head,
                         b"Content-Type: ", request.type.encode(), b"\r\nContent-Length: ",
                         str(len(request.body)).encode(), b"\r\n\r\n", request.body))

    def exchange(self, requests):
        """[(status, answer)] in the order of the requests."""
        if self.socket is None:
            self.open()
        answers = []
        for at in range(0, len(requests), IN_FLIGHT):
            some = requests[at:at + IN_FLIGHT]
            self.socket.sendall(b"".join(map(self.bytes_of, some)))
            answers += [self.answer() for _ in some]
        return answers

    def more(self):
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.rest += part

    def answer(self):
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self.more()
        head = self.rest[:end].lower()
        place = head.index(b"content-length:") + 15
        stop = head.find(b"\r", place)
        size = int(head[place:stop if stop >= 0 else len(head)])
        while len(self.rest) < end + 4 + size:
            self.more()
        body, self.rest = self.rest[end + 4:end + 4 + size], self.rest[end + 4 + size:]
        return int(head[9:12]), json.loads(body) if body else None
