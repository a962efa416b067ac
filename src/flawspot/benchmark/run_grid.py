"""Plans and runs a benchmark, from its grid to its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flawspot.benchmark.engines.board import Board, Counts, Listener
from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.engines.local import choose_workers, run_local
from flawspot.benchmark.engines.worker import Work
from flawspot.benchmark.estimate import Estimator, trained_already
from flawspot.benchmark.feature_files import prune, sweep
from flawspot.benchmark.forecast import BenchmarkPlan, make_plan
from flawspot.benchmark.grid import Grid
from flawspot.benchmark.grid_file import grid_file, read_grid
from flawspot.benchmark.record import DONE, FAILED, Cell
from flawspot.benchmark.store import Heartbeat, Store
from flawspot.benchmark.streams.one_stream import execute
from flawspot.benchmark.task import Task
from flawspot.benchmark.task_list import make_synthetic
from flawspot.benchmark.vocabulary import vocabulary
from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Progress

ENGINES = ("local", "ray")


def cells_of(name: str, *, data: Mapping[str, Path] | None = None) -> tuple[Grid, list[Cell]]:
    """A grid and its cells. No store is needed, so that a wrong grid leaves none.

    Args:
        name: a YAML file, or ``paper``.
        data: other folders for data sets, by their names.

    Raises:
        ConfigurationError: an error in the grid; names the line.
    """
    known = vocabulary()
    grid = read_grid(grid_file(name), known).with_paths(data or {})
    return grid, grid.cells(known)


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
    threads: int | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    ray_address: str | None = None,
    progress: Progress = SILENT,
    work: Work = execute,
    until: float | None = None,
) -> Counts:
    """Do all runs that are not in the store yet, and store each as soon as it ends.

    Args:
        tasks: from `flawspot.benchmark.task_list.prepare`.
        store: for the results.
        listener: is called for every run.
        interrupts: a context that has been entered already; it ends the work early.
        engine: ``local`` or ``ray``.
        workers: number of runs at a time; None chooses it by cores and memory.
        threads: number of threads of each local run; None shares the cores among them.
        limit: most runs to start.
        retry_failed: start failed runs again.
        ray_address: address of a Ray cluster; None starts one on this machine.
        progress: reports synthetic photographs that are made.
        work: function that does a run; importable by its name.
        until: time on the clock `time.monotonic`, in seconds, after which no run starts; None for no limit.

    Raises:
        ConfigurationError: an unknown engine, or an invalid number.
        StoreError: a result cannot be stored, or the disk is full; earlier results are safe.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"unknown engine {engine!r}: the known ones are {', '.join(ENGINES)}")
    for what, number in (("workers", workers), ("threads", threads), ("limit", limit)):
        if number is not None and number < 1:
            raise ConfigurationError(f"{what} must be at least 1, not {number}")
    if threads is not None and engine == "ray":
        raise ConfigurationError("threads are those of local runs, and on a cluster every run has one: leave them out")
    if not store.claimed():
        sweep(store.folder)
    make_synthetic(tasks, progress)
    statuses = store.statuses()
    settled = {DONE} if retry_failed else {DONE, FAILED}
    to_do = [task for task in tasks if task.missing is None and statuses.get(task.key) not in settled]
    estimator = Estimator(store.records(), tasks, threads=1)
    chosen, shared = choose_workers([estimator.estimate(task) for task in to_do], workers)
    threads = threads or shared
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
        if board.set_aside and not store.claimed():
            # Some may be of photographs that were replaced while they were read.
            prune(store.folder / "features", 0)
    return board.counts
