"""A Ray cluster: many machines do the runs, and this process alone writes to the store.

Every node must see photographs, weights and the store's folder under the same path, as on shared storage. Each run asks
for one core and for its estimated memory, so that a node does not get more runs than it can hold.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

import ray
import ray.exceptions

from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.engines.interrupts import GRACE_SECONDS, Interrupts
from flawspot.benchmark.engines.loopback import this_machine_alone
from flawspot.benchmark.engines.pool import work_off
from flawspot.benchmark.engines.worker import Work, attempt
from flawspot.benchmark.machine import cores
from flawspot.benchmark.reasons import reason
from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.store import StoreError
from flawspot.benchmark.task import Task
from flawspot.errors import ConfigurationError

THREADS = 1
"""Threads of a run, as with the local engine. On equal processors, results are the same to the bit."""
NODE_DEATHS = 4
"""Number of attempts for a run whose nodes die, which is not the fault of the run."""
OBJECT_STORE_BYTES = 128 << 20
"""Size of the object store of a cluster that is started here. Only tasks and records pass through it."""
_MEMORY_SHARE = 0.9
_POLL_SECONDS = 0.5


def run_ray(
    board: Board,
    interrupts: Interrupts,
    *,
    work: Work,
    address: str | None = None,
    workers: int | None = None,
    grace: float = GRACE_SECONDS,
) -> None:
    """Do the runs of `board` in a Ray cluster; see `flawspot.benchmark.engines.pool.work_off`.

    Args:
        board: the runs.
        interrupts: checked continuously.
        work: function that does a run; importable on every node.
        address: address of the cluster, such as ``auto``. None starts one on this machine, and ends it afterwards. An
            open connection is used.
        workers: most runs at a time; None for one on each core of the cluster, including nodes that join later.
        grace: seconds for running runs after the first interruption.

    Raises:
        ConfigurationError: there is no cluster at `address`.
        StoreError: a result cannot be stored, or a run has no room for its files; all work is ended.
    """
    mine = not ray.is_initialized()
    if mine:
        _connect(address)
    try:
        work_off(board, interrupts, _Cluster(board, work, workers), grace)
    finally:
        if mine:
            ray.shutdown()


class _Cluster:
    """The runs submitted to Ray."""

    def __init__(self, board: Board, work: Work, workers: int | None) -> None:
        self._board, self._work, self._workers = board, work, workers
        self._remote = ray.remote(max_retries=0)(_begin)
        self._running: dict[Any, Task] = {}
        self._group: tuple[Any, ...] | None = None

    def is_working(self) -> bool:
        return bool(self._running)

    def begin(self) -> None:
        while len(self._running) < _slots(self._workers):
            task = self._board.take(self._group)
            if task is None:
                return
            memory = min(self._board.estimate(task).memory_bytes, _largest_memory())
            options = self._remote.options(num_cpus=THREADS, memory=int(memory), name=task.key[:10])
            self._running[options.remote(self._work, task)] = task

    def collect(self) -> None:
        ready, _ = ray.wait(list(self._running), timeout=_POLL_SECONDS)
        for reference in ready:
            task = self._running.pop(reference)
            self._group = task.group
            _end(self._board, task, reference)

    def stop(self) -> list[Task]:
        for reference in self._running:
            # A cluster that is gone cannot be reached, and runs nothing.
            with contextlib.suppress(ray.exceptions.RayError, RuntimeError):
                ray.cancel(reference, force=True)
        return list(self._running.values())


def _begin(work: Work, task: Task) -> Record | StoreError:
    """Do a run on a node. Ray sets OpenMP's variables by the requested cores."""
    os.environ["FLAWSPOT_THREADS"] = str(THREADS)
    return attempt(work, task)


def _end(board: Board, task: Task, reference: Any) -> None:
    """Store the record of a run, or find the reason why there is none."""
    try:
        result: Record | StoreError = ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        board.died(task, "its process was ended because its node had no memory left")
    except ray.exceptions.NodeDiedError:
        board.died(task, "its node has died", alone=False, attempts=NODE_DEATHS)
    except ray.exceptions.WorkerCrashedError as error:
        # Ray may also report this if the node has just died, so the run need not be at fault.
        board.died(task, f"its process has died ({reason(error)})")
    except ray.exceptions.RayError as error:
        board.finish(task.record(FAILED, error=f"Ray could not run it: {reason(error)}", traceback=str(error)))
    else:
        if isinstance(result, StoreError):
            board.cannot_write(task, result)
        board.finish(result)


def _connect(address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "include_dashboard": False}
    try:
        if address is not None:
            _knock(address)
        if address is None:
            with this_machine_alone():
                ray.init(address="local", num_cpus=cores(), object_store_memory=OBJECT_STORE_BYTES, **quiet)
        else:
            ray.init(address=address, **{name: quiet[name] for name in ("log_to_driver", "logging_level")})
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = address or "this machine"
        raise ConfigurationError(
            f"no Ray cluster can be had at {where} ({reason(error)}): start one with `ray start --head`"
        ) from None


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at ``HOST:PORT``: Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _slots(workers: int | None) -> int:
    """Runs that may be handed to the cluster at once."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    total = max(int(resources.get("CPU", 1)), 1)
    return total if workers is None else workers


def _largest_memory() -> float:
    """Bytes that the largest node can promise: a run that wants more is given all of that."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return _MEMORY_SHARE * max(
        (float(node["Resources"].get("memory", 0)) for node in nodes if node["Alive"]), default=0.0
    )
