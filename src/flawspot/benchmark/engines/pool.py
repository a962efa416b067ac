"""The loop of every engine with its workers, until all runs are done or until an interruption."""

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
        """Whether any run is running."""
        ...

    def begin(self) -> None:
        """Start runs from the board while there are free workers."""
        ...

    def collect(self) -> None:
        """Wait for a moment, and report ended runs to the board."""
        ...

    def stop(self) -> Sequence[Task]:
        """End all workers at once, without an error. Returns the runs that were running."""
        ...


def work_off(board: Board, interrupts: Interrupts, pool: Pool, grace: float) -> None:
    """Do the runs of `board` until there are none, or until an interruption.

    After the first interruption nothing new starts, and runs that are not done within `grace` seconds are ended and
    released. After the second, all are ended at once.

    Raises:
        StoreError: a result cannot be stored, or a run has no room for its files; all work is ended.
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
            # If the release cannot be written, the claim ends with this process.
            with contextlib.suppress(StoreError):
                board.give_back(task)
