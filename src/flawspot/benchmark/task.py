"""A run that may begin: its cell with all that its result depends on, fit to be sent to another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flawspot.benchmark.record import MISSING, Cell, Record, run_key
from flawspot.data.layouts import DataSource

DEFAULT_CACHE_BYTES = 8 << 30


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run.

    Attributes:
        key: `run_key` of the run.
        training_key: the same for all runs that test one detector on differently corrupted photographs.
        cell: what was asked for.
        source: where the photographs are.
        folder: the store's, for artifacts, pictures and features.
        data_fingerprint, weights, weights_sha256, code_version: what the result depends on.
        missing: why the run is impossible here, with the cure; None if it is not.
        grid: title of the grid that asks for the run.
        cache_bytes: of features that may stay on disk.
    """

    key: str
    training_key: str
    cell: Cell
    source: DataSource
    folder: Path
    data_fingerprint: str
    weights: str
    weights_sha256: str
    code_version: str
    missing: str | None = None
    grid: str = ""
    cache_bytes: int = DEFAULT_CACHE_BYTES

    @property
    def group(self) -> tuple[Any, ...]:
        """Equal for runs that share features, wholly or in part."""
        cell = self.cell
        of_photographs = (cell.data, cell.category, cell.contamination, cell.shots, cell.tolerate)
        fewer = cell.contamination > 0 or cell.shots is not None
        chosen = cell.seed if fewer or cell.random_weights or cell.tolerate is not None else None
        preprocessed = (cell.input_size, cell.normalization, cell.precision)
        return (*of_photographs, chosen, cell.backbone, *preprocessed, cell.random_weights)

    def record(self, status: str, **values: Any) -> Record:
        """The run's record with what is known before it begins."""
        return Record(
            key=self.key,
            cell=self.cell,
            status=status,
            data_fingerprint=self.data_fingerprint,
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            code_version=self.code_version,
            grid=self.grid,
            **values,
        )

    def missing_record(self, **values: Any) -> Record:
        """The record of a run that is impossible here."""
        return self.record(MISSING, error=self.missing, **values)


@dataclass(frozen=True)
class Estimate:
    """What a run is thought to take: seconds with all threads of a worker, and bytes at the peak."""

    seconds: float
    memory_bytes: int


def keys(cell: Cell, *, data_fingerprint: str, weights_sha256: str, code_version: str) -> tuple[str, str]:
    """The key of a run, and that of its training, which no corruption of test photographs changes."""
    training = replace(cell, corruption=None, severity=0)
    key, training_key = (
        run_key(one, data_fingerprint=data_fingerprint, weights_sha256=weights_sha256, code_version=code_version)
        for one in (cell, training)
    )
    return key, training_key


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with those that share features together, and of these those that share a detector."""
    places: dict[Any, int] = {}
    for place, task in enumerate(tasks):
        places.setdefault(task.group, place)
        places.setdefault(task.training_key, place)
    return sorted(tasks, key=lambda task: (places[task.group], places[task.training_key]))
