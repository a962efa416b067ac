"""The resource columns of the PaSTe paper's tables 2 and 3, computed: as the paper counts, and as it really is.

Sizes are MiB at float32, costs are millions of multiply-accumulates for one photograph of 224 x 224. Nothing is trained
and no weights are needed. How the paper counts is told in `flawspot.costs.paper_counting`. Two things could not be
derived: what PatchCore's 235.6 M hold beside the backbone's 225.5 M, and the multiply-accumulates of training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flawspot.costs.configuration import plan_costs
from flawspot.costs.detector_costs import DetectorCosts
from flawspot.costs.method_parts import padim_channels
from flawspot.costs.plan import Plan, make_plan
from flawspot.costs.tables import BANK_SIZE, INPUT_SIZE, paper_settings, paper_tables
from flawspot.runtime.manifest import Manifest

MIB = 2**20
IMAGES = 200
"""That training memory is told for: MVTec AD has 60 to 391 a product."""


@dataclass(frozen=True)
class Figure:
    """One cell of the paper's tables.

    Attributes:
        table: 2 or 3.
        backbone, method: its column.
        quantity: ``memory_mb``, ``inference_mmac``, ``training_mmac``, ``training_ram_mb``.
        paper: as printed.
        computed: as the paper counts; None where that could not be derived.
        honest: what flawspot says of the same detector, with every part of it; PatchCore with a full search.
        counted: what a trained detector counted of itself, where one was given: PatchCore's search looks at a part of
            the bank only, and at how much depends on the photographs.
        note: what differs between the columns.
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
        """Of `computed` from `paper`, in percent."""
        return None if self.computed is None else 100 * (self.computed - self.paper) / self.paper

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "difference_percent": self.difference}


NOTES = {
    ("patchcore", "inference_mmac"): "honest: with a full search of the bank",
    ("padim", "inference_mmac"): (
        "the paper's way could not be derived, computed: a Cholesky factorization at each position and photograph; "
        "honest: once, in training"
    ),
    ("cfa", "memory_mb"): "honest: descriptor stored once",
    ("stfpm", "memory_mb"): "honest: with running statistics",
    ("paste", "memory_mb"): "honest: with running statistics",
    ("stfpm", "training_mmac"): "the paper's way could not be derived; honest: forward and both ways backward",
    ("paste", "training_mmac"): "the paper's way could not be derived; honest: forward and both ways backward",
    ("stfpm", "training_ram_mb"): f"honest: a batch, autograd's tensors and the cache of {IMAGES} photographs",
    ("paste", "training_ram_mb"): f"honest: a batch, autograd's tensors and the cache of {IMAGES} photographs",
}


def reproduce(counted: Mapping[tuple[str, str], int] | None = None) -> list[Figure]:
    """Every resource figure of tables 2 and 3 beside what flawspot computes for it.

    Args:
        counted: multiply-accumulates that trained detectors counted of themselves, by backbone and method; `of_paper`
            says which detectors may stand here.
    """
    tables = paper_tables()
    figures = []
    columns: dict[tuple[str, str], tuple[Plan, DetectorCosts]] = {}  # two of them are in both tables
    for table in (2, 3):
        for backbone, methods in tables[f"table{table}"].items():
            for method, published in methods.items():
                if (backbone, method) not in columns:
                    plan = paper_plan(backbone, method)
                    columns[backbone, method] = plan, plan_costs(plan)
                plan, costs = columns[backbone, method]
                for quantity in ("memory_mb", "inference_mmac", "training_mmac", "training_ram_mb"):
                    if quantity not in published:
                        continue
                    computed, honest = _computed_and_honest(plan, costs, quantity)
                    unit = 1e6 if quantity.endswith("mmac") else MIB
                    seen = (counted or {}).get((backbone, method)) if quantity == "inference_mmac" else None
                    figures.append(
                        Figure(
                            table,
                            backbone,
                            method,
                            quantity,
                            published[quantity],
                            None if computed is None else computed / unit,
                            honest / unit,
                            None if seen is None else seen / unit,
                            NOTES.get((method, quantity), ""),
                        )
                    )
    return figures


def paper_plan(backbone: str, method: str) -> Plan:
    """The detector in one column of the paper's tables: WideResNet-50-2 and MobileNetV2 at equivalent layers."""
    return make_plan(
        backbone=backbone,
        layers="paste" if method == "paste" else "equiv",
        method=method,
        settings=paper_settings(backbone, method),
        input_size=INPUT_SIZE,
        images=IMAGES,
    )


def of_paper(manifest: Manifest) -> bool:
    """Whether a trained detector is a PatchCore of table 3: the same layers, size and bank, nothing quantized.

    No other method computes more or less than is known beforehand.
    """
    backbone, method, settings = manifest.backbone.name, manifest.method, manifest.hyperparameters
    return (
        method == "patchcore"
        and method in paper_tables()["table3"].get(backbone, {})
        and manifest.input_size == INPUT_SIZE
        and settings.get("bank_size") == BANK_SIZE
        and settings.get("bank_ratio") is None
        and settings.get("quantization") is None
        and paper_plan(backbone, method).taps == manifest.backbone.taps
    )


def _computed_and_honest(plan: Plan, costs: DetectorCosts, quantity: str) -> tuple[int | None, int]:
    """Bytes or multiply-accumulates, as the paper counts and as it is."""
    if quantity == "memory_mb":
        return costs.paper_bytes, costs.bytes
    if quantity == "inference_mmac":
        return costs.paper_macs if plan.method.name != "padim" else _factorized_for_each_photograph(plan), costs.macs
    training = costs.training
    assert training is not None
    if quantity == "training_mmac":
        return None, training.macs
    return training.ram_paper, training.ram


def _factorized_for_each_photograph(plan: Plan) -> int:
    """Of PaDiM: the paper speaks of a cubic cost for each photograph."""
    d = padim_channels(plan)
    return plan.backbone_macs() + plan.positions * (d**3 // 3 + d * d)
