"""The server of a station: uvicorn behind a socket that is bound first, with TLS, and ended by whoever started it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import uvicorn

from flawspot.errors import FlawspotError
from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.listening import TLS, listening_socket
from flawspot.serve.guard.protocol import HEAD_BYTES, protocol_factory

if TYPE_CHECKING:
    import ssl

    from starlette.types import ASGIApp

_BACKLOG = 128
_GRACE_SECONDS = 5
"""That requests under way have to end when the server stops; streams of events would never."""
_FILES_BESIDE = 256
"""Open files that are not connections: the record, photographs, sessions."""


class StationServer(uvicorn.Server):
    """uvicorn's server with a socket of its own and no signal handlers.

    Attributes:
        address, port: that it listens on; the port is told where 0 was asked for.
        url: of its page.
        limits: that hold, with as many connections as the system allows.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, tls: ssl.SSLContext | None, limits: Limits):
        super().__init__(config)
        self._listener, self._tls, self.limits = listener, tls, limits
        self.address, self.port = listener.getsockname()[:2]
        host = f"[{self.address}]" if ":" in self.address else self.address
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._up = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are answered by the command line."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer.

        Raises:
            FlawspotError: the application could not start.
        """
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise FlawspotError("the station's application did not start: see the lines before this one")
        served = await asyncio.get_running_loop().create_server(
            lambda: self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            ),
            sock=self._listener,
            ssl=self._tls,
            backlog=_BACKLOG,
            ssl_handshake_timeout=self.limits.header_seconds if self._tls else None,
            ssl_shutdown_timeout=self.limits.header_seconds if self._tls else None,
        )
        self.servers = [served]
        self.started = True
        self._up.set()

    def wait_until_up(self, thread: threading.Thread) -> None:
        """Until it answers, or its thread has ended."""
        while not self._up.wait(0.05) and thread.is_alive():
            pass

    def close(self) -> None:
        """Let go of the socket of a server that was never run."""
        self._listener.close()


def server(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    tls: TLS | None = None,
) -> StationServer:
    """A server for `app`, already bound and not yet answering; see `running`.

    Args:
        app: an ASGI application, which is in a `Guard` already.
        host: the address, or the name of one, to listen on.
        port: 0 for any that is free; see `StationServer.port`.
        limits: None for the defaults. Where the system allows fewer open files, there are fewer connections.
        tls: certificate and key; None for plain HTTP.

    Raises:
        FlawspotError: the address cannot be listened on, or certificate and key do not serve; one line with the cure.
    """
    limits = limits or Limits()
    limits = replace(limits, connections=_possible_connections(limits.connections))
    context = tls.context() if tls else None
    listener = listening_socket(host, port, _BACKLOG)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=cast("type[asyncio.Protocol]", protocol_factory(limits)),
        ws="none",
        lifespan="auto",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # `Guard` tells what the application raised; what clients do wrong they are told
        access_log=False,
        proxy_headers=False,  # whoever sends X-Forwarded-For would choose whom its requests are counted for
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    return StationServer(config, listener, context, limits)


class Running:
    """A server that answers in a thread of its own; see `running`.

    Attributes:
        server: with its port and url.
    """

    def __init__(self, server: StationServer) -> None:
        self.server = server
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        self.server.wait_until_up(self._thread)
        self._raise()

    def wait(self) -> None:
        """Until the server has ended, which it does by itself only by an error; can be interrupted by a signal.

        Raises:
            Exception: what ended it.
        """
        while self._thread.is_alive():
            self._thread.join(0.5)  # a wait without end is not interrupted on Windows
        self._raise()

    def stop(self) -> None:
        """Take no more requests, wait some seconds for those under way, and end."""
        self.server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self.server.close()

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as error:
            self._error = error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


@contextlib.contextmanager
def running(server: StationServer) -> Iterator[Running]:
    """Answer requests while the block lasts; then those under way are ended.

    The server has a thread, so that Ctrl-C, which the command line raises in the main one, breaks off no request.

    Raises:
        FlawspotError: the application did not start.
    """
    runner = Running(server)
    try:
        runner.start()
        yield runner
    finally:
        runner.stop()


def _possible_connections(wanted: int) -> int:
    """As many as the system lets this process have open files for; its soft bound is raised where that is allowed."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
        soft = possible
    return max(1, min(wanted, soft - _FILES_BESIDE))
