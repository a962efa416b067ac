"""A run that is ready to start: its cell and everything else that affects its result. It can be sent to a process."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flawspot.benchmark.record import MISSING, Cell, Record, run_key
from flawspot.data.layouts import DataSource
from flawspot.errors import FlawspotError

DEFAULT_CACHE_BYTES = 8 << 30


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run.

    Attributes:
        key: `run_key` of the run.
        training_key: a key that all runs share which test one detector on different corruptions.
        cell: the cell of the grid.
        source: source of the photographs.
        folder: the store's folder, for artifacts, pictures and features.
        data_fingerprint, weights, weights_sha256, code_version: everything besides the cell that affects the result.
        listings: `listing` of each of the cell's categories when the run was planned; empty if it is not known.
        missing: why the run is impossible here, with the cure; None if it is possible.
        grid: title of the run's grid.
        cache_bytes: most bytes of features that may stay on disk.
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
    listings: tuple[str, ...] = ()
    missing: str | None = None
    grid: str = ""
    cache_bytes: int = DEFAULT_CACHE_BYTES

    @property
    def group(self) -> tuple[Any, ...]:
        """A key that is equal for runs that share all or some features."""
        cell = self.cell
        of_photographs = (cell.data, cell.category, cell.contamination, cell.shots, cell.tolerate)
        fewer = cell.contamination > 0 or cell.shots is not None
        chosen = cell.seed if fewer or cell.random_weights or cell.tolerate is not None else None
        preprocessed = (cell.input_size, cell.normalization, cell.precision)
        return (*of_photographs, chosen, cell.backbone, *preprocessed, cell.random_weights)

    def record(self, status: str, **values: Any) -> Record:
        """The run's record with everything known before its start."""
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

    @property
    def artifact(self) -> Path:
        """The path of its detector."""
        return self.folder / "artifacts" / f"{self.training_key}.onnx"

    def photographs_have_changed(self) -> bool:
        """Whether the photographs are no longer those that the run was planned with. None is read."""
        if not self.listings:
            return False
        try:
            return self.listings != tuple(listing(self.source, category) for category in self.cell.categories)
        except (FlawspotError, OSError):  # one is gone
            return True


@dataclass(frozen=True)
class Estimate:
    """The estimate of a run: seconds with all threads of a worker, and peak bytes."""

    seconds: float
    memory_bytes: int


def listing(source: DataSource, category: str) -> str:
    """A hash of the names, sizes and times of a product's files; empty for a synthetic one.

    Raises:
        FlawspotError: the data are missing.
        OSError: a file is gone.
    """
    if source.layout == "synthetic":
        return ""
    folder = source.open(category)
    paths = [*folder.train]
    for sample in folder.test:
        paths += [sample.path, *sample.masks]
    encoding = sys.getfilesystemencodeerrors()
    found = hashlib.sha256(f"{source.layout}\0{folder.root.resolve()}\0".encode(errors=encoding))
    for path in paths:
        stat = path.stat()
        found.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors=encoding))
    return found.hexdigest()


def keys(cell: Cell, *, data_fingerprint: str, weights_sha256: str, code_version: str) -> tuple[str, str]:
    """The key of a run, and the key of its training, which does not depend on the corruption of test photographs."""
    training = replace(cell, corruption=None, severity=0)
    key, training_key = (
        run_key(one, data_fingerprint=data_fingerprint, weights_sha256=weights_sha256, code_version=code_version)
        for one in (cell, training)
    )
    return key, training_key


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, ordered so that those that share features are adjacent, and among them those that share a detector."""
    places: dict[Any, int] = {}
    for place, task in enumerate(tasks):
        places.setdefault(task.group, place)
        places.setdefault(task.training_key, place)
    return sorted(tasks, key=lambda task: (places[task.group], places[task.training_key]))
