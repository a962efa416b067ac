"""Ctrl-C, and the signal that ends a service: noted, and answered when it is safe."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

GRACE_SECONDS = 5.0
"""How long running runs may go on after the first interruption."""


class Interrupts:
    """Counts interruptions while its ``with`` block lasts; only in the main thread.

    Attributes:
        count: 0: go on; 1: begin nothing new and end soon; 2: end at once.
        number: of the first signal; None before it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not in the main thread
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """As shells have it for the first signal."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.number is None:
            self.number = number


class Grace:
    """What an engine may still do: everything, finish what is running within some seconds, or nothing."""

    def __init__(self, interrupts: Interrupts, seconds: float, note: Callable[[str], None]) -> None:
        """Args: `note` tells the user of an interruption."""
        self._interrupts, self._seconds, self._note = interrupts, seconds, note
        self._deadline: float | None = None

    def may_begin(self, running: bool) -> bool:
        """Whether new runs may begin; where not and some are `running`, the user is told, once."""
        if self._interrupts.count and self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
            if running:
                seconds = f"{self._seconds:g} s"
                self._note(f"interrupted: what is running may end within {seconds}; press Ctrl-C again to end at once")
        return self._deadline is None

    def is_over(self) -> bool:
        """Whether what is running must be ended."""
        return self._interrupts.count > 1 or (self._deadline is not None and time.monotonic() > self._deadline)
