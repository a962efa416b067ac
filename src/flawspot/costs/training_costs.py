"""What training a planned detector takes: multiply-accumulates and memory.

Memory by two rules. The paper's counts the outputs of trained convolutions and batch norms, value and gradient, for one
image. The better one counts what is there at the peak: the cached features, one batch, what autograd keeps of it, the
gradients on their way, weights with their gradients and the optimizer's state. Neither holds Python, torch and ONNX
Runtime themselves, nor the scratch memory of single operations; `flawspot costs --measure` measures those too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flawspot.costs.autograd import step_costs
from flawspot.costs.method_parts import FLOAT, bank_size, method_parts, padim_channels
from flawspot.costs.paper_counting import paper_training_ram
from flawspot.costs.plan import Plan
from flawspot.costs.student import planned_student
from flawspot.methods.cfa.method import CFA
from flawspot.methods.cfa.nearest_by_layer import ROWS
from flawspot.methods.padim.bands import band_numbers
from flawspot.methods.padim.gaussian import POSITIONS
from flawspot.methods.padim.method import BATCH, PaDiM
from flawspot.methods.patchcore.coreset import SELECTION_BYTES
from flawspot.methods.patchcore.method import PatchCore
from flawspot.methods.stfpm.method import STFPM, half_squared_distance

DOUBLE = 8
INDEX = 8


@dataclass(frozen=True)
class MemoryItem:
    """Something that lies in memory while a method is fitted.

    Attributes:
        name: what it is.
        bytes: how much.
        per_image: whether it grows with the number of photographs, in proportion.
    """

    name: str
    bytes: int
    per_image: bool = False


@dataclass(frozen=True)
class TrainingCosts:
    """What fitting takes. Every method first runs the backbone once over each image.

    Attributes:
        backbone_macs: of that, for one image.
        forward_macs, backward_input_macs, backward_weight_macs: for one image and epoch: of what is trained, forward,
            for gradients with respect to inputs, and to weights. Zero for methods that train nothing by gradients.
        epochs: how often each image is seen; 0 likewise.
        batch_size: images in a step; 0 likewise.
        cached_layers: whose outputs are kept for every image, -1 for the photograph itself.
        cache_bytes: of these at float32.
        ram_paper: by the paper's rule; None for methods that train nothing by gradients.
        ram: by the better rule; the sum of `items`.
        items: what that consists of.
        selection_macs: for one image, at most, of choosing what is stored; 0 for methods that choose nothing.
    """

    backbone_macs: int
    forward_macs: int
    backward_input_macs: int
    backward_weight_macs: int
    epochs: int
    batch_size: int
    cached_layers: tuple[int, ...]
    cache_bytes: int
    ram_paper: int | None
    items: tuple[MemoryItem, ...]
    selection_macs: int = 0

    @property
    def ram(self) -> int:
        """Bytes at the peak."""
        return sum(item.bytes for item in self.items)

    @property
    def macs(self) -> int:
        """For one image and epoch."""
        return self.forward_macs + self.backward_input_macs + self.backward_weight_macs

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "macs": self.macs, "ram": self.ram}


def training_costs(plan: Plan) -> TrainingCosts | None:
    """What fitting the plan's method takes; None for a method whose training is not known here."""
    fitting = next((fitting for kind, fitting in _FITTING.items() if isinstance(plan.method, kind)), None)
    if fitting is None:
        return None
    cache = plan.images * sum(FLOAT * math.prod(plan.shapes[layer]) for layer in plan.required)
    found = fitting(plan)
    return TrainingCosts(
        backbone_macs=plan.backbone_macs(),
        forward_macs=found.forward_macs,
        backward_input_macs=found.backward_input_macs,
        backward_weight_macs=found.backward_weight_macs,
        epochs=found.epochs,
        batch_size=found.batch_size,
        cached_layers=plan.required,
        cache_bytes=cache,
        ram_paper=paper_training_ram(plan),
        items=(
            MemoryItem("cached features", cache, per_image=True),
            *(MemoryItem(name, size, name in found.per_image) for name, size in found.memory.items()),
        ),
        selection_macs=found.selection_macs,
    )


@dataclass(frozen=True)
class _Fitting:
    memory: Mapping[str, int]
    forward_macs: int = 0
    backward_input_macs: int = 0
    backward_weight_macs: int = 0
    epochs: int = 0
    batch_size: int = 0
    per_image: frozenset[str] = frozenset()
    """Names in `memory` of what grows with the number of photographs."""
    selection_macs: int = 0


def _patchcore(plan: Plan) -> _Fitting:
    patches = plan.images * plan.positions
    assert isinstance(plan.method, PatchCore)
    every = {"patches of all images", "coreset selection"}
    return _Fitting(
        {
            "patches of all images": FLOAT * patches * plan.channels,
            "coreset selection": SELECTION_BYTES * patches,
            "memory bank": FLOAT * bank_size(plan) * plan.channels,
        },
        # A share of all patches grows with them; so does a bank that holds every one.
        per_image=frozenset(every | {"memory bank"} if plan.method.bank_ratio or bank_size(plan) == patches else every),
        # Every patch is compared with every one that is kept.
        selection_macs=plan.positions * bank_size(plan) * plan.channels,
    )


def _padim(plan: Plan) -> _Fitting:
    method = plan.method
    assert isinstance(method, PaDiM)
    d = padim_channels(plan)
    whole = method.covariance != "diagonal"
    squares = band_numbers(d) if whole else d
    return _Fitting(
        {
            "batch": 4 * FLOAT * min(BATCH, plan.images) * plan.positions * d,  # repeated, by position, shifted, turned
            "sums": DOUBLE * plan.positions * (squares + d),
            # Of some positions at a time: covariances, their factors, the factors' inverses, and one on its way.
            "inversion": 4 * DOUBLE * min(POSITIONS, plan.positions) * d * d if whole else 0,
            "result": sum(part.bytes for part in method_parts(plan)),
        }
    )


def _cfa(plan: Plan) -> _Fitting:
    """Descriptions at each tap's own resolution, and the search of `flawspot.methods.cfa.nearest_by_layer`."""
    method = plan.method
    assert isinstance(method, CFA)
    c, positions, grid = plan.channels, plan.positions, plan.grid
    batch = min(method.batch_size, plan.images)
    few = method.nearest + method.repelled
    maps = [(channels, side) for channels, side, _ in (plan.shapes[tap] for tap in plan.taps)]
    coarse = [(channels, side) for channels, side in maps if side != grid]
    pooled = sum(channels * side**2 for channels, side in maps)
    interpolating = sum(2 * (side + grid) * grid * c for _, side in coarse)
    members = sum(channels for channels, side in maps if side == grid) + 3 + sum(side for _, side in coarse)
    products = sum(side**2 for _, side in coarse) * positions
    searching = (
        positions**2 * members
        + sum((channels + grid) * side**2 * positions for channels, side in coarse)
        + positions * c * (c + 3) // batch  # the centres times the matrices, which change with every step
    )
    described = FLOAT * batch * positions * c
    rows = min(ROWS, grid)
    return _Fitting(
        memory={
            "pooled features": FLOAT * plan.images * pooled,
            "batch": FLOAT * batch * pooled,
            "centres": 2 * FLOAT * positions * c,  # themselves, and times the matrices
            "search": FLOAT * (products + rows * positions * (members + grid)) + INDEX * batch * positions * few,
            "descriptors": 2 * described,  # and a summand
            "gradients on their way": 2 * described,
            "weights, gradients, optimizer": FLOAT * (c * c + c + 2 * c + 1) * (1 + 1 + 3),  # AdamW with amsgrad: three
        },
        forward_macs=pooled * c + interpolating + searching + positions * few * c,
        backward_input_macs=positions * few * c + interpolating,  # of the distances; the features are not trained
        backward_weight_macs=pooled * c,
        epochs=method.epochs,
        batch_size=batch,
        per_image=frozenset({"pooled features"}),
    )


def _student(plan: Plan) -> _Fitting:
    student = planned_student(plan)
    batch = student.batch_size
    teacher = {tap: torch.zeros(batch, *plan.shapes[tap], device="meta") for tap in plan.taps}

    def loss(outputs: Mapping[int, Tensor]) -> Tensor:
        return torch.stack([half_squared_distance(teacher[tap], outputs[tap]).mean() for tap in plan.taps]).sum()

    for parameter in student.blocks.parameters():
        parameter.requires_grad_(True)
    step = step_costs(student.blocks, student.input(batch), loss)
    tensors = sum(t.nbytes for t in student.blocks.state_dict().values())
    parameters = sum(p.nbytes for p in student.blocks.parameters())
    return _Fitting(
        memory={
            "teacher's batch": sum(t.nbytes for t in teacher.values()),
            "kept by autograd": step.saved_bytes,
            "gradients on their way": step.largest_gradient_bytes,
            "weights": tensors,
            "gradients": parameters,
            "optimizer": parameters,  # momentum
            "best epoch": tensors,
        },
        forward_macs=step.forward_macs // batch,
        backward_input_macs=step.backward_input_macs // batch,
        backward_weight_macs=step.backward_weight_macs // batch,
        epochs=student.epochs,
        batch_size=batch,
    )


_FITTING: dict[type, Callable[[Plan], _Fitting]] = {
    PatchCore: _patchcore,
    PaDiM: _padim,
    CFA: _cfa,
    STFPM: _student,
}
