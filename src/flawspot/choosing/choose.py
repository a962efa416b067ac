"""From good photographs and a budget to a detector: plan, train the candidates that fit, judge them, choose one."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flawspot.benchmark.engines.board import Counts
from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.record import DONE, FAILED, Record
from flawspot.benchmark.run_grid import run
from flawspot.benchmark.store import Store
from flawspot.choosing.budget import Amount, Budget, seconds
from flawspot.choosing.candidates import name_of
from flawspot.choosing.choice import Choice, ranked
from flawspot.choosing.one_candidate import RANK, work
from flawspot.choosing.photographs import given
from flawspot.choosing.planning import Plan, make_plan
from flawspot.data.folders import Data, open_data
from flawspot.data.learned import check_unread
from flawspot.data.tolerances import Given as Tolerated
from flawspot.errors import TrainingError
from flawspot.files import check_writable
from flawspot.progress import Progress, as_progress, duration
from flawspot.runtime.artifact import read
from flawspot.seeds import check_seed
from flawspot.texts import listed

STORE_SUFFIX = ".choose.sqlite"


def choose(
    data: Data,
    *,
    output: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    good: str | Sequence[str] = (),
    memory: Amount = None,
    macs: Amount = None,
    latency: Amount = None,
    arena: Amount = None,
    time_limit: Amount = None,
    candidates: str | os.PathLike[str] | None = None,
    labelled: bool = False,
    seed: int | None = None,
    tolerate: Tolerated = None,
    workers: int | None = None,
    retry_failed: bool = False,
    progress: Progress | bool = True,
) -> Choice:
    """Train the detectors that fit a device, and choose the one that finds most.

        >>> choice = flawspot.choose(
        ...     "more", memory="100KB", candidates="candidates.yaml", output="best.onnx", workers=1, progress=False
        ... )
        >>> [one.name for one in choice.judged]
        ['padim on mobilenet_v2 1']
        >>> flawspot.load("best.onnx").predict("photos/test/scratch/0.png").verdict
        'anomalous'

    ``candidates.yaml`` there is a grid in the benchmark's format, here of one small detector::

        title: small
        data: [{name: yours, layout: folder}]
        backbones: [mobilenet_v2]
        layers: ["1"]
        methods: [padim]
        input_size: 64
        random_weights: true

    No real defect is needed. Detectors are judged by defects pasted into good photographs that they have not learned
    from. They are ranked by the mean of image AUROC and pixel F1-max (`flawspot.choosing.judge`). ``docs/choosing.md``
    shows how well that agrees with real defects. Test photographs are not used, unless `labelled` is set.

    Args:
        data: photographs, as for `flawspot.train`; see ``docs/data.md``.
        good: names of the folders or labels that are good, as for `flawspot.train`.
        output: the .onnx file for the best one; None writes nothing.
        store: the SQLite file of trained candidates, with a folder beside it. The same call continues after an
            interruption. None: beside `output`, or ``choose.sqlite`` in the working folder.
        memory: the most it may store, such as ``5MB``; None: no limit, as for the next arguments.
        macs: the most multiply-accumulates for a photograph, such as ``300M``.
        latency: the longest time for a photograph, such as ``20ms``, measured after training on this machine with one
            thread.
        arena: the most working memory, such as ``256KB``, as ``flawspot export --to c`` plans it. A detector that
            cannot be exported to C is not chosen.
        time_limit: time for training and judging, such as ``30min``. The most promising candidates are trained first.
        candidates: a table in the benchmark's format; None: the one that comes with flawspot.
        labelled: also judge by the labelled test photographs of `data`. They then no longer serve as a test set.
        seed: seed of training, photographs and defects; None: that of the table.
        tolerate: variations that are not defects, as for `flawspot.train`. Every candidate is trained to tolerate them.
            They are judged on unchanged photographs.
        workers: how many are trained at a time; None: one for each core, fewer if memory is short.
        retry_failed: train again the candidates that have failed.
        progress: whether to show progress, or a `Progress` that is told.

    Returns:
        The chosen candidate, and those it was compared with.

    Raises:
        ConfigurationError: a budget is unreadable, or nothing fits it; or the table is wrong.
        DataError: there are no good photographs, or too few.
        TrainingError: every candidate failed, or none keeps within the budget after training.
        FlawspotError: a file cannot be written.
    """
    told = as_progress(progress)
    budget = Budget.read(memory, macs, latency, arena)
    limit = seconds(time_limit)
    if seed is not None:
        check_seed(seed)
    if output is not None:
        check_writable(Path(output))
    folder = open_data(data, good)
    check_unread(folder, False, told)
    source = given(folder, labelled=labelled, with_arena=budget.arena is not None)
    with Store(store_path(store, output)) as opened:
        plan = make_plan(
            source,
            budget,
            opened,
            candidates=None if candidates is None else Path(candidates),
            seed=seed,
            tolerate=tolerate,
            time_limit=limit,
            workers=workers,
            progress=told,
        )
        told.note(plan.said())
        _work_off(plan, opened, retry_failed, limit, told)
        choice = _chosen(plan, opened, labelled)
    artifact = read(choice.artifact)
    if artifact.manifest.training.skipped:
        told.note(f"left out, as they cannot be read: {listed(artifact.manifest.training.skipped, 5)}")
    if output is not None:
        artifact.save(output)
    return choice


def store_path(store: str | os.PathLike[str] | None, output: str | os.PathLike[str] | None) -> Path:
    """The path of the SQLite file of trained candidates; see `choose`."""
    if store is not None:
        return Path(store)
    return Path("choose.sqlite") if output is None else Path(output).with_suffix(STORE_SUFFIX)


def _work_off(plan: Plan, store: Store, retry_failed: bool, limit: float | None, told: Progress) -> None:
    """Train and judge the planned candidates that are not stored yet. An interruption is raised after all is stored.

    The most promising one starts first. Those that share its features follow.
    """
    tasks = [plan.tasks[one.cell.identity] for one in plan.chosen]
    until = None if limit is None else time.monotonic() + limit
    with Interrupts() as interrupts, told.step(f"training and judging {len(tasks)} detectors"):
        run(
            tasks,
            store,
            _Told(told, len(tasks)),
            interrupts,
            workers=plan.workers,
            retry_failed=retry_failed,
            work=work,
            until=until,
        )
    if interrupts.number is not None:
        told.note("interrupted; judged candidates are stored, and the same command continues")
        signal.raise_signal(interrupts.number)


class _Told:
    """A `flawspot.benchmark.engines.board.Listener` that reports to a `Progress`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total

    def changed(self, counts: Counts) -> None:
        """Report nothing before a candidate has ended."""

    def ended(self, record: Record, counts: Counts) -> None:
        """Print a line for the candidate."""
        number = counts.stored + counts.done + counts.failed + counts.missing
        what = f"{number}/{self._total} {name_of(record.cell)}"
        if record.error is not None:
            self._progress.note(f"{what}: {record.status}: {record.error}")
            return
        left = f", about {duration(counts.seconds_left)} to go" if number < self._total else ""
        self._progress.note(f"{what}: {record.measured[RANK]:.3f}{left}")

    def note(self, message: str) -> None:
        """Print a lasting line."""
        self._progress.note(message)


def _chosen(plan: Plan, store: Store, labelled: bool) -> Choice:
    keys = {plan.tasks[one.cell.identity].key: one for one in plan.fitting}
    records = [record for record in store.records(every=True) if record.key in keys]
    done = [record for record in records if record.status == DONE]
    failed = [record for record in records if record.status == FAILED]
    ended = {record.key for record in records}
    judged = ranked(done, plan.budget)
    if not judged:
        if failed:
            raise TrainingError(
                f"every candidate failed, {name_of(failed[0].cell)} because: {failed[0].error}. Once that is fixed, "
                "train them again with --retry-failed"
            )
        raise TrainingError("there was no time for a single candidate: give more with --time")
    best = judged[0]
    if best.why_not is not None:
        raise TrainingError(
            f"none of the {len(judged)} trained candidates keeps within {plan.budget.said()}: the best of them, "
            f"{best.name}, {best.why_not}"
        )
    assert best.record.artifact is not None
    return Choice(
        best=best,
        judged=tuple(judged),
        unfit=tuple(one for one in plan.candidates if one.why_not is not None),
        late=tuple(one for key, one in keys.items() if key not in ended),
        failed=tuple(failed),
        budget=plan.budget,
        labelled=labelled,
        artifact=store.folder / best.record.artifact,
    )


def planned(
    data: Data,
    budget: Budget,
    *,
    output: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    good: str | Sequence[str] = (),
    time_limit: Amount = None,
    candidates: str | os.PathLike[str] | None = None,
    labelled: bool = False,
    seed: int | None = None,
    tolerate: Tolerated = None,
    workers: int | None = None,
    progress: Progress | bool = True,
) -> Plan:
    """Plan what `choose` would do with these arguments. Nothing is trained, and no file is created.

    Raises:
        FlawspotError: as for `choose`.
    """
    folder = open_data(data, good)
    source = given(folder, labelled=labelled, with_arena=budget.arena is not None)
    with _as_it_is(store_path(store, output)) as opened:
        return make_plan(
            source,
            budget,
            opened,
            candidates=None if candidates is None else Path(candidates),
            seed=seed,
            tolerate=tolerate,
            time_limit=seconds(time_limit),
            workers=workers,
            progress=as_progress(progress),
        )


@contextlib.contextmanager
def _as_it_is(path: Path) -> Iterator[Store]:
    """The store. If there is none, a temporary empty one."""
    with contextlib.ExitStack() as stack:
        if not path.exists():
            check_writable(path)  # so that a later failure to write is reported now
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flawspot-"))) / path.name
        yield stack.enter_context(Store(path))
