"""Ctrl-C, and the signal that ends a service: noted, and answered when it is safe."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Any, Self


class Interrupts:
    """Counts interruptions while its ``with`` block lasts; only in the main thread.

    Attributes:
        count: 0: go on; 1: begin nothing new and end soon; 2: end at once.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not in the main thread
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
