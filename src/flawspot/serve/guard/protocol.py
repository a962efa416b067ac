"""HTTP/1.1 of uvicorn with limits for clients that are slow or hostile."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.rates import Rates
from flawspot.serve.guard.refusals import RefusedError, secured

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

HEAD_BYTES = 8 * 1024
"""Largest head of a request; at most twice as much is accepted. Browsers send one or two KiB."""
HEAD_LINES = 100
"""Most headers. Each one takes far more memory and time than its bytes suggest."""
_HEAD_ENDS = re.compile(rb"\n\r?\n")
_RECEIVED_AT_ONCE = 64 * 1024
"""Bytes read from a socket at once, instead of asyncio's 256 KiB. They are held until the body has its turn."""
_DISCARD_SECONDS = 5.0
"""Seconds in which the rest of a refused body is discarded, so that its sender gets to read the refusal."""


class Crowd:
    """The connections of a server. Those without a request in progress may be closed for new ones."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.connections
        self._rates = Rates(limits.requests_per_second, limits.burst)
        self._open: set[GuardedProtocol] = set()
        self._waiting: dict[GuardedProtocol, None] = {}  # the one that waits longest is first

    def enter(self, newcomer: GuardedProtocol) -> bool:
        """Admit a connection if its address has not opened too many recently and there is room. Room may be made."""
        if self._rates.seconds_to_wait(newcomer.client[0] if newcomer.client else "unknown"):
            return False
        if len(self._open) >= self._most:
            if not self._waiting:
                return False
            longest = next(iter(self._waiting))
            self.leave(longest)
            longest.transport.abort()
        self._open.add(newcomer)
        return True

    def leave(self, protocol: GuardedProtocol) -> None:
        self._open.discard(protocol)
        self._waiting.pop(protocol, None)

    def note(self, protocol: GuardedProtocol, *, waits: bool) -> None:
        """Note whether the connection `waits`, that is, has no request in progress."""
        self._waiting.pop(protocol, None)
        if waits and protocol in self._open:
            self._waiting[protocol] = None


class GuardedProtocol(H11Protocol):
    """One connection. Each of its phases has a time limit.

    The phases are ``head``: a request has begun and its head is incomplete; ``idle``: between two requests;
    ``discard``: the answer was sent before the body had come; ``request``: everything else, with the body timed by
    `Guard`.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        crowd: Crowd,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits, self._crowd = limits, crowd
        self._phase = ""
        self._lines = 0  # of the current head
        self._phase_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        with contextlib.suppress(AttributeError):  # only asyncio's own transports have this attribute
            transport.max_size = _RECEIVED_AT_ONCE  # type: ignore[attr-defined]
        if self._crowd.enter(self):
            self._enter("head")
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        for timer in (self._phase_timer, self._unread_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass the data on in pieces, because h11 checks the length of a head only if a piece does not complete it."""
        for start in range(0, len(data), HEAD_BYTES):
            if self.transport.is_closing():
                return
            if self.conn.their_state is h11.DONE and self.cycle is not None:
                # More requests before the first is answered would pile up without limit. No browser sends them.
                self.cycle.keep_alive = False
                self.flow.pause_reading()
                return
            piece = data[start : start + HEAD_BYTES]
            if self.conn.their_state is h11.IDLE and self._has_many_lines(piece):
                self._refuse(RefusedError(431, f"the request has more than {HEAD_LINES} headers: send fewer"))
                return
            super().data_received(piece)
            self._look(pending=True)

    def eof_received(self) -> None:
        """The transport closes itself once everything is sent."""
        self._bound_closing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._bound_closing()
        else:
            self._look(pending=bool(self.conn.trailing_data[0]))

    def send_400_response(self, msg: str) -> None:
        """Send the error as JSON with the headers of every answer. Nothing is sent if an answer has begun."""
        self._refuse(RefusedError(400, "this is not an HTTP request, or its head is too long: check its sender"))

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._bound_closing()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._bound_closing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._bound_closing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None and not self.transport.is_closing():
            self._unread_timer.cancel()
            self._unread_timer = None

    def _has_many_lines(self, piece: bytes) -> bool:
        end = _HEAD_ENDS.search(piece)
        self._lines += piece.count(b"\n", 0, end.start() if end else len(piece))
        return self._lines > HEAD_LINES

    def _refuse(self, refusal: RefusedError) -> None:
        """Answer without the application, and close the connection."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        headers = [*secured(refusal.all_headers()), (b"connection", b"close")]
        head = h11.Response(status_code=refusal.status, headers=headers)
        for event in (head, h11.Data(data=refusal.body()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._bound_closing()

    def _look(self, *, pending: bool) -> None:
        """Find the current phase. `pending` tells that bytes of the next request may have come."""
        if self.conn.their_state is h11.IDLE:
            self._enter("head" if pending else "idle")
        elif self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete:
            self._enter("discard")
        else:
            self._enter("request")

    def _enter(self, phase: str) -> None:
        """Start a phase. Its time runs from the beginning, whatever is received meanwhile."""
        if phase == self._phase:
            return
        if self._phase_timer is not None:
            self._phase_timer.cancel()
            self._phase_timer = None
        self._phase = phase
        if phase != "head":
            self._lines = 0
        seconds = {"head": self._limits.header_seconds, "discard": _DISCARD_SECONDS}.get(phase)
        if seconds is not None:
            self._phase_timer = self._abort_after(seconds)
        self._crowd.note(self, waits=phase in ("head", "idle"))

    def _bound_closing(self) -> None:
        """Keep written but unread data no longer than `Limits.unread_seconds`."""
        if self._unread_timer is None:
            self._unread_timer = self._abort_after(self._limits.unread_seconds)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self.transport.abort)


def protocol_factory(limits: Limits) -> Callable[..., GuardedProtocol]:
    """A factory that uvicorn calls for each connection of one server."""
    crowd = Crowd(limits)

    def made(*arguments: Any, **named: Any) -> GuardedProtocol:
        return GuardedProtocol(*arguments, limits=limits, crowd=crowd, **named)

    return made
