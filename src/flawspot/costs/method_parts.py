"""What each method stores and computes, told before it is fitted: the parts that `Method.parts` tells afterwards.

A test holds the two against each other for every registered method.
"""

from __future__ import annotations

from collections.abc import Callable

from flawspot.backbones.macs import module_macs
from flawspot.costs.plan import Plan
from flawspot.costs.student import planned_student
from flawspot.errors import ConfigurationError
from flawspot.manifest import Part
from flawspot.methods.base import Upsample
from flawspot.methods.cfa import CFA
from flawspot.methods.padim import PaDiM
from flawspot.methods.patchcore import PatchCore
from flawspot.methods.stfpm import STFPM

FLOAT = 4
"""Bytes of a number, float32."""


def method_parts(plan: Plan) -> list[Part]:
    """The parts of the fitted method, without the backbone.

    Raises:
        ConfigurationError: a method whose parts are only known once it is fitted.
    """
    for kind, parts in _PARTS.items():
        if isinstance(plan.method, kind):
            return parts(plan)
    raise ConfigurationError(
        f"what {plan.method.name} costs is known once it is fitted: train it and run `flawspot costs` on the artifact"
    )


def bank_size(plan: Plan) -> int:
    """How many patches PatchCore keeps; never more than there are."""
    method, patches = plan.method, plan.images * plan.positions
    assert isinstance(method, PatchCore)
    wanted = method.bank_size if method.bank_ratio is None else max(round(method.bank_ratio * patches), 1)
    return min(wanted, patches)


def padim_channels(plan: Plan) -> int:
    """How many channels PaDiM keeps.

    Raises:
        ConfigurationError: more than there are.
    """
    assert isinstance(plan.method, PaDiM)
    wanted = plan.method.channels
    if wanted is not None and wanted > plan.channels:
        raise ConfigurationError(f"channels is {wanted}, but the layers {list(plan.taps)} have {plan.channels} in all")
    return max(plan.channels // 4, 1) if wanted is None else wanted


def _patchcore(plan: Plan) -> list[Part]:
    size = bank_size(plan)
    bank = Part("memory bank", FLOAT * size * plan.channels, plan.positions * size * plan.channels)
    return [bank, _smoothing(plan)]


def _padim(plan: Plan) -> list[Part]:
    d = padim_channels(plan)
    return [
        Part("means", FLOAT * plan.positions * d, 0),
        Part("precision", FLOAT * plan.positions * d * d, plan.positions * d * d),
        _smoothing(plan),
    ]


def _cfa(plan: Plan) -> list[Part]:
    c, positions = plan.channels, plan.positions
    # A 1x1 convolution with bias, its two inputs for the coordinates, and the coordinates themselves.
    descriptor = c * c + c + 2 * c + 2 * positions
    return [
        Part("descriptor", FLOAT * descriptor, positions * c * c),
        Part("centres", FLOAT * positions * c, positions * positions * c),
        _smoothing(plan),
    ]


def _student(plan: Plan) -> list[Part]:
    student = planned_student(plan)
    size = sum(t.numel() * FLOAT for t in student.blocks.state_dict().values() if t.is_floating_point())
    upsampling = [Upsample(plan.shapes[tap][1], plan.input_size).part() for tap in plan.taps]
    return [
        Part("student", size, module_macs(student.blocks, student.input())),
        Part("upsampling", sum(p.bytes for p in upsampling), sum(p.macs for p in upsampling)),
    ]


def _smoothing(plan: Plan) -> Part:
    return Upsample(plan.grid, plan.input_size).part()


_PARTS: dict[type, Callable[[Plan], list[Part]]] = {
    PatchCore: _patchcore,
    PaDiM: _padim,
    CFA: _cfa,
    STFPM: _student,
}
