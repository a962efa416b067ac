"""A small MQTT 3.1.1 broker, on loopback: it takes what is published, keeps what is retained, knows last wills, and
misbehaves as it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 12, 13, 14


class Broker:
    """Attributes:
    plan: what becomes of the next published results: ``take``, ``lose`` (taken, the connection dies before the
        acknowledgement), ``die`` (not even taken), ``silence`` (taken, never acknowledged). Then all are taken.
    refuse: the code that connections are answered with; 0 lets them in.
    login: the user and password of the last connection.
    keepalive: the seconds that it asked for.
    taken: topic and payload of all that was published, in order; status among it.
    retained: the last retained payload of each topic.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.plan, self.refuse, self.login, self.keepalive, self.pings = [], 0, None, None, 0
        self.taken, self.retained = [], {}
        self._connections = []
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="broker", daemon=True)
        self._thread.start()

    def results(self):
        return [(topic, payload) for topic, payload in self.taken if not topic.endswith("/status")]

    def close(self):
        """End, and let go of everybody."""
        for each in (self._listening, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join()

    def hang_up(self):
        """End every connection."""
        for each in list(self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), name="broker", daemon=True).start()

    def _serve(self, connection):
        will = None
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while True:
                    kind, flags, body = packet(stream)
                    if kind == CONNECT:
                        will, self.login, self.keepalive = connect(body)
                        connection.sendall(bytes([CONNACK << 4, 2, 0, self.refuse]))
                        if self.refuse:
                            will = None
                            return
                    elif kind == PUBLISH:
                        self._published(connection, flags, body)
                    elif kind == PINGREQ:
                        self.pings += 1
                        connection.sendall(bytes([PINGRESP << 4, 0]))
                    elif kind == DISCONNECT:
                        will = None
                        return
        except (OSError, EOFError, ValueError, IndexError):
            pass
        finally:
            if will is not None:
                self._keep(*will, retain=True)

    def _published(self, connection, flags, body):
        length = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        assert flags >> 1 & 3 == 1  # QoS 1
        step = self.plan.pop(0) if self.plan and not topic.endswith("/status") else "take"
        if step == "die":
            raise EOFError
        self._keep(topic, rest[2:], retain=bool(flags & 1))
        if step == "lose":
            raise EOFError
        if step == "take":
            connection.sendall(bytes([PUBACK << 4, 2]) + rest[:2])

    def _keep(self, topic, payload, *, retain):
        self.taken.append((topic, payload))
        if retain:
            self.retained[topic] = payload


def packet(stream):
    """Kind, flags and body of the next one."""
    first = exactly(stream, 1)[0]
    length = shift = 0
    while True:
        byte = exactly(stream, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return first >> 4, first & 15, exactly(stream, length)


def exactly(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def connect(body):
    """Last will, login and keepalive that a CONNECT asks for."""
    fields, at = [], 10
    flags, keepalive = body[7], struct.unpack(">H", body[8:10])[0]
    while at < len(body):
        length = struct.unpack(">H", body[at : at + 2])[0]
        fields.append(body[at + 2 : at + 2 + length])
        at += 2 + length
    assert body[:7] == b"\0\4MQTT\4"
    fields.pop(0)  # the client's name
    will = (fields.pop(0).decode(), fields.pop(0)) if flags & 4 else None
    return will, tuple(field.decode() for field in fields) or None, keepalive
