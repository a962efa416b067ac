"""Estimates the time and memory of a run from the cost model and from finished runs.

Seconds are multiply-accumulates divided by the rates of an ordinary desktop core, so they are rough. Once runs of a
method are done on this machine, its estimates are scaled by their time.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from flawspot.benchmark.machine import machine
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.benchmark.streams.passes import passes
from flawspot.benchmark.task import Estimate, Task
from flawspot.benchmark.variations import contaminating
from flawspot.costs.configuration import DetectorCosts, configuration_costs
from flawspot.data.demo_set import DEFECTS
from flawspot.data.layouts import DEMO_DEFAULTS
from flawspot.errors import FlawspotError

INFERENCE_RATE = 15e9
"""Multiply-accumulates per second on one core in ONNX Runtime."""
TRAINING_RATE = 6e9
"""Multiply-accumulates per second on one core in torch, forward and backward."""
SEARCH_RATE = 12e9
"""Multiply-accumulates per second on one core in the selection of a coreset."""
DECODING = 0.015
"""Seconds to decode a photograph."""
OVERHEAD = 12.0
"""Other seconds of a run, nearly all of them for export."""
TESTING = 3.0
"""Other seconds of a run that uses a detector which another run has trained."""
RESIDENT = 600 << 20
"""Bytes that Python, torch and ONNX Runtime take by themselves."""
_IMAGES = 200
"""Number of photographs that costs are counted for. Costs that grow with it are scaled."""


class Photographs(NamedTuple):
    """Numbers of training and test photographs."""

    train: int
    test: int


_LARGEST = 1e9
"""Above every number of photographs and of seconds that a run can have."""
_UNKNOWN = Photographs(200, 100)
"""The assumption for a product that is not available."""


def trained_already(tasks: Sequence[Task], statuses: Mapping[str, str]) -> set[str]:
    """`Task.training_key` of the detectors that finished runs have trained.

    Args:
        tasks: all runs of a grid.
        statuses: status of each run in the store, by `Task.key`.
    """
    return {task.training_key for task in tasks if statuses.get(task.key) == DONE}


class Estimator:
    """Estimates tasks. The costs of a configuration are counted only once."""

    def __init__(self, records: Sequence[Record] = (), tasks: Sequence[Task] = (), *, threads: int = 1) -> None:
        """Args: `records` of finished runs to learn from; `tasks`, for the numbers of photographs of records that do
        not contain them; `threads` of a worker."""
        self._threads = threads
        self._costs: dict[str, DetectorCosts | None] = {}
        self._products = {(task.cell.data, task.cell.category): task for task in tasks}
        self._counts: dict[tuple[str, str], Photographs] = {}
        self._done = [record for record in records if record.status == DONE and record.cell.stream is None]
        self._here = machine()["host_hash"]
        self._scales: dict[str | None, float] | None = None

    def with_threads(self, threads: int) -> Estimator:
        """An estimator for another number of threads for each worker. It reuses the costs counted so far."""
        other = Estimator(self._done, threads=threads)
        other._costs, other._counts, other._products = self._costs, self._counts, self._products
        return other

    def estimates(self, tasks: Sequence[Task], trained: Collection[str] = ()) -> dict[str, Estimate]:
        """Estimates of runs, by their keys. A detector is trained once for all runs that test it.

        Args:
            tasks: the runs, in the order in which they will be done.
            trained: `Task.training_key` of detectors that exist already.
        """
        found, there = {}, set(trained)
        for task in tasks:
            found[task.key] = self.estimate(task, trained=task.training_key in there)
            there.add(task.training_key)
        return found

    def estimate(self, task: Task, *, trained: bool = False) -> Estimate:
        """The estimate of one run. If the cost model does not know its method, it is only the overhead.

        Args:
            task: the run.
            trained: its detector exists already and is only tested.
        """
        self._products.setdefault((task.cell.data, task.cell.category), task)
        train, test = self._photographs(task.cell) or _UNKNOWN
        every = [self._plain(task.cell, Photographs(*each)) for each in passes(task.cell, train, test)]
        plain = Estimate(sum(each.seconds for each in every), max(each.memory_bytes for each in every))
        if trained and task.cell.stream is None:
            # The memory stays: the first of these runs, whichever it is, trains.
            plain = Estimate(self._testing(task.cell, test), plain.memory_bytes)
        if self._scales is None:
            self._scales = self._learned()
        scale = self._scales.get(task.cell.method, self._scales.get(None, 1.0))
        return Estimate(plain.seconds * scale, plain.memory_bytes)

    def _plain(self, cell: Cell, photographs: Photographs) -> Estimate:
        train, test = photographs
        costs = self._of(cell)
        memory = RESIDENT + 5 * test * cell.input_size**2
        seconds = OVERHEAD + DECODING * (train + 3 * test)
        if costs is None or costs.training is None:
            return Estimate(seconds, memory)
        training = costs.training
        rate = INFERENCE_RATE * self._threads
        learned = train * (1 + training.copies)
        seconds += DECODING * (learned - train)
        seconds += (learned * training.backbone_macs + (0.2 * learned + test + 40) * costs.macs) / rate
        seconds += 0.7 * learned * training.macs * training.epochs / (TRAINING_RATE * self._threads)
        seconds += 0.8 * learned * training.selection_macs / (SEARCH_RATE * self._threads)
        fitting = sum(item.bytes * (train / _IMAGES if item.per_image else 1) for item in training.items)
        # The head as a module, its model, and the session that runs it.
        return Estimate(seconds, memory + int(max(fitting, 0)) + 3 * costs.bytes)

    def _testing(self, cell: Cell, test: int) -> float:
        """Seconds to test a detector."""
        costs = self._of(cell)
        work = 0.0 if costs is None else (test + 40) * costs.macs / (INFERENCE_RATE * self._threads)
        return TESTING + 3 * DECODING * test + work

    def _of(self, cell: Cell) -> DetectorCosts | None:
        settings = sorted(cell.settings.items())
        described = (cell.backbone, cell.layers, cell.method, settings, cell.input_size, cell.precision, cell.tolerate)
        name = repr(described)
        if name not in self._costs:
            try:
                self._costs[name] = configuration_costs(
                    backbone=cell.backbone,
                    layers=cell.layers,
                    method=cell.method,
                    settings=cell.settings,
                    input_size=cell.input_size,
                    images=_IMAGES,
                    precision=cell.precision,
                    tolerate=cell.tolerate,
                )
            except FlawspotError:
                self._costs[name] = None
        return self._costs[name]

    def _photographs(self, cell: Cell) -> Photographs | None:
        """Numbers of photographs of a cell; None if no task has its product."""
        product = cell.data, cell.category
        if product not in self._counts:
            if product not in self._products:
                return None
            self._counts[product] = _found(self._products[product])
        train, test = self._counts[product]
        train = train if cell.shots is None else min(cell.shots, train)
        moved = min(contaminating(train, cell.contamination), test)
        return Photographs(train + moved, test - moved)

    def _had(self, record: Record) -> Photographs | None:
        """Numbers of photographs of a finished run; None if the number for training is unknown."""
        images, train = _positive(record.metrics.get("images")), _positive(record.training_images)
        if record.training_images is None:  # a record of an older flawspot
            known = self._photographs(record.cell)
            train = known.train if known is not None else None
        return None if train is None or images is None else Photographs(int(train), int(images))

    def _learned(self) -> dict[str | None, float]:
        """Factor by which finished runs on this machine took longer than estimated, by method; None is the key of all
        together."""
        ratios: dict[str, list[float]] = {}
        for record in self._done:
            photographs = self._had(record)
            seconds = _positive(record.measured.get("run_seconds"))
            if photographs is None or seconds is None or record.machine.get("host_hash") != self._here:
                continue
            # A run that used another run's detector does not show the time of training.
            if _trained(record, seconds):
                plain = self._plain(record.cell, photographs)
                ratios.setdefault(record.cell.method, []).append(seconds / plain.seconds)
        scales: dict[str | None, float] = {method: statistics.median(values) for method, values in ratios.items()}
        if ratios:
            scales[None] = statistics.median(value for values in ratios.values() for value in values)
        return scales


def _trained(record: Record, seconds: float) -> bool:
    """Whether a finished run of so many seconds trained its detector itself."""
    if record.trained is not None:
        return record.trained
    # In a record of an older flawspot, training and testing must both fit into the time of the run.
    parts = (record.measured.get(name) for name in ("training_seconds", "evaluation_seconds"))
    return seconds > sum(_positive(part) or 0.0 for part in parts)


def _positive(value: Any) -> float | None:
    """A figure of a stored record, which may be anything; None if it is no number, or nobody can have measured it."""
    return float(value) if isinstance(value, int | float) and 0 < value < _LARGEST else None


def _found(task: Task) -> Photographs:
    """Numbers of photographs of a task's product, before any variation."""
    source = task.source
    if source.layout == "synthetic":
        values = {name: int(source.settings.get(name, default) or 0) for name, default in DEMO_DEFAULTS.items()}
        return Photographs(values["train"], values["test_good"] + len(DEFECTS) * values["test_per_defect"])
    if task.missing is not None:
        return _UNKNOWN
    try:
        folder = source.open(task.cell.category)
    except FlawspotError:
        return _UNKNOWN
    return Photographs(len(folder.train), len(folder.test))
