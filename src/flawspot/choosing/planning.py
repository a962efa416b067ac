"""Plans before training: which candidates fit, how long they take, and which there is time for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flawspot.benchmark.engines.local import choose_workers
from flawspot.benchmark.estimate import INFERENCE_RATE, Estimator
from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import Task
from flawspot.benchmark.task_list import prepare
from flawspot.choosing.budget import Budget
from flawspot.choosing.candidates import Candidate, considered, smallest_of, table
from flawspot.choosing.judge import DEFECTS, PHOTOGRAPHS
from flawspot.choosing.one_candidate import judged_tasks
from flawspot.choosing.photographs import Given
from flawspot.data.tolerances import Given as Tolerated
from flawspot.data.tolerances import as_tolerance
from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Progress, duration
from flawspot.training.road import DEFAULT_CALIBRATION_FRACTION

_PASTING = 0.03
"""Seconds to make a defect and to read its photograph."""


@dataclass(frozen=True)
class Plan:
    """The plan of `choose`.

    Attributes:
        budget: budget of the device.
        candidates: all considered candidates, most promising first. Those that do not fit have a reason.
        tasks: tasks of those that fit, by the cell's identity.
        seconds: estimated remaining seconds of each task, by the cell's identity; 0 if it is already stored.
        late: identities of tasks that are left out because there is no time.
        workers, threads: how many run at a time, and the threads of each.
    """

    budget: Budget
    candidates: tuple[Candidate, ...]
    tasks: Mapping[str, Task] = field(repr=False)
    seconds: Mapping[str, float]
    late: frozenset[str]
    workers: int
    threads: int

    @property
    def fitting(self) -> list[Candidate]:
        """The candidates that fit, most promising first."""
        return [one for one in self.candidates if one.why_not is None]

    @property
    def chosen(self) -> list[Candidate]:
        """The candidates to train and judge, including those already done."""
        return [one for one in self.fitting if one.cell.identity not in self.late]

    @property
    def wall_seconds(self) -> float:
        """Estimated seconds until all is done, if nothing else uses the machine."""
        return sum(self.seconds[one.cell.identity] for one in self.chosen) / self.workers

    def said(self) -> str:
        """Which candidates fit and how long they take, in one sentence."""
        late = f", {len(self.late)} of them left out because there is no time" if self.late else ""
        left = f"about {duration(self.wall_seconds)} on this machine" if self.wall_seconds else "all of them are done"
        perhaps = sum(one.perhaps is not None for one in self.fitting)
        may = f", {perhaps} of them perhaps, which training will show" if perhaps else ""
        return f"{len(self.fitting)} of {len(self.candidates)} candidates fit {self.budget.said()}{may}{late}: {left}"

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values for JSON."""
        return {
            "candidates": [
                {
                    **one.as_dict(),
                    "seconds": None if one.why_not else self.seconds[one.cell.identity],
                    "left_out_for_time": one.cell.identity in self.late,
                }
                for one in self.candidates
            ],
            "wall_seconds": self.wall_seconds,
            "workers": self.workers,
        }


def make_plan(
    source: Given,
    budget: Budget,
    store: Store,
    *,
    candidates: Path | None = None,
    seed: int | None = None,
    tolerate: Tolerated = None,
    time_limit: float | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> Plan:
    """Find out what fits, what is done, and how long the rest takes. Nothing is trained.

    Args:
        source: the photographs.
        budget: budget of the device.
        store: store of judged candidates.
        candidates: a table in the benchmark's format; None: the one that comes with flawspot.
        seed: seed of every candidate.
        tolerate: what every candidate tolerates, as for `flawspot.train`; None: as in the table, which is usually
            nothing.
        time_limit: total time in seconds. The most promising candidates that fit into it are taken.
        workers: how many run at a time; None: one for each core, fewer if memory is short.
        progress: told of the photographs.

    Raises:
        ConfigurationError: nothing fits; the message gives the costs of the smallest candidates. Or the tolerance is
            invalid.
        StoreError: the store cannot be written.
    """
    folder = source.open("")
    images = max(round((1 - DEFAULT_CALIBRATION_FRACTION) * len(folder.train)), 1)
    grid = table(source, candidates)
    tolerance = as_tolerance(tolerate)
    tolerated = None if tolerance is None else tolerance.text
    found = considered(grid, budget, images=images, seed=seed, tolerate=tolerated, progress=progress)
    fitting = [one for one in found if one.why_not is None]
    if not fitting:
        lacking = next((one.why_not for one in found if one.memory and budget == Budget()), None)
        raise ConfigurationError(lacking or f"nothing fits {budget.said()}: {_why_nothing(found, budget)}")
    # This name in the store shows readers of a report what the figures are.
    tasks = judged_tasks(prepare(grid, [one.cell for one in fitting], store, progress=progress))
    by_cell = {task.cell.identity: task for task in tasks}
    statuses = store.statuses()
    to_do = [task for task in tasks if statuses.get(task.key) not in (DONE, FAILED)]
    estimator = Estimator(store.records(), tasks, threads=1)
    chosen, threads = choose_workers([estimator.estimate(task) for task in to_do], workers)
    estimator = estimator.with_threads(threads)
    open_keys = {task.key for task in to_do}
    seconds = {
        one.cell.identity: _seconds(estimator, by_cell[one.cell.identity], one, threads)
        if by_cell[one.cell.identity].key in open_keys
        else 0.0
        for one in fitting
    }
    late = _late(fitting, seconds, None if time_limit is None else time_limit * chosen)
    return Plan(budget, tuple(found), by_cell, seconds, late, chosen, threads)


def _seconds(estimator: Estimator, task: Task, candidate: Candidate, threads: int) -> float:
    """The benchmark's estimate, which does not include judging."""
    looked_at = DEFECTS + PHOTOGRAPHS
    return estimator.estimate(task).seconds + looked_at * (_PASTING + candidate.macs / (INFERENCE_RATE * threads))


def _late(fitting: Sequence[Candidate], seconds: Mapping[str, float], limit: float | None) -> frozenset[str]:
    """The tasks to leave out: each that would exceed the limit, most promising first. One is always tried."""
    if limit is None:
        return frozenset()
    late, spent, some = [], 0.0, False
    for one in fitting:
        takes = seconds[one.cell.identity]
        if takes and some and spent + takes > limit:
            late.append(one.cell.identity)
        else:
            spent, some = spent + takes, True
    return frozenset(late)


def _why_nothing(found: Sequence[Candidate], budget: Budget) -> str:
    within = [one for one in found if one.memory and budget.beyond_plan(one.memory, one.macs, one.arena) is None]
    if within:  # its weights are missing
        return str(within[0].why_not)
    return smallest_of(found)
