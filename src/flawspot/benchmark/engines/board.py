"""The board that every engine shares: it chooses the next run, informs the listener, and stores results."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flawspot.benchmark.record import DONE, FAILED, MISSING, Record
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import Estimate, Task
from flawspot.provenance import now

ATTEMPTS = 2
"""Number of attempts for a run whose process dies."""


@dataclass
class Counts:
    """The progress of a benchmark.

    Attributes:
        done, failed, missing: numbers of runs that have ended in this session.
        stored: number of runs that were done before.
        elsewhere: number of runs that other processes are doing.
        running: number of runs that this process is doing.
        left: number of runs that have not started.
        seconds_left: estimated seconds until the end, at the same speed.
    """

    done: int = 0
    failed: int = 0
    missing: int = 0
    stored: int = 0
    elsewhere: int = 0
    running: int = 0
    left: int = 0
    seconds_left: float = 0.0


class Listener(Protocol):
    """Receives the progress of the runs."""

    def changed(self, counts: Counts) -> None:
        """Counts have changed, or time has passed."""
        ...

    def ended(self, record: Record, counts: Counts) -> None:
        """A run has ended and is stored."""
        ...

    def note(self, message: str) -> None:
        """A message for the user."""
        ...


class Board:
    """The runs of one session. Only the process that has the board writes to the store.

    Attributes:
        counts: how far it is.
    """

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        estimates: Mapping[str, Estimate],
        listener: Listener,
        *,
        again: Collection[str] = (),
        limit: int | None = None,
        until: float | None = None,
    ) -> None:
        """Args: `again`, statuses of stored runs to start again; `limit`, most runs to start; `until`, time on the
        clock `time.monotonic` after which no run starts."""
        self._store, self._estimates, self._listener = store, estimates, listener
        self._again = {*again, MISSING}
        statuses = store.statuses()
        self._open: list[Task] = []
        self._dead: list[Task] = []
        self._refused: list[Task] = []
        self._attempts: dict[str, int] = {}
        self._limit, self._begun, self._until = limit, 0, until
        self._begin, self._seconds_done = time.monotonic(), 0.0
        self._running: dict[str, Task] = {}
        self.counts = Counts()
        for task in tasks:
            status = statuses.get(task.key)
            if status is not None and status not in self._again:
                self.counts.stored += 1
            elif task.missing is not None:
                self._store.finish(task.missing_record(finished=now()))
                self.counts.missing += 1
            else:
                self._open.append(task)
        self._tell()

    def estimate(self, task: Task) -> Estimate:
        """The estimate of a run."""
        return self._estimates[task.key]

    def take(self, group: tuple[Any, ...] | None = None, *, memory: float | None = None) -> Task | None:
        """Claim the run that should start now; None if there is none at the moment.

        Args:
            group: group of the caller's last run, whose features are in the cache.
            memory: most bytes that the run may need; None for no limit. A run that needs more waits until nothing else
                is running.
        """
        late = self._until is not None and time.monotonic() > self._until
        while not late and not (self._limit is not None and self._begun >= self._limit):
            task = self._next(group, memory)
            if task is None:
                return None
            if self._store.claim(task.key, again=self._again):
                self._begun += 1
                self._attempts[task.key] = self._attempts.get(task.key, 0) + 1
                self._running[task.key] = task
                self._tell()
                return task
            self._refuse(task)
        return None

    def finish(self, record: Record) -> None:
        """Store the record of a run.

        Raises:
            StoreError: it cannot be stored.
        """
        task = self._running.pop(record.key)
        self._store.finish(record)
        if record.status == DONE:
            self.counts.done += 1
        elif record.status == FAILED:
            self.counts.failed += 1
        else:
            self.counts.missing += 1
        self._seconds_done += self.estimate(task).seconds
        self._tell()
        self._listener.ended(record, self.counts)

    def died(self, task: Task, why: str, *, alone: bool = True, attempts: int = ATTEMPTS) -> None:
        """Handle the death of a run's process.

        Args:
            task: the run.
            why: the reason in words.
            alone: start the run again when nothing else is running, because it may have needed too much memory;
                otherwise soon.
            attempts: number of attempts before the run fails.
        """
        if self._attempts[task.key] >= attempts:
            self.finish(task.record(FAILED, error=f"{why}, {attempts} times", finished=now()))
            return
        when = "when the others have ended" if alone else "soon"
        self._listener.note(f"{name(task)}: {why}; it is tried once more {when}")
        self.give_back(task)
        if alone:
            self._dead.append(task)
        else:
            self._open.insert(0, task)
        self._tell()

    def give_back(self, task: Task) -> None:
        """Release a run that has not ended, for others."""
        self._running.pop(task.key)
        self._begun -= 1
        self._store.release(task.key)

    def tell(self) -> None:
        """Report progress after some time."""
        self._tell()

    def note(self, message: str) -> None:
        """Show the user a message."""
        self._listener.note(message)

    def _next(self, group: tuple[Any, ...] | None, memory: float | None) -> Task | None:
        """A run of the same group; otherwise of a group that nobody is doing, so that features are not computed twice;
        otherwise any."""
        if not self._open and not self._running:
            self._open, self._dead = self._dead[:1], self._dead[1:]
        busy = {task.group for task in self._running.values()}
        fitting = [
            task
            for task in self._open
            if memory is None or not self._running or self.estimate(task).memory_bytes <= memory
        ]
        for wanted in (lambda task: task.group == group, lambda task: task.group not in busy, lambda task: True):
            found = next((task for task in fitting if wanted(task)), None)
            if found is not None:
                self._open.remove(found)
                return found
        return None

    def _refuse(self, task: Task) -> None:
        """Postpone a run that another process has claimed or ended. It is checked again when all others have ended."""
        if self._store.statuses().get(task.key) == DONE:
            self.counts.stored += 1
        elif task in self._refused:
            self.counts.elsewhere += 1
        else:
            self._refused.append(task)
            self._dead.append(task)

    def _tell(self) -> None:
        waiting = [*self._open, *self._dead]
        left = waiting if self._limit is None else waiting[: max(self._limit - self._begun, 0)]
        self.counts.running, self.counts.left = len(self._running), len(left)
        passed = time.monotonic() - self._begin
        # Running runs count as half done.
        seconds = sum(self.estimate(task).seconds for task in left)
        seconds += 0.5 * sum(self.estimate(task).seconds for task in self._running.values())
        pace = passed / self._seconds_done if self._seconds_done else 1 / max(len(self._running), 1)
        self.counts.seconds_left = seconds * pace
        self._listener.changed(self.counts)


def name(task: Task) -> str:
    """A run in a few words."""
    cell = task.cell
    return f"{cell.data}/{cell.category} {cell.backbone} {cell.layers} {cell.label} seed {cell.seed}"
