"""The board that every engine shares: it chooses the next run, informs the listener, and stores results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from flawspot.benchmark.record import DONE, FAILED, MISSING, Record
from flawspot.benchmark.store import Store, StoreError
from flawspot.benchmark.task import Estimate, Task
from flawspot.provenance import now

ATTEMPTS = 2
"""Number of attempts for a run whose process dies."""


@dataclass
class Counts:
    """The progress of a benchmark.

    Attributes:
        done, failed, missing: numbers of runs that have ended in this session.
        stored: number of runs that were stored before, done or failed.
        failed_before: number of these that failed.
        elsewhere: number of runs that other processes are doing.
        running: number of runs that this process is doing.
        left: number of runs that the same command would start next time, or later in this session.
        seconds_left: estimated seconds until the end of this session, at the same speed.
    """

    done: int = 0
    failed: int = 0
    missing: int = 0
    stored: int = 0
    failed_before: int = 0
    elsewhere: int = 0
    running: int = 0
    left: int = 0
    seconds_left: float = 0.0

    @property
    def done_before(self) -> int:
        """Number of runs that were done before."""
        return self.stored - self.failed_before


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
        set_aside: number of runs that are left open, because their photographs have changed since they were planned.
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
        self.counts, self.set_aside = Counts(), 0
        for task in tasks:
            status = statuses.get(task.key)
            if status is not None and status not in self._again:
                self._stored_before(status)
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
        """Store the record of a run. If its photographs have changed since it was planned, it is left open instead.

        Raises:
            StoreError: it cannot be stored.
        """
        task = self._running[record.key]
        if task.photographs_have_changed():
            self._set_aside(task)
            return
        del self._running[record.key]
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

    def cannot_write(self, task: Task, error: StoreError) -> NoReturn:
        """Leave a run open that has found no room for its files, and end the benchmark.

        Raises:
            StoreError: `error`, always.
        """
        with contextlib.suppress(StoreError):  # the claim ends with this process
            self.give_back(task)
        raise error

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
        status = self._store.statuses().get(task.key)
        if status is not None and status not in self._again:
            self._stored_before(status)
        elif task in self._refused:
            self.counts.elsewhere += 1
        else:
            self._refused.append(task)
            self._dead.append(task)

    def _stored_before(self, status: str) -> None:
        self.counts.stored += 1
        self.counts.failed_before += status == FAILED

    def _set_aside(self, task: Task) -> None:
        """Leave a run open, and all others of these photographs: their keys are of photographs that are gone."""
        self.give_back(task)
        # It may have learned from both, and nobody may find it under the old key.
        artifact = task.artifact
        if not any(Path(record.artifact or "").name == artifact.name for record in self._store.records(every=True)):
            artifact.unlink(missing_ok=True)
        waiting = len(self._open) + len(self._dead)
        self._open, self._dead = (
            [other for other in tasks if other.data_fingerprint != task.data_fingerprint]
            for tasks in (self._open, self._dead)
        )
        self.set_aside += 1 + waiting - len(self._open) - len(self._dead)
        self._listener.note(
            f"{name(task)}: its photographs have changed since the start, so it is not stored: leave them as they are, "
            "and start the same command again"
        )
        self._tell()

    def _tell(self) -> None:
        waiting = [*self._open, *self._dead]
        left = waiting if self._limit is None else waiting[: max(self._limit - self._begun, 0)]
        self.counts.running, self.counts.left = len(self._running), len(waiting) + self.set_aside
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
