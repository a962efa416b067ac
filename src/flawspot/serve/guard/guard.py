"""Wraps the application so that requests which are too large, too slow or from other sites never reach it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flawspot.serve.guard import bodies
from flawspot.serve.guard.answers import Answer, Unread, UnreadError
from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.rates import Rates
from flawspot.serve.guard.refusals import RefusedError
from flawspot.serve.guard.sites import check_host, check_site

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Guard:
    """ASGI middleware around a whole application.

    Bodies are read here, as a whole, before the application is called. So the application never waits for a slow
    client, and the memory is counted. Answers may be endless, as those of events are.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits | None = None,
        *,
        hosts: Iterable[str] = (),
        admit: Callable[[Scope], RefusedError | None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Guard `app`.

        Args:
            app: an ASGI application.
            limits: None for the defaults.
            hosts: names of the station, beside its addresses and ``localhost``; see `sites.check_host`.
            admit: a quick check of each request's head before its body is read. It returns a refusal for a request
                without rights, so that strangers send no photographs.
            on_error: called with an exception of the application, which is a bug; None logs it as ``flawspot.serve``.
        """
        self._app, self._limits = app, limits or Limits()
        self._hosts = frozenset(name.lower() for name in hosts)
        self._admit = admit
        self._on_error = on_error or _log
        self._rates = Rates(self._limits.requests_per_second, self._limits.burst)
        self._turns = bodies.Turns(self._limits)
        self._unread = Unread(self._limits.unread_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, Answer(send, self._unread))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self._on_error(error)
            raise

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        try:
            address = scope["client"][0] if scope.get("client") else "unknown"
            self._check(scope, address)
            await self._serve(scope, receive, answer.send, address)
        except RefusedError as refusal:
            if answer.begun:
                raise
            await answer.refuse(refusal)
        except UnreadError:
            raise  # the server closes the connection
        except Exception as error:
            self._on_error(error)
            if not answer.begun:
                await answer.refuse(RefusedError(500, "the station failed on this request: see its log"))
            elif not answer.ended:
                raise  # this also closes the connection, so that half an answer is not taken for a whole one

    def _check(self, scope: Scope, address: str) -> None:
        wait = self._rates.seconds_to_wait(address)
        if wait:
            after = [("retry-after", str(math.ceil(wait))), ("connection", "close")]
            most = self._limits.requests_per_second
            raise RefusedError(
                429, f"more than {most:g} requests a second from one address: send them more slowly", after
            )
        check_host(scope, self._hosts)
        check_site(scope)
        refusal = self._admit(scope) if self._admit else None
        if refusal is not None:
            raise refusal

    async def _serve(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        length = bodies.announced(scope, self._limits)
        if length == 0:
            await self._app(scope, receive, send)
        elif length is not None and length <= bodies.SMALL:
            await self._serve_body(scope, receive, send, bodies.Reading(self._limits))
        else:
            async with self._turns.turn(address) as reading:
                await self._serve_body(scope, receive, send, reading)

    async def _serve_body(self, scope: Scope, receive: Receive, send: Send, reading: bodies.Reading) -> None:
        body = await reading.whole(receive)
        if body is not None:
            again = bodies.told_again(body, receive)
            del body
            await self._app(scope, again, send)


def _log(error: Exception) -> None:
    logging.getLogger("flawspot.serve").error("the application failed on a request", exc_info=error)
