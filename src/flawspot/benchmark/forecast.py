"""The plan of a benchmark before it starts: how many runs there are, which are done or missing, and the time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flawspot.benchmark.estimate import Estimator, trained_already
from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.task import Task


@dataclass
class MethodPlan:
    """The runs of one method.

    Attributes:
        label: of the method.
        runs: number of all runs.
        done, failed: numbers of stored runs.
        missing: number of runs that are impossible here.
        open: number of runs to do, without failed ones.
        seconds: estimated time of the open runs, one after the other.
        memory_bytes: estimated memory of the largest open run.
    """

    label: str
    runs: int = 0
    done: int = 0
    failed: int = 0
    missing: int = 0
    open: int = 0
    seconds: float = 0.0
    memory_bytes: int = 0

    def add(self, other: MethodPlan) -> None:
        """Add the runs of `other`."""
        for name in ("runs", "done", "failed", "missing", "open", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.memory_bytes = max(self.memory_bytes, other.memory_bytes)


@dataclass
class BenchmarkPlan:
    """The planned runs by method and in total.

    Attributes:
        methods: a plan for each method, in the order of the grid.
        total: the plan of all methods together.
        workers, threads: number of runs at a time, and of threads for each.
        reasons: the number of impossible runs for each reason. A reason names its cure.
    """

    methods: list[MethodPlan]
    total: MethodPlan
    workers: int
    threads: int
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def wall_seconds(self) -> float:
        """Seconds until the last run ends, if nothing else uses the machine."""
        return self.total.seconds / self.workers

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values for JSON."""
        return {
            **dataclasses.asdict(self.total),
            "wall_seconds": self.wall_seconds,
            "workers": self.workers,
            "threads": self.threads,
            "reasons": self.reasons,
            "methods": [dataclasses.asdict(method) for method in self.methods],
        }


def make_plan(
    tasks: Sequence[Task], statuses: Mapping[str, str], estimator: Estimator, *, workers: int, threads: int
) -> BenchmarkPlan:
    """Count the tasks by their stored status, and add up the estimates of the open ones."""
    methods: dict[str, MethodPlan] = {}
    total = MethodPlan("all")
    reasons: dict[str, int] = {}
    left = [task for task in tasks if task.missing is None and statuses.get(task.key) not in (DONE, FAILED)]
    estimates = estimator.estimates(left, trained_already(tasks, statuses))
    for task in tasks:
        one = MethodPlan(task.cell.label, runs=1)
        status = statuses.get(task.key)
        if status == DONE:
            one.done = 1
        elif task.missing is not None:
            one.missing = 1
            reasons[task.missing] = reasons.get(task.missing, 0) + 1
        elif status == FAILED:
            one.failed = 1
        else:
            estimate = estimates[task.key]
            one.open, one.seconds, one.memory_bytes = 1, estimate.seconds, estimate.memory_bytes
        methods.setdefault(task.cell.label, MethodPlan(task.cell.label)).add(one)
        total.add(one)
    return BenchmarkPlan(list(methods.values()), total, workers, threads, reasons)
