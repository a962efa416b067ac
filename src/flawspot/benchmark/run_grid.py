"""Plans and runs a benchmark, from its grid to its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flawspot.benchmark.engines.board import Board, Counts, Listener
from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.engines.local import choose_workers, run_local
from flawspot.benchmark.engines.worker import Work
from flawspot.benchmark.estimate import Estimator, trained_already
from flawspot.benchmark.feature_files import sweep
from flawspot.benchmark.forecast import BenchmarkPlan, make_plan
from flawspot.benchmark.grid_file import grid_file, read_grid
from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.store import Heartbeat, Store
from flawspot.benchmark.streams.one_stream import execute
from flawspot.benchmark.task import DEFAULT_CACHE_BYTES, Task
from flawspot.benchmark.task_list import make_synthetic, prepare
from flawspot.benchmark.vocabulary import vocabulary
from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Progress

ENGINES = ("local", "ray")


def tasks_of(
    grid: str,
    store: Store,
    *,
    data: Mapping[str, Path] | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    progress: Progress = SILENT,
) -> list[Task]:
    """The runs of a grid, each with everything that affects its result.

    Args:
        grid: a YAML file, or ``paper``.
        store: the store of the runs; also stores the fingerprints of photographs.
        data: other folders for data sets, by their names.
        cache_bytes: most bytes of features that may stay in the store's folder.
        progress: reports the photographs that are read.

    Raises:
        ConfigurationError: an error in the grid; names the line.
        StoreError: the store cannot be written.
    """
    known = vocabulary()
    read = read_grid(grid_file(grid), known).with_paths(data or {})
    return prepare(read, read.cells(known), store, cache_bytes=cache_bytes, progress=progress)


def plan(tasks: Sequence[Task], store: Store, *, workers: int | None = None) -> BenchmarkPlan:
    """The plan of what `run` would do."""
    statuses = store.statuses()
    estimator = Estimator(store.records(), tasks, threads=1)
    # The same choice as in `run`, for the same open tasks.
    to_do = [task for task in tasks if task.missing is None and statuses.get(task.key) not in (DONE, FAILED)]
    chosen, threads = choose_workers([estimator.estimate(task) for task in to_do], workers)
    return make_plan(tasks, statuses, estimator.with_threads(threads), workers=chosen, threads=threads)


def run(
    tasks: Sequence[Task],
    store: Store,
    listener: Listener,
    interrupts: Interrupts,
    *,
    engine: str = "local",
    workers: int | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    ray_address: str | None = None,
    progress: Progress = SILENT,
    work: Work = execute,
    until: float | None = None,
) -> Counts:
    """Do all runs that are not in the store yet, and store each as soon as it ends.

    Args:
        tasks: from `tasks_of`.
        store: for the results.
        listener: is called for every run.
        interrupts: a context that has been entered already; it ends the work early.
        engine: ``local`` or ``ray``.
        workers: number of runs at a time; None chooses it by cores and memory.
        limit: most runs to start.
        retry_failed: start failed runs again.
        ray_address: address of a Ray cluster; None starts one on this machine.
        progress: reports synthetic photographs that are made.
        work: function that does a run; importable by its name.
        until: time on the clock `time.monotonic`, in seconds, after which no run starts; None for no limit.

    Raises:
        ConfigurationError: an unknown engine, or an invalid number.
        StoreError: a result cannot be stored; earlier results are safe.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"unknown engine {engine!r}: the known ones are {', '.join(ENGINES)}")
    for what, number in (("workers", workers), ("limit", limit)):
        if number is not None and number < 1:
            raise ConfigurationError(f"{what} must be at least 1, not {number}")
    if not store.claimed():
        sweep(store.folder)
    make_synthetic(tasks, progress)
    statuses = store.statuses()
    settled = {DONE} if retry_failed else {DONE, FAILED}
    to_do = [task for task in tasks if task.missing is None and statuses.get(task.key) not in settled]
    estimator = Estimator(store.records(), tasks, threads=1)
    chosen, threads = choose_workers([estimator.estimate(task) for task in to_do], workers)
    if engine == "local":
        estimator = estimator.with_threads(threads)
    estimates = estimator.estimates(to_do, trained_already(tasks, statuses))
    again = (FAILED,) if retry_failed else ()
    with Heartbeat(store):
        board = Board(store, tasks, estimates, listener, again=again, limit=limit, until=until)
        if engine == "ray":
            from flawspot.benchmark.engines.ray_engine import run_ray

            run_ray(board, interrupts, work=work, address=ray_address, workers=workers)
        else:
            run_local(board, interrupts, work=work, workers=chosen, threads=threads)
        store.release()
    return board.counts
