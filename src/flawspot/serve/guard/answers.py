"""Sends answers, with the headers that every one has. Answers are not held forever for clients that do not read
them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flawspot.serve.guard.refusals import RefusedError, secured

if TYPE_CHECKING:
    from starlette.types import Message, Send

_PIECE = 64 * 1024
"""Bytes that are sent at once. A slow client then needs no copy of a whole answer, and its reading can be noticed."""


class UnreadError(Exception):
    """An answer was dropped because its client did not read it. This is not a bug."""


class Unread:
    """The large answers that wait for their clients. Those that have waited longest are dropped for newer ones."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._waiting: dict[asyncio.Timeout, int] = {}  # in order of the last read, longest ago first

    def begin(self, timeout: asyncio.Timeout, size: int) -> None:
        """Count an answer of `size` bytes. `timeout` is triggered to drop it."""
        while self._waiting and sum(self._waiting.values()) + size > self._most:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.reschedule(asyncio.get_running_loop().time())
        self._waiting[timeout] = size

    def go_on(self, timeout: asyncio.Timeout) -> None:
        """Note that some of the answer was read."""
        if timeout in self._waiting:
            self._waiting[timeout] = self._waiting.pop(timeout)

    def end(self, timeout: asyncio.Timeout) -> None:
        self._waiting.pop(timeout, None)


class Answer:
    """One answer to a request.

    Attributes:
        begun, ended: whether its head and its last byte have been sent.
    """

    def __init__(self, send: Send, unread: Unread) -> None:
        self._send, self._unread = send, unread
        self.begun = self.ended = False

    async def send(self, message: Message) -> None:
        """Send a message of the application, as ASGI's ``send`` does.

        Raises:
            UnreadError: the client does not read, and other answers need the room.
        """
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": secured(message.get("headers", ()))}
        if message["type"] == "http.response.body" and len(message.get("body", b"")) > _PIECE:
            await self._send_pieces(message)
        else:
            await self._send(message)
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def refuse(self, refusal: RefusedError) -> None:
        """Answer with the refusal."""
        self.begun = self.ended = True
        await self._send({"type": "http.response.start", "status": refusal.status, "headers": refusal.all_headers()})
        await self._send({"type": "http.response.body", "body": refusal.body()})

    async def _send_pieces(self, message: Message) -> None:
        body = memoryview(message["body"])
        with _as_unread():
            async with asyncio.timeout(None) as timeout:
                self._unread.begin(timeout, len(body))
                try:
                    for start in range(0, len(body), _PIECE):
                        more = start + _PIECE < len(body) or message.get("more_body", False)
                        piece = bytes(body[start : start + _PIECE])
                        await self._send({"type": "http.response.body", "body": piece, "more_body": more})
                        self._unread.go_on(timeout)
                finally:
                    self._unread.end(timeout)


@contextlib.contextmanager
def _as_unread() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise UnreadError from None
