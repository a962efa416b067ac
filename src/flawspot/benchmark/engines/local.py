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
from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.task import Estimate, Task

MEMORY_SHARE = 0.85
"""Share of the initially free memory that workers may use."""
_POLL_SECONDS = 0.5


def choose_workers(estimates: Sequence[Estimate], wanted: int | None = None) -> tuple[int, int]:
    """Number of workers, and of threads for each.

    There is a worker for each core, with one thread. Runs are independent of each other, and much of each is Python,
    export and convolutions too small for two threads. With one thread, a run gives the same bits for any number of
    workers, because threads change the order of sums and so the last bits. So even the last run of a benchmark, which
    runs alone, has one thread. If memory is scarce, there are fewer workers with more threads.

    Args:
        estimates: estimates of the runs.
        wanted: the user's number of workers; None for a choice.
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
    """Do the runs of `board`; see `flawspot.benchmark.engines.pool.work_off`.

    Args:
        board: the runs.
        interrupts: checked continuously.
        work: function that does a run; importable by its name.
        workers: number of processes.
        threads: number of threads for each.
        grace: seconds for running runs after the first interruption.

    Raises:
        StoreError: a result cannot be stored, or a run has no room for its files; all work is ended.
    """
    work_off(board, interrupts, _Processes(board, work, workers, threads), grace)


class _Processes:
    """Worker processes of this machine. A worker that has ended a run is kept for the next one."""

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
        assert task is not None  # it is busy
        result = worker.receive()
        if isinstance(result, Record):
            # Memory that a failed run could not get, or has not released, must not affect the next one.
            if result.status == FAILED:
                worker.end()
            else:
                self._idle.append(worker)
            self._board.finish(result)
        elif result is not None:
            worker.end()
            self._board.cannot_write(task, result)
        else:
            why = worker.why_dead()
            worker.task = None
            worker.end()
            self._board.died(task, why)

    def stop(self) -> list[Task]:
        under_way = [worker.task for worker in self._busy if worker.task is not None]
        for worker in [*self._busy, *self._idle]:
            worker.end()
        return under_way
