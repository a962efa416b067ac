"""A guarded application on real sockets of this machine, and clients that speak as they please."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")

from flawspot.serve.guard import Guard, Limits
from flawspot.serve.guard.listening import TLS
from flawspot.serve.guard.server import StationServer, running, server


@dataclass
class Application:
    """Answers with what it was sent.

    Attributes:
        served: paths that reached it.
        holding: bodies that it holds now; `most` at once so far.
        release: set by a test to let ``/hold`` go on.
    """

    served: list[str] = field(default_factory=list)
    holding: int = 0
    most: int = 0
    held: bool = False
    sent: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.served.append(scope["path"])
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        await getattr(self, f"_{scope['path'].strip('/')}")(send, body)

    async def _echo(self, send: Any, body: bytes) -> None:
        await _answer(send, json.dumps({"bytes": len(body)}).encode())

    async def _hold(self, send: Any, body: bytes) -> None:
        self.holding += 1
        self.most = max(self.most, self.holding)
        while self.held:
            await asyncio.sleep(0.01)
        self.holding -= 1
        await self._echo(send, body)

    async def _own(self, send: Any, body: bytes) -> None:
        headers = [(b"Cache-Control", b"max-age=60"), (b"Content-Security-Policy", b"default-src *")]
        await _answer(send, b"own", headers)

    async def _events(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await asyncio.sleep(0.1)

    async def _large(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(64 * 1024), "more_body": True})
            self.sent += 1
        await send({"type": "http.response.body", "body": b""})

    async def _whole(self, send: Any, body: bytes) -> None:
        await _answer(send, bytes(range(256)) * 4000)

    async def _huge(self, send: Any, body: bytes) -> None:
        await _answer(send, b"x" * 16 * 1024**2)

    async def _broken(self, send: Any, body: bytes) -> None:
        raise ZeroDivisionError("a bug")

    async def _half(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ZeroDivisionError("a bug")


async def _answer(send: Any, body: bytes, headers: Any = ()) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Station:
    """A server that runs."""

    server: StationServer
    application: Application
    errors: list[Exception]

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in small letters and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {}, encode_chunked=False)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def say(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes until the connection is closed."""
        with self.connect() as client:
            client.sendall(data)
            return until_closed(client)


def until_closed(client: socket.socket) -> bytes:
    """All that comes until the server closes or resets the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            received += part
    return received


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


Stations = Callable[..., Station]


@pytest.fixture
def station() -> Iterator[Stations]:
    """Starts a station with the limits that are given, beside ``hosts``, ``admit`` and ``tls``."""
    with contextlib.ExitStack() as stack:

        def start(*, hosts: Any = (), admit: Any = None, tls: TLS | None = None, **limits: Any) -> Station:
            application, errors = Application(), []
            allowed = Limits(**limits)
            guard = Guard(application, allowed, hosts=hosts, admit=admit, on_error=errors.append)
            made = server(guard, limits=allowed, tls=tls)
            made.config.timeout_graceful_shutdown = 1
            stack.enter_context(running(made))
            return Station(made, application, errors)

        yield start


@pytest.fixture
def said() -> Callable[[bytes], bytes]:
    """The JSON error in the bytes of an answer."""
    return lambda answer: json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.fixture
def until() -> Callable[..., None]:
    """See `wait_for`."""
    return wait_for


@pytest.fixture
def rest() -> Callable[[socket.socket], bytes]:
    """See `until_closed`."""
    return until_closed
