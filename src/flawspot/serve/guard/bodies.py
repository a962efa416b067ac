"""Reads the bodies of requests, with limits on their number, size and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.refusals import RefusedError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

SMALL = 16 * 1024
"""A body of at most so many bytes needs no turn: the connection's buffers hold as much anyway."""
_STEP = 64 * 1024
_STOPPED_SECONDS = 1.0
"""A body that receives fewer than `_STEP` bytes in this time gives its turn to a waiting one."""


class Turns:
    """Decides which requests may hold a body in memory.

    One address gets half of the turns. It waits for the shared turns with one body at a time. So a slow or hostile
    client leaves turns for others. A body that stops coming loses its turn to a waiting one.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._each = max(1, limits.bodies_at_once // 2)
        self._all = asyncio.Semaphore(limits.bodies_at_once)
        self._addresses: dict[str, _Address] = {}
        self._reading: set[Reading] = set()

    @contextlib.asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[Reading]:
        """Hold a turn for the block.

        Raises:
            RefusedError: 503, no turn became free within `Limits.turn_seconds`.
        """
        own = self._addresses.setdefault(address, _Address(self._each))
        own.users += 1
        try:
            async with contextlib.AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(self._limits.turn_seconds):
                        await self._take(own.turns, own.reading)
                        held.callback(own.turns.release)
                        async with own.waits:
                            await self._take(self._all, self._reading)
                except TimeoutError:
                    told = "too many photographs are being received: send it again a little later"
                    raise RefusedError(503, told, [("retry-after", "1")]) from None
                held.callback(self._all.release)
                reading = Reading(self._limits)
                for readings in (self._reading, own.reading):
                    readings.add(reading)
                    held.callback(readings.discard, reading)
                yield reading
        finally:
            own.users -= 1
            if not own.users:
                del self._addresses[address]

    async def _take(self, turns: asyncio.Semaphore, readings: set[Reading]) -> None:
        """Take a turn. If none is free, take it from the body that has stopped for longest."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOPPED_SECONDS / 4):
                    await turns.acquire()
                    return
            stopped = [reading for reading in readings if reading.stopped_for() > _STOPPED_SECONDS]
            if stopped:
                max(stopped, key=Reading.stopped_for).give_up()


class _Address:
    def __init__(self, turns: int) -> None:
        self.turns, self.waits, self.users = asyncio.Semaphore(turns), asyncio.Lock(), 0
        self.reading: set[Reading] = set()


class Reading:
    """The reading of one body; see `whole`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen = asyncio.get_running_loop().time()  # when the last `_STEP` bytes had come
        self._timeout: asyncio.Timeout | None = None

    def stopped_for(self) -> float:
        """Seconds in which fewer than 64 KiB have come; 0 once the body is complete."""
        return asyncio.get_running_loop().time() - self._seen if self._timeout is not None else 0.0

    def give_up(self) -> None:
        """End the reading now, with 408."""
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def whole(self, receive: Receive) -> bytes | None:
        """The whole body; None if the client has gone.

        Raises:
            RefusedError: 413, it is too large; 408, it comes too slowly.
        """
        body, steps = bytearray(), 0
        try:
            async with asyncio.timeout(self._limits.body_seconds) as self._timeout:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._limits.body_bytes:
                        raise _too_large(self._limits)
                    if not message.get("more_body", False):
                        return bytes(body)
                    if len(body) // _STEP > steps:
                        steps, self._seen = len(body) // _STEP, asyncio.get_running_loop().time()
        except TimeoutError:
            seconds = self._limits.body_seconds
            told = f"the body did not come within {seconds:g} s, or stopped while others waited: send it faster"
            raise RefusedError(408, told) from None
        finally:
            self._timeout = None


def announced(scope: Scope, limits: Limits) -> int | None:
    """The size of the body in bytes according to the head; None if there is a body but its size is not given.

    Raises:
        RefusedError: 413, the body is too large; 400, its length is not a number.
    """
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 20:
        raise RefusedError(400, "the Content-Length is not a number: send the length of the body in bytes")
    length = int(lengths[0])
    if length > limits.body_bytes:
        raise _too_large(limits)
    return length


def told_again(body: bytes, receive: Receive) -> Receive:
    """A receive function for the application: first the body in one piece, then what follows. It is not kept here."""
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
