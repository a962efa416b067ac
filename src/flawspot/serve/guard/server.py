"""The station's server: uvicorn on a socket that is bound first, with TLS, started and stopped by the caller."""

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
"""Seconds that requests in progress have to end when the server stops. Event streams would never end by themselves."""
_FILES_BESIDE = 256
"""Number of open files beside connections: the record, photographs, sessions."""


class StationServer(uvicorn.Server):
    """uvicorn's server with its own socket and without signal handlers.

    Attributes:
        address, port: the address and port it listens on; for port 0, the port that was found.
        url: URL of its page.
        limits: the limits in force, with at most as many connections as the system allows.
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
        """Do nothing: the command line handles signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer requests.

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
        """Wait until the server answers or its thread has ended."""
        while not self._up.wait(0.05) and thread.is_alive():
            pass

    def close(self) -> None:
        """Close the socket of a server that was never run."""
        self._listener.close()


def server(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    tls: TLS | None = None,
) -> StationServer:
    """Make a server for `app` whose socket is bound but which does not answer yet; see `running`.

    Args:
        app: an ASGI application, already in a `Guard`.
        host: the address or host name to listen on.
        port: the port; 0 for any free one, see `StationServer.port`.
        limits: the limits; None for the defaults. If the system allows fewer open files, there are fewer connections.
        tls: certificate and key; None for plain HTTP.

    Raises:
        FlawspotError: the address cannot be listened on, or certificate or key cannot be used. The message is one line
            with the cure.
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
        log_level="critical",  # `Guard` reports errors of the application, and clients are told of their own
        access_log=False,
        proxy_headers=False,  # otherwise X-Forwarded-For would let a client choose the address that it is counted under
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    return StationServer(config, listener, context, limits)


class Running:
    """A server that answers in its own thread; see `running`.

    Attributes:
        server: the server, with its port and URL.
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
        """Wait until the server has ended, which happens by itself only after an error. A signal can interrupt the
        wait.

        Raises:
            Exception: the error that ended it.
        """
        while self._thread.is_alive():
            self._thread.join(0.5)  # an endless wait could not be interrupted on Windows
        self._raise()

    def stop(self) -> None:
        """Accept no more requests, wait some seconds for those in progress, and end."""
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
    """Answer requests during the block, then end those in progress.

    The server has its own thread. Ctrl-C, which the command line raises in the main thread, then breaks off no request.

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
    """The number of connections that the process's limit on open files allows. The soft limit is raised if possible."""
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
