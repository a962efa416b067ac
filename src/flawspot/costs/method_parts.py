"""What each method stores and computes, told before it is fitted: the parts that `Method.parts` tells afterwards.

A test holds the two against each other for every registered method. What depends on the photographs, how much of its
bank PatchCore shares and searches, is told as the most that it can be.
"""

from __future__ import annotations

from collections.abc import Callable

from flawspot.backbones.macs import module_macs
from flawspot.costs.plan import Plan
from flawspot.costs.student import planned_student
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Upsample
from flawspot.methods.cfa.method import CFA, centre_parts
from flawspot.methods.padim.bands import band_numbers
from flawspot.methods.padim.method import PaDiM
from flawspot.methods.patchcore.method import PatchCore
from flawspot.methods.patchcore.nested_bank import nests
from flawspot.methods.patchcore.product_quantizer import subspaces
from flawspot.methods.stfpm.method import STFPM
from flawspot.runtime.manifest import Part

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


def number_bytes(plan: Plan, part: str) -> int | None:
    """The bytes of one stored number of a part; None for codes, which have no other precision."""
    method = plan.method
    if isinstance(method, PaDiM) and method.precision == "float16" and part in ("precision", "deviations", "factors"):
        return 2
    if isinstance(method, PatchCore) and method.quantization and part == "memory bank":
        return None
    return FLOAT


def _patchcore(plan: Plan) -> list[Part]:
    """At most: as if no two patches shared their coarse features, and with a search that looks at all of the bank."""
    method, size = plan.method, bank_size(plan)
    assert isinstance(method, PatchCore)
    grids = sorted({plan.shapes[tap][1] for tap in plan.taps}, reverse=True)
    levels = len(grids) if nests(grids) else 1
    if method.quantization:
        # Codes, and the centroids with their norms; no more of these than patches.
        channels = [plan.shapes[tap][0] for tap in plan.taps]
        parts = subspaces(channels, method.subspaces)
        centroids = min(2**method.bits, size) * (plan.channels + len(parts))
        stored = size * len(parts) + FLOAT * centroids
    else:
        stored = FLOAT * size * (plan.channels + levels)
    parents = FLOAT * size * max(levels - 2, 0)
    bank = stored + parents + FLOAT * plan.channels
    compared = plan.positions * size * plan.channels
    if method.reweight:  # one member with all others, and the worst patch with the nearest of them
        compared += (size + min(method.neighbours, size)) * plan.channels
    return [Part("memory bank", bank, compared), _smoothing(plan)]


def _padim(plan: Plan) -> list[Part]:
    method, d, positions = plan.method, padim_channels(plan), plan.positions
    assert isinstance(method, PaDiM)
    once = positions * d
    parts = [Part("means", FLOAT * once, 0)]
    if method.covariance == "full":
        size = positions * band_numbers(d)
        parts.append(Part("precision", _at(plan, "precision", size), size + once))
    else:
        parts.append(Part("deviations", _at(plan, "deviations", once), 2 * once))
    if method.covariance == "low_rank":
        size = once * method.rank
        parts.append(Part("factors", _at(plan, "factors", size), 2 * size))
    return [*parts, _smoothing(plan)]


def _at(plan: Plan, part: str, numbers: int) -> int:
    return numbers * (number_bytes(plan, part) or FLOAT)


def _cfa(plan: Plan) -> list[Part]:
    assert isinstance(plan.method, CFA)
    return [*centre_parts([plan.shapes[tap][:2] for tap in plan.taps], plan.method.nearest), _smoothing(plan)]


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
