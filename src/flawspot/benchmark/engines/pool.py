"""What every engine does with its workers until there is nothing left to do, or until an interruption."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.engines.interrupts import Grace, Interrupts
from flawspot.benchmark.store import StoreError
from flawspot.benchmark.task import Task


class Pool(Protocol):
    """The workers of an engine."""

    def is_working(self) -> bool:
        """Whether any run is under way."""
        ...

    def begin(self) -> None:
        """Take runs from the board while there is room for them."""
        ...

    def collect(self) -> None:
        """Wait for a moment, and tell the board what has ended."""
        ...

    def stop(self) -> Sequence[Task]:
        """End all workers whatever they do, without an error; returns what was under way."""
        ...


def work_off(board: Board, interrupts: Interrupts, pool: Pool, grace: float) -> None:
    """Work on the runs of `board` until there are none, or until an interruption.

    After the first interruption nothing new begins; what is not done within `grace` seconds is ended and given back.
    After the second all is ended at once.

    Raises:
        StoreError: a result cannot be stored; all work is ended.
    """
    ending = Grace(interrupts, grace, board.note)
    try:
        while True:
            if ending.may_begin(running=pool.is_working()):
                pool.begin()
            if not pool.is_working() or ending.is_over():
                return
            pool.collect()
            board.tell()
    finally:
        for task in pool.stop():
            # If not even that can be written, the claim ends with this process.
            with contextlib.suppress(StoreError):
                board.give_back(task)
