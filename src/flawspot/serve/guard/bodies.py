"""Reading the bodies of requests: so many at once, no larger than so much, no slower than so long."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.refusals import RefusedError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

SMALL = 16 * 1024
"""Bytes of a body that needs no turn: as much waits in each connection's buffers anyway."""


class Turns:
    """Who may hold a body. One address gets half of the turns, so that one slow or hostile client leaves some free."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._each = max(1, limits.bodies_at_once // 2)
        self._all = asyncio.Semaphore(limits.bodies_at_once)
        self._own: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Hold a turn for the block.

        Raises:
            RefusedError: 503, none became free in `Limits.turn_seconds`.
        """
        own = self._own.setdefault(address, asyncio.Semaphore(self._each))
        self._users[address] += 1
        try:
            async with contextlib.AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(self._limits.turn_seconds):
                        await held.enter_async_context(own)
                        await held.enter_async_context(self._all)
                except TimeoutError:
                    raise RefusedError(
                        503,
                        "too many photographs are being received: send it again a little later",
                        [("retry-after", "1")],
                    ) from None
                yield
        finally:
            self._users[address] -= 1
            if not self._users[address]:
                del self._users[address], self._own[address]


def announced(scope: Scope, limits: Limits) -> int | None:
    """Bytes of the body as the head tells; None where it does not, though there is one.

    Raises:
        RefusedError: 413, they are too many; 400, they are no number.
    """
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 20:
        raise RefusedError(400, "the Content-Length is no number: send the length of the body in bytes")
    length = int(lengths[0])
    if length > limits.body_bytes:
        raise _too_large(limits)
    return length


async def read(receive: Receive, limits: Limits) -> bytes | None:
    """The whole body; None where the client has gone.

    Raises:
        RefusedError: 413, it is too large; 408, it comes too slowly.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise RefusedError(
            408, f"the body did not come within {limits.body_seconds:g} s: send it faster, or a smaller one"
        ) from None


def told_again(body: bytes, receive: Receive) -> Receive:
    """What the application receives: the body in one piece, then what comes after it. It is not kept here."""
    left = [body]

    async def receive_again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_again


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(
        413, f"the body is larger than {limits.body_bytes:,} bytes: send a smaller photograph, or fewer at once"
    )
