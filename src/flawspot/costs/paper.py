"""The resource columns of the PaSTe paper's tables 2 and 3, computed as the paper counts, and completely.

Sizes are MiB at float32. Costs are millions of multiply-accumulates for one photograph of 224 x 224. Nothing is trained
and no weights are needed. The paper's way of counting was inferred from its tables. Each method implements it in
`Method.paper_costs`. Two things could not be derived: the difference of PatchCore's 235.6 M to the backbone's 225.5 M,
and the multiply-accumulates of training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flawspot.costs.configuration import plan_costs
from flawspot.costs.plan import Plan, make_plan
from flawspot.costs.tables import INPUT_SIZE, paper_settings, paper_tables
from flawspot.methods.costs import PaperCosts
from flawspot.methods.registry import create_method
from flawspot.runtime.manifest import Manifest

MIB = 2**20
QUANTITIES = ("memory_mb", "inference_mmac", "training_mmac", "training_ram_mb")
IMAGES = 200
"""Number of images for the training memory; MVTec AD has 60 to 391 for each product."""


@dataclass(frozen=True)
class Figure:
    """One cell of the paper's tables.

    Attributes:
        table: 2 or 3.
        backbone, method: its column.
        quantity: ``memory_mb``, ``inference_mmac``, ``training_mmac``, ``training_ram_mb``.
        paper: as printed.
        computed: as the paper counts; None if it could not be derived.
        honest: complete figure by flawspot for the same detector, with every part; PatchCore with a full search.
        counted: figure counted by a trained detector itself, if one was given. PatchCore's search visits only a part of
            the bank, and how large a part depends on the photographs.
        note: the reason for differences between the columns.
    """

    table: int
    backbone: str
    method: str
    quantity: str
    paper: float
    computed: float | None
    honest: float
    counted: float | None = None
    note: str = ""

    @property
    def difference(self) -> float | None:
        """Difference of `computed` from `paper`, in percent."""
        return None if self.computed is None else 100 * (self.computed - self.paper) / self.paper

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "difference_percent": self.difference}


def reproduce(counted: Mapping[tuple[str, str], int] | None = None) -> list[Figure]:
    """Every resource figure of tables 2 and 3, beside flawspot's figure for it.

    Args:
        counted: multiply-accumulates counted by trained detectors themselves, by backbone and method; `of_paper` says
            which detectors are suitable.
    """
    tables = paper_tables()
    figures: list[Figure] = []
    columns: dict[tuple[str, str], Column] = {}  # two of them are in both tables
    for table in (2, 3):
        for backbone, methods in tables[f"table{table}"].items():
            for method, published in methods.items():
                if (backbone, method) not in columns:
                    columns[backbone, method] = Column(paper_plan(backbone, method))
                column, seen = columns[backbone, method], (counted or {}).get((backbone, method))
                figures += [
                    column.figure(table, quantity, published[quantity], seen)
                    for quantity in QUANTITIES
                    if quantity in published
                ]
    return figures


class Column:
    """One detector of the tables."""

    def __init__(self, plan: Plan) -> None:
        """Count it."""
        self.plan, self.costs = plan, plan_costs(plan)
        self.paper = plan.method.paper_costs(plan.shapes, plan.backbone) or PaperCosts()

    def figure(self, table: int, quantity: str, published: float, counted: int | None) -> Figure:
        """One quantity's figure, beside the published one."""
        computed, honest = self._computed_and_honest(quantity)
        unit = 1e6 if quantity.endswith("mmac") else MIB
        if quantity != "inference_mmac":
            counted = None
        return Figure(
            table=table,
            backbone=self.plan.shapes.backbone,
            method=self.plan.method.name,
            quantity=quantity,
            paper=published,
            computed=None if computed is None else computed / unit,
            honest=honest / unit,
            counted=None if counted is None else counted / unit,
            note=self.paper.notes.get(quantity, ""),
        )

    def _computed_and_honest(self, quantity: str) -> tuple[int | None, int]:
        """Bytes or multiply-accumulates, as the paper counts and completely."""
        if quantity == "memory_mb":
            return self.paper.bytes, self.costs.bytes
        if quantity == "inference_mmac":
            return self.paper.macs if self.paper.macs is not None else self.paper.supposed_macs, self.costs.macs
        training = self.costs.training
        assert training is not None
        return (None, training.macs) if quantity == "training_mmac" else (training.ram_paper, training.ram)


def paper_plan(backbone: str, method: str) -> Plan:
    """The detector in one column of the paper's tables, on the layers of its method."""
    return make_plan(
        backbone=backbone,
        method=method,
        settings=paper_settings(backbone, method),
        input_size=INPUT_SIZE,
        images=IMAGES,
    )


def of_paper(manifest: Manifest) -> bool:
    """Whether a trained detector is one of table 3 with costs that depend on the photographs: the same backbone,
    layers, size and hyperparameters, of a method whose search depends on them."""
    backbone, method = manifest.backbone.name, manifest.method
    if method not in paper_tables()["table3"].get(backbone, {}) or manifest.input_size != INPUT_SIZE:
        return False
    plan = paper_plan(backbone, method)
    return (
        plan.method.planned_at_most
        and plan.shapes.taps == manifest.backbone.taps
        and plan.method.hyperparameters() == create_method(method, manifest.hyperparameters).hyperparameters()
    )
