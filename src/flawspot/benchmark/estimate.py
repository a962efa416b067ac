"""How long a run will take and how much memory, from the cost model and from what finished runs have taken.

Seconds are multiply-accumulates by rates of an ordinary desktop core, so they are rough; once runs of a method are
done on this machine, its estimates are scaled by what those took.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from flawspot.benchmark.machine import machine
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.benchmark.task import Estimate, Task
from flawspot.costs.configuration import DetectorCosts, configuration_costs
from flawspot.data.demo_set import DEFECTS
from flawspot.data.layouts import DEMO_DEFAULTS
from flawspot.errors import FlawspotError

INFERENCE_RATE = 15e9
"""Multiply-accumulates a second of one core in ONNX Runtime."""
TRAINING_RATE = 6e9
"""The same forward and backward in torch."""
SEARCH_RATE = 12e9
"""The same in the selection of a coreset."""
DECODING = 0.015
"""Seconds to decode a photograph."""
OVERHEAD = 12.0
"""Seconds of a run beside that, nearly all of them export."""
RESIDENT = 600 << 20
"""Bytes of Python, torch and ONNX Runtime themselves."""
_UNKNOWN = (200, 100)
"""Photographs of a product that is not here: to learn from, to test on."""
_IMAGES = 200
_BY_IMAGES = ("cached features", "patches of all images", "coreset selection")


class Estimator:
    """Estimates tasks; costs of a configuration are counted once."""

    def __init__(self, records: Sequence[Record] = (), *, threads: int = 1) -> None:
        """Args: `records` of finished runs to learn from; `threads` of a worker."""
        self._threads = threads
        self._costs: dict[str, DetectorCosts | None] = {}
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._done = [record for record in records if record.status == DONE]
        self._here = machine()["host_hash"]
        self._scales: dict[str | None, float] | None = None

    def with_threads(self, threads: int) -> Estimator:
        """The same for workers with another number of threads; what has been counted is not counted again."""
        other = Estimator(self._done, threads=threads)
        other._costs, other._counts = self._costs, self._counts
        return other

    def estimate(self, task: Task) -> Estimate:
        """Of one run. A cell whose method the cost model does not know gets the overhead alone."""
        train, test = self._count(task)
        plain = self._plain(task.cell, train, test)
        if self._scales is None:
            self._scales = self._learned()
        scale = self._scales.get(task.cell.method, self._scales.get(None, 1.0))
        return Estimate(plain.seconds * scale, plain.memory_bytes)

    def _plain(self, cell: Cell, train: int, test: int) -> Estimate:
        costs = self._of(cell)
        memory = RESIDENT + 5 * test * cell.input_size**2
        seconds = OVERHEAD + DECODING * (train + 3 * test)
        if costs is None or costs.training is None:
            return Estimate(seconds, memory)
        training = costs.training
        rate = INFERENCE_RATE * self._threads
        seconds += (train * training.backbone_macs + (0.2 * train + test + 40) * costs.macs) / rate
        seconds += 0.7 * train * training.macs * training.epochs / (TRAINING_RATE * self._threads)
        bank = next((part for part in costs.parts if part.name == "memory bank"), None)
        if bank is not None:
            # The selection compares every patch of all photographs with every one that is kept.
            seconds += 0.8 * train * bank.macs / (SEARCH_RATE * self._threads)
        share = train / _IMAGES
        fitting = sum(item.bytes * (share if item.name in _BY_IMAGES else 1) for item in training.items)
        # The head as a module, its model, and the session that runs it.
        return Estimate(seconds, memory + int(max(fitting, 0)) + 3 * costs.bytes)

    def _of(self, cell: Cell) -> DetectorCosts | None:
        name = repr((cell.backbone, cell.layers, cell.method, sorted(cell.settings.items()), cell.input_size))
        if name not in self._costs:
            try:
                self._costs[name] = configuration_costs(
                    backbone=cell.backbone,
                    layers=cell.layers,
                    method=cell.method,
                    settings=cell.settings,
                    input_size=cell.input_size,
                    images=_IMAGES,
                )
            except FlawspotError:
                self._costs[name] = None
        return self._costs[name]

    def _count(self, task: Task) -> tuple[int, int]:
        """Photographs to learn from and to test on."""
        product = task.cell.data, task.cell.category
        if product not in self._counts:
            self._counts[product] = _photographs(task)
        train, test = self._counts[product]
        return (train if task.cell.shots is None else min(task.cell.shots, train)), test

    def _learned(self) -> dict[str | None, float]:
        """By how much finished runs on this machine took longer than estimated, by method; None for all together."""
        ratios: dict[str, list[float]] = {}
        for record in self._done:
            images = record.metrics.get("images")
            # A run that took over another one's detector says nothing.
            taken = record.measured.get("run_seconds", 0.0)
            if record.machine.get("host_hash") == self._here and images and taken > record.measured["training_seconds"]:
                train = self._counts.get((record.cell.data, record.cell.category), _UNKNOWN)[0]
                plain = self._plain(record.cell, train if record.cell.shots is None else record.cell.shots, int(images))
                ratios.setdefault(record.cell.method, []).append(taken / plain.seconds)
        scales: dict[str | None, float] = {method: statistics.median(values) for method, values in ratios.items()}
        if ratios:
            scales[None] = statistics.median(value for values in ratios.values() for value in values)
        return scales


def _photographs(task: Task) -> tuple[int, int]:
    source = task.source
    if source.layout == "synthetic":
        values = {name: int(source.settings.get(name, default) or 0) for name, default in DEMO_DEFAULTS.items()}
        return values["train"], values["test_good"] + len(DEFECTS) * values["test_per_defect"]
    if task.missing is not None:
        return _UNKNOWN
    try:
        folder = source.open(task.cell.category)
    except FlawspotError:
        return _UNKNOWN
    return len(folder.train), len(folder.test)
