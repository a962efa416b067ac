"""The candidate detectors, and which of them fit a budget according to the cost model, before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flawspot.backbones.registry import family
from flawspot.backbones.weights import require
from flawspot.benchmark.grid import Departure, Grid
from flawspot.benchmark.grid_file import read_grid
from flawspot.benchmark.record import Cell
from flawspot.benchmark.vocabulary import vocabulary
from flawspot.choosing.budget import Budget, bytes_text, macs_text
from flawspot.choosing.photographs import Given
from flawspot.choosing.working_memory import least_arena
from flawspot.costs.configuration import plan_costs
from flawspot.costs.plan import make_plan
from flawspot.errors import ConfigurationError, WeightsError
from flawspot.progress import SILENT, Progress

TABLE = Path(__file__).with_name("candidates.yaml")
"""The candidates in the benchmark's format, most promising first."""


@dataclass(frozen=True)
class Candidate:
    """A candidate detector.

    Attributes:
        cell: its configuration, as a cell of the benchmark.
        memory: most bytes that it stores.
        macs: most multiply-accumulates for one photograph.
        arena: least bytes of working memory.
        why_not: why it is not trained; None if it fits or may fit.
        perhaps: which upper bound is above the budget. The actual value depends on the photographs, and is known after
            training. None if it surely fits or surely does not.
    """

    cell: Cell
    memory: int
    macs: int
    arena: int
    why_not: str | None = None
    perhaps: str | None = None

    @property
    def name(self) -> str:
        """The candidate in a few words."""
        return name_of(self.cell)

    def as_dict(self) -> dict[str, Any]:
        """The candidate as plain values for JSON."""
        return {
            "name": self.name,
            **described(self.cell),
            "memory": self.memory,
            "macs": self.macs,
            "least_arena": self.arena,
            "why_not": self.why_not,
            "perhaps": self.perhaps,
        }


def name_of(cell: Cell) -> str:
    """A detector in a few words: its label, backbone, layers, precision and what it tolerates."""
    rounded = "" if cell.precision == "float32" else f", {cell.precision}"
    tolerant = "" if cell.tolerate is None else f", tolerates {cell.tolerate}"
    return f"{cell.label} on {cell.backbone} {cell.layers}{rounded}{tolerant}"


def described(cell: Cell) -> dict[str, Any]:
    """The arguments of `flawspot train` that make it again, as values for JSON."""
    return {
        "method": cell.method,
        "backbone": cell.backbone,
        "layers": cell.layers,
        "settings": dict(cell.settings),
        "input_size": cell.input_size,
        "precision": cell.precision,
        "tolerate": cell.tolerate,
    }


def table(source: Given, path: Path | None = None) -> Grid:
    """The candidates for some photographs.

    Args:
        source: the photographs, which replace the data in the table.
        path: a grid in the benchmark's format; None: the one that comes with flawspot.

    Raises:
        ConfigurationError: the grid is wrong, or asks for more than one seed or for other photographs.
    """
    grid = read_grid(TABLE if path is None else path, vocabulary())
    if len(grid.seeds) > 1:
        raise ConfigurationError(
            f"{grid.file}: all candidates must have the same seed, so that the same photographs judge them: leave "
            f"{len(grid.seeds) - 1} of the {len(grid.seeds)} out"
        )
    if grid.departures != (Departure(),):
        raise ConfigurationError(
            f"{grid.file}: candidates are trained on your unchanged photographs: leave out corruptions, severities, "
            "contamination and shots"
        )
    return replace(grid, data=(source,))


def considered(
    grid: Grid,
    budget: Budget,
    *,
    images: int,
    seed: int | None,
    tolerate: str | None = None,
    progress: Progress = SILENT,
) -> list[Candidate]:
    """Every candidate, most promising first, with its costs and whether it fits.

    A candidate that stores too much, or any if working memory is limited, is also considered at int8. One that computes
    too much is not, as int8 does not reduce the multiply-accumulates.

    Args:
        grid: the result of `table`.
        budget: budget of the device.
        images: number of photographs for training.
        seed: seed of every candidate; None: the grid's.
        tolerate: what every candidate tolerates, as in a cell; None: as in the grid.
        progress: told of the candidates.

    Raises:
        ConfigurationError: the grid has an impossible combination; the message names the line.
    """
    cells = grid.cells(vocabulary())
    labels = list(dict.fromkeys(method.label for method in grid.methods))
    backbones = {name: place for place, name in enumerate(grid.backbones)}
    cells.sort(key=lambda cell: (labels.index(cell.label), backbones[cell.backbone]))
    missing = {name: _missing(name) for name in grid.backbones}
    found: dict[str, Candidate] = {}
    for cell in progress.track(cells, "counting costs"):
        plain = replace(cell, seed=cell.seed if seed is None else seed, tolerate=tolerate or cell.tolerate)
        one = _candidate(plain, budget, images, missing)
        found.setdefault(plain.identity, one)
        too_large = budget.memory is not None and one.memory > budget.memory
        at_work = Budget(macs=budget.macs)
        computes = one.why_not if one.perhaps is None and at_work.beyond_plan(0, one.macs, 0) else None
        if plain.precision == "float32" and (too_large or budget.arena is not None) and computes is None:
            rounded = replace(plain, precision="int8")
            found.setdefault(rounded.identity, _candidate(rounded, budget, images, missing))
    return list(found.values())


def smallest_of(candidates: Sequence[Candidate]) -> str:
    """The costs of the smallest candidates, for a user whose budget nothing fits."""
    known = [one for one in candidates if one.memory]
    if not known:
        return "no candidate can be trained here"
    memory, macs = min(known, key=lambda one: one.memory), min(known, key=lambda one: one.macs)
    arena = min(known, key=lambda one: one.arena)
    return (
        f"the smallest is {memory.name} with {bytes_text(memory.memory)}. {macs.name} computes least with "
        f"{macs_text(macs.macs)}. {arena.name} needs at least {bytes_text(arena.arena)} of working memory"
    )


def _candidate(cell: Cell, budget: Budget, images: int, missing: dict[str, str | None]) -> Candidate:
    try:
        plan = make_plan(
            backbone=cell.backbone,
            layers=cell.layers,
            method=cell.method,
            settings=cell.settings,
            input_size=cell.input_size,
            images=images,
            seed=cell.seed,
            precision=cell.precision,
            tolerate=cell.tolerate,
        )
        costs = plan_costs(plan)
    except ConfigurationError as error:
        return Candidate(cell, 0, 0, 0, str(error))
    arena = least_arena(plan)
    why_not, perhaps = budget.beyond_plan(costs.bytes, costs.macs, arena), None
    if why_not is not None and plan.method.planned_at_most:
        backbone = costs.parts[0]
        at_least = budget.beyond_plan(backbone.bytes, backbone.macs, arena)
        why_not, perhaps = (None, f"{why_not} at most") if at_least is None else (at_least, None)
    if why_not is None and not cell.random_weights:
        why_not = missing[cell.backbone]
    return Candidate(cell, costs.bytes, costs.macs, arena, why_not, perhaps if why_not is None else None)


def _missing(backbone: str) -> str | None:
    """Why a backbone cannot get weights here; None if its weights are present."""
    try:
        require(backbone, family(backbone).weights)
    except WeightsError as error:
        return str(error)
    return None
