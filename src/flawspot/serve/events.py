"""Events of the station, sent to every open page."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

BEHIND = 64
"""How many events a listener may be behind before it is disconnected. It then reconnects and asks for the missed
ones."""


class Events:
    """Passes events from any thread to listeners in the server's event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[dict[str, Any] | None], asyncio.AbstractEventLoop] = {}

    def tell(self, kind: str, content: dict[str, Any]) -> None:
        """Send an event to all listeners. Never waits."""
        event = {"event": kind, "content": content}
        with self._lock:
            listeners = list(self._listeners.items())
        for listener, loop in listeners:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._hand, listener, event)

    def close(self) -> None:
        """Disconnect every listener."""
        with self._lock:
            listeners = list(self._listeners.items())
        for listener, loop in listeners:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._let_go, listener)

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[dict[str, Any] | None]]:
        """A queue of events for one listener. None in it means the end."""
        listener: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(maxsize=BEHIND + 1)
        with self._lock:
            self._listeners[listener] = asyncio.get_running_loop()
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.pop(listener, None)

    def _hand(self, listener: asyncio.Queue[dict[str, Any] | None], event: dict[str, Any]) -> None:
        if listener.qsize() >= BEHIND:
            self._let_go(listener)
        else:
            listener.put_nowait(event)

    def _let_go(self, listener: asyncio.Queue[dict[str, Any] | None]) -> None:
        with self._lock:
            self._listeners.pop(listener, None)
        with contextlib.suppress(asyncio.QueueFull):
            listener.put_nowait(None)
