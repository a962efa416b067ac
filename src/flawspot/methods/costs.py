"""What a method can tell of its costs before it is fitted: the types. Each method's formulas are in its own room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FLOAT, DOUBLE, INDEX = 4, 8, 8
"""Bytes of a float32, a float64 and an int64."""


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
class FittingCosts:
    """What `Method.fit` takes, the features it is given not among it.

    Attributes:
        items: what lies in memory at the peak.
        forward_macs, backward_input_macs, backward_weight_macs: for one image and epoch: of what is trained, forward,
            for gradients with respect to inputs, and to weights. Zero for methods that train nothing by gradients.
        epochs: how often each image is seen; 0 likewise.
        batch_size: images in a step; 0 likewise.
        selection_macs: for one image, at most, of choosing what is stored; 0 for methods that choose nothing.
    """

    items: tuple[MemoryItem, ...]
    forward_macs: int = 0
    backward_input_macs: int = 0
    backward_weight_macs: int = 0
    epochs: int = 0
    batch_size: int = 0
    selection_macs: int = 0


@dataclass(frozen=True)
class BackboneCounts:
    """The backbone trimmed to its last tap.

    Attributes:
        parameters: how many numbers are parameters.
        numbers: those and the running statistics of batch norms.
        macs: multiply-accumulates for one photograph.
    """

    parameters: int
    numbers: int
    macs: int


@dataclass(frozen=True)
class PaperCosts:
    """The whole detector by the way the PaSTe paper counts, backbone included.

    Attributes:
        bytes: memory at float32; None where the paper does not have the method.
        macs: multiply-accumulates for one photograph; None likewise, and where the figure could not be derived.
        training_ram: bytes in training; None for methods that train no network.
        supposed_macs: in the place of `macs` that could not be derived, what comes near.
        notes: how the paper's count differs from what is true, by ``memory_mb``, ``inference_mmac``,
            ``training_mmac`` or ``training_ram_mb``, the names of the paper's columns.
    """

    bytes: int | None = None
    macs: int | None = None
    training_ram: int | None = None
    supposed_macs: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
