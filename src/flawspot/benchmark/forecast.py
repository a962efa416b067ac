"""What a benchmark will do, before it does anything: how many runs, what is done or missing, how long it takes."""

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
        runs: in all.
        done, failed: stored already.
        missing: impossible here.
        open: to do, failed ones not among them.
        seconds: that the open ones take, one after the other.
        memory_bytes: that the largest open one takes.
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
        """Count those of `other` in."""
        for name in ("runs", "done", "failed", "missing", "open", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.memory_bytes = max(self.memory_bytes, other.memory_bytes)


@dataclass
class BenchmarkPlan:
    """The runs by method and in all.

    Attributes:
        methods: in the order of the grid.
        total: of all.
        workers, threads: how many runs at once, and each one's threads.
        reasons: why runs are impossible here, with their number; each reason names its cure.
    """

    methods: list[MethodPlan]
    total: MethodPlan
    workers: int
    threads: int
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def wall_seconds(self) -> float:
        """Until the last run has ended, if nothing else needs the machine."""
        return self.total.seconds / self.workers

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
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
    """Count the tasks by what is stored of them, and add up the estimates of those that are to do."""
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
