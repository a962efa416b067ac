"""This machine: a pool of processes that share its cores and memory."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import wait

import psutil

from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.engines.interrupts import GRACE_SECONDS, Interrupts
from flawspot.benchmark.engines.pool import work_off
from flawspot.benchmark.engines.worker import Work, Worker
from flawspot.benchmark.machine import cores
from flawspot.benchmark.record import FAILED
from flawspot.benchmark.task import Estimate, Task

MEMORY_SHARE = 0.85
"""Of the memory that is free at the beginning."""
_POLL_SECONDS = 0.5


def choose_workers(estimates: Sequence[Estimate], wanted: int | None = None) -> tuple[int, int]:
    """How many workers, and how many threads each.

    A worker for each core, with one thread: runs do not depend on each other, while much of each is Python, export and
    convolutions too small for two threads; and with one thread the same run gives the same bits however many there
    are. So the last run of a benchmark, done alone, has one thread too: threads change the order of sums, and with it
    the last bits. Where memory is short there are fewer workers with more threads.

    Args:
        estimates: of the runs.
        wanted: as many as the user says; None for a choice.
    """
    available = cores()
    if wanted is not None or not estimates:
        workers = wanted or available
        return workers, max(available // workers, 1)
    usual = sorted(estimate.memory_bytes for estimate in estimates)[len(estimates) // 2]
    fitting = min(available, max(int(memory_budget() // max(usual, 1)), 1))
    return min(fitting, len(estimates)), max(available // fitting, 1)


def memory_budget() -> float:
    """Bytes that all workers together may need."""
    return MEMORY_SHARE * float(psutil.virtual_memory().available)


def run_local(
    board: Board,
    interrupts: Interrupts,
    *,
    work: Work,
    workers: int,
    threads: int,
    grace: float = GRACE_SECONDS,
) -> None:
    """Work on the runs of `board`, as `flawspot.benchmark.engines.pool.work_off` says.

    Args:
        board: the runs.
        interrupts: looked at all the time.
        work: what is done with a run; importable by its name.
        workers: processes.
        threads: of each.
        grace: seconds for what is running after the first interruption.

    Raises:
        StoreError: a result cannot be stored; all work is ended.
    """
    work_off(board, interrupts, _Processes(board, work, workers, threads), grace)


class _Processes:
    """Workers of this machine, those that have ended a run kept for the next one."""

    def __init__(self, board: Board, work: Work, workers: int, threads: int) -> None:
        self._board, self._work, self._workers, self._threads = board, work, workers, threads
        self._budget = memory_budget()
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []

    def is_working(self) -> bool:
        return bool(self._busy)

    def begin(self) -> None:
        while len(self._busy) < self._workers:
            used = sum(self._board.estimate(worker.task).memory_bytes for worker in self._busy if worker.task)
            last = self._idle[-1].last if self._idle else None
            task = self._board.take(last.group if last else None, memory=self._budget - used)
            if task is None:
                return
            worker = self._idle.pop() if self._idle else Worker(self._work, self._threads)
            self._busy.append(worker)
            worker.begin(task)

    def collect(self) -> None:
        ready = set(wait([worker.connection for worker in self._busy], timeout=_POLL_SECONDS))
        for worker in [worker for worker in self._busy if worker.connection in ready]:
            self._busy.remove(worker)
            self._end_of_run(worker)

    def _end_of_run(self, worker: Worker) -> None:
        task = worker.task
        record = worker.receive()
        if record is not None:
            # Memory that a failed run could not get, or has not given back, must not harm the next one.
            if record.status == FAILED:
                worker.end()
            else:
                self._idle.append(worker)
            self._board.finish(record)
        elif task is not None:
            why = worker.why_dead()
            worker.task = None
            worker.end()
            self._board.died(task, why)

    def stop(self) -> list[Task]:
        under_way = [worker.task for worker in self._busy if worker.task is not None]
        for worker in [*self._busy, *self._idle]:
            worker.end()
        return under_way
