"""This machine: a pool of processes that share its cores and memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from multiprocessing.connection import wait

import psutil

from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.engines.interrupts import GRACE_SECONDS, Grace, Interrupts
from flawspot.benchmark.engines.worker import Work, Worker
from flawspot.benchmark.machine import cores
from flawspot.benchmark.record import FAILED
from flawspot.benchmark.store import StoreError
from flawspot.benchmark.task import Estimate

MEMORY_SHARE = 0.85
"""Of the memory that is free at the beginning."""
_POLL_SECONDS = 0.5


def choose_workers(estimates: Sequence[Estimate], wanted: int | None = None) -> tuple[int, int]:
    """How many workers, and how many threads each.

    A worker for each core, with one thread: runs do not depend on each other, while much of each is Python, export and
    convolutions too small for two threads; and with one thread the same run gives the same bits however many there
    are. Where memory is short there are fewer workers with more threads.

    Args:
        estimates: of the runs.
        wanted: as many as the user says; None for a choice.
    """
    available = cores()
    workers = wanted or available
    if wanted is None and estimates:
        usual = sorted(estimate.memory_bytes for estimate in estimates)[len(estimates) // 2]
        workers = min(workers, max(int(memory_budget() // max(usual, 1)), 1), len(estimates))
    return workers, max(available // workers, 1)


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
    """Work on the runs of `board` until there are none, or until an interruption.

    After the first interruption nothing new begins; what is not done within `grace` seconds is ended and given back.
    After the second all is ended at once.

    Args:
        board: the runs.
        interrupts: looked at all the time.
        work: what is done with a run; importable by its name.
        workers: processes.
        threads: of each.
        grace: seconds.

    Raises:
        StoreError: a result cannot be stored; all work is ended.
    """
    budget = memory_budget()
    idle: list[Worker] = []
    busy: list[Worker] = []
    ending = Grace(interrupts, grace, board.note)
    try:
        while True:
            may_begin = ending.may_begin(running=bool(busy))
            while may_begin and len(busy) < workers:
                used = sum(board.estimate(worker.task).memory_bytes for worker in busy if worker.task)
                last = idle[-1].last if idle else None
                task = board.take(last.group if last else None, memory=budget - used)
                if task is None:
                    break
                worker = idle.pop() if idle else Worker(work, threads)
                busy.append(worker)
                worker.begin(task)
            if not busy:
                return
            if ending.is_over():
                return
            ready = set(wait([worker.connection for worker in busy], timeout=_POLL_SECONDS))
            for worker in [worker for worker in busy if worker.connection in ready]:
                busy.remove(worker)
                task = worker.task
                record = worker.receive()
                if record is not None:
                    # Memory that a failed run could not get, or has not given back, must not harm the next one.
                    if record.status == FAILED:
                        worker.end()
                    else:
                        idle.append(worker)
                    board.finish(record)
                elif task is not None:
                    why = worker.why_dead()
                    worker.task = None
                    worker.end()
                    board.died(task, why)
            board.tell()
    finally:
        for worker in [*busy, *idle]:
            task = worker.task
            worker.end()
            if task is not None:
                # If not even that can be written, the claim ends with this process.
                with contextlib.suppress(StoreError):
                    board.give_back(task)
