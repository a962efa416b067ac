"""The types of a method's costs before it is fitted. Each method's formulas are in its own package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FLOAT, DOUBLE, INDEX = 4, 8, 8
"""Bytes of a float32, a float64 and an int64."""


@dataclass(frozen=True)
class MemoryItem:
    """A block of memory that is held while a method is fitted.

    Attributes:
        name: its name.
        bytes: its size.
        per_image: whether it grows in proportion to the number of photographs.
    """

    name: str
    bytes: int
    per_image: bool = False


@dataclass(frozen=True)
class FittingCosts:
    """The costs of `Method.fit`, without the features that it is given.

    Attributes:
        items: the memory at the peak.
        forward_macs, backward_input_macs, backward_weight_macs: multiply-accumulates of the trained part for one image
            and epoch: forward, for gradients with respect to inputs, and to weights. Zero for methods without
            gradients.
        epochs: how often each image is used; 0 for methods without gradients.
        batch_size: images in a step; 0 for methods without gradients.
        selection_macs: the most multiply-accumulates for one image to choose what is stored; 0 for methods that choose
            nothing.
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
        parameters: number of parameters.
        numbers: number of parameters and running statistics of batch norms.
        macs: multiply-accumulates for one photograph.
    """

    parameters: int
    numbers: int
    macs: int


@dataclass(frozen=True)
class PaperCosts:
    """The whole detector as the PaSTe paper counts it, backbone included.

    Attributes:
        bytes: memory at float32; None if the paper does not have the method.
        macs: multiply-accumulates for one photograph; None if the paper does not have the method, or the figure could
            not be derived.
        training_ram: bytes in training; None for methods that train no network.
        supposed_macs: an approximation of `macs` if that could not be derived.
        notes: how the paper's count differs from the actual one, by ``memory_mb``, ``inference_mmac``,
            ``training_mmac`` or ``training_ram_mb``, the names of the paper's columns.
    """

    bytes: int | None = None
    macs: int | None = None
    training_ram: int | None = None
    supposed_macs: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
