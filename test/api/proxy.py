# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a MariaDB server that can lose a connection around a commit: before the server
hears of it, or after it has answered and before the client hears that."""
import socket
import struct
import threading

COM_QUERY = 3


def read_exactly(connection, count):
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if part == b"":
            raise ConnectionError("closed")
        parts += part
    return parts


def read_packet(connection):
    head = read_exactly(connection, 4)
    length, = struct.unpack("<I", head[:3] + b"\0")
    return head + read_exactly(connection, length)


def is_commit(packet):
    return len(packet) > 5 and packet[4] == COM_QUERY and packet[5:].strip().lower() == b"commit"


class Proxy:
    """lose: a function that is asked at each commit and answers None, "before" or "after"."""

    def __init__(self, host, port, lose):
        self.target = (host, port)
        self.lose = lose
        self.lost = {"before": 0, "after": 0}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.create_connection(self.target)
        waits = threading.Event()  # the answer of the commit in flight is not passed on
        back = threading.Thread(target=self.answers, args=(server, client, waits), daemon=True)
        back.start()
        try:
            while True:
                packet = read_packet(client)
                how = self.lose() if is_commit(packet) else None
                if how is not None:
                    self.lost[how] += 1
                if how == "before":
                    break
                if how == "after":
                    waits.set()
                server.sendall(packet)
                if how == "after":
                    back.join()
                    break
        except OSError:
            pass
        for one in (client, server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    @staticmethod
    def answers(server, client, waits):
        try:
            while True:
                part = server.recv(65536)
                if part == b"" or waits.is_set():
                    return
                client.sendall(part)
        except OSError:
            return

    def close(self):
        self.listener.close()
