"""The resource columns of the PaSTe paper's tables 2 and 3, computed: as the paper counts, and as it really is.

Sizes are MiB at float32, costs are millions of multiply-accumulates for one photograph of 224 x 224. Nothing is trained
and no weights are needed.

How the paper counts, found by agreement with its figures:

- PatchCore: a bank of 30,000 patches; the search of the bank is not counted.
- PaDiM: d x d + d numbers at each position, d a quarter of the channels (550 for WideResNet-50-2).
- CFA: the descriptor is stored twice.
- Not derived: PaDiM's multiply-accumulates, what PatchCore's 235.6 M hold beside the backbone's 225.5 M, and the
  multiply-accumulates of training.
- STFPM, PaSTe: parameters alone, without the batch norms' running statistics; the others with them.
- RAM in training: the outputs of every convolution and batch norm that is trained, value and gradient, for one image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create, family
from flawspot.costs.tables import paper_tables

MIB = 2**20
INPUT_SIZE = 224
BANK_SIZE = 30_000
PADIM_CHANNELS = {"wide_resnet50_2": 550}


@dataclass(frozen=True)
class Figure:
    """One cell of the paper's tables.

    Attributes:
        table: 2 or 3.
        backbone, method: its column.
        quantity: ``memory_mb``, ``inference_mmac``, ``training_ram_mb``.
        paper: as printed.
        computed: as the paper counts.
        honest: as it is; None where that is the same.
        note: what differs between the two.
    """

    table: int
    backbone: str
    method: str
    quantity: str
    paper: float
    computed: float
    honest: float | None = None
    note: str = ""

    @property
    def difference(self) -> float:
        """Of `computed` from `paper`, in percent."""
        return 100 * (self.computed - self.paper) / self.paper

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "difference_percent": self.difference}


@dataclass(frozen=True)
class _Column:
    """What the formulas need of one method on one backbone."""

    backbone: str
    network: BlockList
    shapes: list[tuple[int, ...]]

    @property
    def parameters(self) -> int:
        return _count(self.network.parameters())

    @property
    def tensors(self) -> int:
        """Parameters and running statistics."""
        return self.parameters + _count(b for b in self.network.buffers() if b.is_floating_point())

    @property
    def macs(self) -> int:
        return module_macs(self.network, _photograph())

    @property
    def channels(self) -> int:
        return sum(shape[0] for shape in self.shapes)

    @property
    def positions(self) -> int:
        return max(shape[1] for shape in self.shapes) ** 2

    @property
    def comparing(self) -> int:
        """Bringing the student-teacher distance of each tap to the photograph's size, as two products with a matrix."""
        sides = [shape[1] for shape in self.shapes]
        return sum(INPUT_SIZE * side * side + INPUT_SIZE * INPUT_SIZE * side for side in sides)


def reproduce() -> list[Figure]:
    """Every resource figure of tables 2 and 3 beside what flawspot computes for it."""
    tables = paper_tables()
    figures = []
    for table in (2, 3):
        for backbone, methods in tables[f"table{table}"].items():
            for method, published in methods.items():
                column = _column(backbone, "paste" if method == "paste" else "equiv")
                for quantity in ("memory_mb", "inference_mmac", "training_ram_mb"):
                    if quantity in published:
                        computed, honest, note = FORMULAS[method, quantity](column)
                        unit = 1e6 if quantity == "inference_mmac" else MIB
                        figures.append(
                            Figure(
                                table,
                                backbone,
                                method,
                                quantity,
                                published[quantity],
                                computed / unit,
                                None if honest is None else honest / unit,
                                note,
                            )
                        )
    return figures


Counted = tuple[int, int | None, str]


def _patchcore_memory(c: _Column) -> Counted:
    return 4 * (BANK_SIZE * c.channels + c.tensors), None, ""


def _patchcore_macs(c: _Column) -> Counted:
    search = c.positions * BANK_SIZE * c.channels
    return c.macs, c.macs + search, "honest: with a full search of the bank"


def _padim_memory(c: _Column) -> Counted:
    d = _padim_channels(c)
    return 4 * (c.positions * (d * d + d) + c.tensors), None, ""


def _padim_macs(c: _Column) -> Counted:
    d = _padim_channels(c)
    once = c.macs + c.positions * d * d
    # The paper's figure could not be derived. It speaks of a cubic cost for each image: here a Cholesky factorization.
    inverted = c.macs + c.positions * (d**3 // 3 + d * d)
    return inverted, once, "paper: not derived; honest: covariances inverted once, in training"


def _padim_channels(c: _Column) -> int:
    return PADIM_CHANNELS.get(c.backbone, c.channels // 4)


def _cfa_memory(c: _Column) -> Counted:
    centres, descriptor = c.positions * c.channels, (c.channels + 2) * c.channels + c.channels
    once = 4 * (centres + descriptor + c.tensors)
    return once + 4 * descriptor, once, "honest: descriptor stored once"


def _cfa_macs(c: _Column) -> Counted:
    distances = c.positions * c.positions * c.channels
    return c.macs + c.positions * (c.channels + 2) * c.channels + distances, None, ""


def _stfpm_memory(c: _Column) -> Counted:
    return 4 * 2 * c.parameters, 4 * 2 * c.tensors, "honest: with running statistics"


def _stfpm_macs(c: _Column) -> Counted:
    return 2 * c.macs + c.comparing, None, ""


def _stfpm_ram(c: _Column) -> Counted:
    return _trained_outputs(c.network, _photograph()), None, ""


def _paste_tail(c: _Column) -> tuple[BlockList, Tensor]:
    """The trained blocks, those behind the shared ones, and an input for them."""
    shared, tail = c.network.split(c.network.taps[0] - 1)
    with torch.no_grad():
        return tail, shared(_photograph())[shared.last]


def _paste_memory(c: _Column) -> Counted:
    tail, _ = _paste_tail(c)
    statistics = _count(b for b in (*c.network.buffers(), *tail.buffers()) if b.is_floating_point())
    parameters = c.parameters + _count(tail.parameters())
    return 4 * parameters, 4 * (parameters + statistics), "honest: with running statistics"


def _paste_macs(c: _Column) -> Counted:
    tail, x = _paste_tail(c)
    return c.macs + module_macs(tail, x) + c.comparing, None, ""


def _paste_ram(c: _Column) -> Counted:
    tail, x = _paste_tail(c)
    return _trained_outputs(tail, x), None, ""


FORMULAS: dict[tuple[str, str], Callable[[_Column], Counted]] = {
    ("patchcore", "memory_mb"): _patchcore_memory,
    ("patchcore", "inference_mmac"): _patchcore_macs,
    ("padim", "memory_mb"): _padim_memory,
    ("padim", "inference_mmac"): _padim_macs,
    ("cfa", "memory_mb"): _cfa_memory,
    ("cfa", "inference_mmac"): _cfa_macs,
    ("stfpm", "memory_mb"): _stfpm_memory,
    ("stfpm", "inference_mmac"): _stfpm_macs,
    ("stfpm", "training_ram_mb"): _stfpm_ram,
    ("paste", "memory_mb"): _paste_memory,
    ("paste", "inference_mmac"): _paste_macs,
    ("paste", "training_ram_mb"): _paste_ram,
}


def _column(backbone: str, group: str) -> _Column:
    taps = family(backbone).layer_groups[group]
    with torch.device("meta"):
        network = create(backbone, taps).eval()
    with torch.no_grad():
        outputs = network(_photograph())
    return _Column(backbone, network, [tuple(outputs[tap].shape[1:]) for tap in taps])


def _photograph() -> Tensor:
    return torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE, device="meta")


def _count(tensors: Any) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _trained_outputs(module: nn.Module, x: Tensor) -> int:
    """Bytes of the outputs of every convolution and batch norm, value and gradient, at float32."""
    total = 0

    def count(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += 8 * output.numel()

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    return total
