"""Made-up stores in which a claim is plainly true, plainly false, or open."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

from flawspot.benchmark.record import Cell, Record
from flawspot.benchmark.report.claims.every import CLAIMS, claims
from flawspot.benchmark.report.claims.verdict import Claim
from flawspot.benchmark.report.results import Results
from flawspot.runtime.manifest import Part

from ..conftest import cell, chance, record

CATEGORIES = ("screw", "grid", "leather", "capsule", "bottle", "tile")
"""Of the first four, defects cover at most 10 thousandths."""
LIGHT = ("mobilenet_v2", "mcunet_in3", "phinet", "micronet_m1")
GROUPS = ("low", "mid", "high", "equiv")

Changes = Callable[[Cell], dict[str, Any]]


@functools.cache
def plain_runs(categories: tuple[str, ...]) -> list[Record]:
    """The paper's grid with one seed, but for WideResNet50 on other layers."""
    found = []
    for category in categories:
        for backbone in (*LIGHT, "wide_resnet50_2"):
            groups = GROUPS if backbone in LIGHT else ("equiv",)
            for method in ("patchcore", "padim", "cfa", "stfpm"):
                for layers in groups:
                    found.append(cell(category=category, backbone=backbone, layers=layers, method=method))
            if backbone in LIGHT:
                found.append(cell(category=category, backbone=backbone, layers="paste", method="paste"))
    return [record(of) for of in found]


def run(of: Cell, f1: float | None = None, **changes: Any) -> Record:
    """A run with a pixel F1 and other figures; `measured` and `machine` are added to what there is."""
    return changed(record(of), f1, **changes)


def changed(made: Record, f1: float | None = None, **changes: Any) -> Record:
    """As `run`, of a run that is there."""
    metrics = made.metrics if f1 is None else {**made.metrics, "pixel_f1_max": f1}
    measured = {"latency_threads": 1, **made.measured, **changes.pop("measured", {})}
    machine = {**made.machine, "host_hash": "a machine"}
    common = {"metrics": metrics, "measured": measured, "machine": machine, "trained": True}
    return dataclasses.replace(made, **common | changes)


def store(changes: Changes, categories: Iterable[str] = CATEGORIES) -> list[Record]:
    """A run of every cell; what `changes` says of it, as `run` takes it."""
    return [changed(made, **changes(made.cell)) for made in plain_runs(tuple(categories))]


def noisy(level: Callable[[Cell], float], noise: float = 0.001) -> Changes:
    """A pixel F1 with a little noise that hangs on the cell."""
    return lambda of: {"f1": level(of) + noise * chance(of.category, of.backbone, of.method, of.layers)}


def bank(*parts: tuple[str, int, int]) -> tuple[Part, ...]:
    """Parts by name, bytes and multiply-accumulates."""
    return tuple(Part(*part) for part in parts)


def found(records: list[Record], key: str) -> Claim:
    """The claim called `key`, tested on these runs."""
    claim = CLAIMS[keys().index(key)](Results(records))
    assert claim.key == key
    return claim


@functools.cache
def keys() -> list[str]:
    """Of all claims."""
    return [claim.key for claim in claims([record(cell())])]
