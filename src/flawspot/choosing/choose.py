"""From good photographs and a budget to a detector: plan, train what fits, judge, choose."""

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
    """Train the detectors that a device allows, and choose the one that finds most.

    No real defect is needed: detectors are judged by defects that are pasted into good photographs which they have not
    learned from, and ranked by the mean of image AUROC and pixel F1-max (`flawspot.choosing.judge`); how well that
    agrees with real defects is in ``docs/choosing.md``. Test photographs are not looked at, unless `labelled`.

    Args:
        data: photographs, as for `flawspot.train`; see ``docs/data.md``.
        good: names of the folders or labels that are good, likewise.
        output: where to write the best one, an .onnx file; None writes nothing.
        store: the SQLite file of what was trained, with a folder beside it; the same call goes on where it was ended.
            None: beside `output`, or ``choose.sqlite`` here without one.
        memory: that it may store, such as ``5MB``; None: as much as it wants, as for the following.
        macs: multiply-accumulates for a photograph, such as ``300M``.
        latency: for a photograph on this machine by one thread, such as ``20ms``; measured once trained.
        arena: working memory, such as ``256KB``, as ``flawspot export --to c`` plans it; what has no such form is not
            chosen.
        time_limit: for training and judging, such as ``30min``: those of most promise that it allows.
        candidates: a table in the benchmark's format; None: the one that ships with flawspot.
        labelled: judge by the labelled test photographs of `data` too, which then are no test set any more.
        seed: of training, photographs and defects; None: that of the table.
        tolerate: what good photographs may differ by and still be good, as `flawspot.train` takes it: every candidate
            is trained so. They are judged on photographs as they are.
        workers: how many are trained at once; None: one for each core, fewer where memory is short.
        retry_failed: begin those once more that have failed before.
        progress: whether to show how far it is, or a `Progress` that is told.

    Returns:
        What was chosen, and what it was compared with.

    Raises:
        ConfigurationError: a budget that cannot be read, or that nothing fits; a table that is wrong.
        DataError: no good photographs, or too few.
        TrainingError: every candidate failed, or none keeps to the budget once it is trained.
        FlawspotError: something cannot be written.
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
        told.note(f"left out, for they cannot be read: {listed(artifact.manifest.training.skipped, 5)}")
    if output is not None:
        artifact.save(output)
    return choice


def store_path(store: str | os.PathLike[str] | None, output: str | os.PathLike[str] | None) -> Path:
    """The SQLite file of what was trained, as `choose` says."""
    if store is not None:
        return Path(store)
    return Path("choose.sqlite") if output is None else Path(output).with_suffix(STORE_SUFFIX)


def _work_off(plan: Plan, store: Store, retry_failed: bool, limit: float | None, told: Progress) -> None:
    """Train and judge what is planned and not stored yet; an interruption is raised once all is stored.

    The first in the order of promise is begun first; those that share its features follow.
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
        told.note("interrupted; what was judged is stored, and the same command goes on")
        signal.raise_signal(interrupts.number)


class _Told:
    """A `flawspot.benchmark.engines.board.Listener` that tells a `Progress`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total

    def changed(self, counts: Counts) -> None:
        """Nothing is said before something has ended."""

    def ended(self, record: Record, counts: Counts) -> None:
        """A line for the candidate."""
        number = counts.stored + counts.done + counts.failed + counts.missing
        what = f"{number}/{self._total} {name_of(record.cell)}"
        if record.error is not None:
            self._progress.note(f"{what}: {record.status}: {record.error}")
            return
        left = f", about {duration(counts.seconds_left)} to go" if number < self._total else ""
        self._progress.note(f"{what}: {record.measured[RANK]:.3f}{left}")

    def note(self, message: str) -> None:
        """A line that stays."""
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
                f"every candidate failed, {name_of(failed[0].cell)} because: {failed[0].error}. Once that is cured, "
                "begin them again with --retry-failed"
            )
        raise TrainingError("there was no time for a single candidate: give more with --time")
    best = judged[0]
    if best.why_not is not None:
        raise TrainingError(
            f"none of the {len(judged)} candidates that were trained keeps to {plan.budget.said()}: the best of them, "
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
    """What `choose` would do, of whose arguments these are some; nothing is trained, and no file is made.

    Raises:
        FlawspotError: as `choose`.
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
    """The store; where there is none an empty one, which is gone afterwards."""
    with contextlib.ExitStack() as stack:
        if not path.exists():
            check_writable(path)  # what would fail later is told now
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flawspot-"))) / path.name
        yield stack.enter_context(Store(path))
