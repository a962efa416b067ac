"""Ctrl-C and the signal that ends a service. They are counted, and handled when it is safe."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

GRACE_SECONDS = 5.0
"""Seconds that running runs may continue after the first interruption."""


class Interrupts:
    """Counts interruptions while its ``with`` block lasts; only in the main thread.

    Attributes:
        count: 0: continue; 1: start nothing new and end soon; 2: end at once.
        number: number of the first signal; None before it.
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
        """The exit code for the first signal, by the convention of shells."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.number is None:
            self.number = number


class Grace:
    """What an engine may still do: everything, finish running runs within some seconds, or nothing."""

    def __init__(self, interrupts: Interrupts, seconds: float, note: Callable[[str], None]) -> None:
        """Args: `note` informs the user about an interruption."""
        self._interrupts, self._seconds, self._note = interrupts, seconds, note
        self._deadline: float | None = None

    def may_begin(self, running: bool) -> bool:
        """Whether new runs may start. If not, and some are `running`, the user is informed once."""
        if self._interrupts.count and self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
            if running:
                seconds = f"{self._seconds:g} s"
                self._note(f"interrupted: what is running may end within {seconds}; press Ctrl-C again to end at once")
        return self._deadline is None

    def is_over(self) -> bool:
        """Whether running runs must be ended."""
        return self._interrupts.count > 1 or (self._deadline is not None and time.monotonic() > self._deadline)
