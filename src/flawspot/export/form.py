"""The intermediate form: a detector as a list of small operations on tensors of known shapes, for one photograph.

Every target is written from it, and it is read from the artifact alone. It covers everything after the photograph was
resized to S x S. A tensor is (channels, height, width), in float32 or in integers with one scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import (
    CentreDistance,
    DirectionDistance,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
)
from flawspot.export.tensors import Floats, Tensor


@dataclass(frozen=True)
class Input:
    """The photograph's values 0 to 255, converted by a table: normalised, and quantized if the tensor is.

    Attributes:
        values: (3, 256), the result for each value of red, green and blue: float32, or codes.
        arithmetic: the artifact's operations on a pixel, in float32: ONNX operators, each with its second operand of
            (3,) numbers. If `y` is quantized, quantizing follows.
    """

    y: Tensor
    values: NDArray[np.float32] | NDArray[np.int64]
    arithmetic: tuple[tuple[str, Floats], ...] = ()

    inputs: tuple[Tensor, ...] = ()
    macs: int = 0


@dataclass(frozen=True)
class Convolution:
    """A convolution with its activation, in floats or in integers, never mixed.

    Attributes:
        weight: (O, I / groups, kh, kw) float32, or int8 where `x` is quantized.
        bias: (O,) float32, or int32 in units of x's scale times the weight's.
        strides, pads: (vertical, horizontal); (top, left, bottom, right), of zeros, which stand at x's zero code.
        low, high: bounds of the result, in float; None for no bound.
        scales: (O,) float32 of the quantized weights; None for floats.
    """

    x: Tensor
    y: Tensor
    weight: Floats | NDArray[np.int8]
    bias: Floats | NDArray[np.int32]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    groups: int
    low: float | None = None
    high: float | None = None
    scales: Floats | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.x,)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.y.numbers * int(np.prod(self.weight.shape[1:]))

    @property
    def depthwise(self) -> bool:
        """Whether it is depthwise: each channel has its own kernel."""
        return self.groups == self.x.channels == self.y.channels

    @property
    def pointwise(self) -> bool:
        """Whether each output pixel is computed from one input pixel at the same place."""
        return self.weight.shape[2:] == (1, 1) and self.strides == (1, 1) and not any(self.pads) and self.groups == 1


@dataclass(frozen=True)
class Addition:
    """Two tensors of one shape, number by number, with an activation as of `Convolution`."""

    a: Tensor
    b: Tensor
    y: Tensor
    low: float | None = None
    high: float | None = None

    macs: int = 0

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.a, self.b)


@dataclass(frozen=True)
class Conversion:
    """Conversion of a tensor: floats from codes, or codes from floats."""

    x: Tensor
    y: Tensor

    macs: int = 0

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.x,)


Operation = (
    Input
    | Convolution
    | Addition
    | Conversion
    | DirectionDistance
    | GaussianDistance
    | NearestNeighbour
    | CentreDistance
    | MapProduct
)


@dataclass(frozen=True)
class Form:
    """A detector in the intermediate form.

    Attributes:
        input_size: S.
        operations: in an order where each comes after those whose results it reads; `Input` is first, `MapProduct`
            last.
    """

    input_size: int
    operations: tuple[Operation, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one photograph."""
        return sum(operation.macs for operation in self.operations)

    @property
    def quantized(self) -> bool:
        """Whether any tensor is in integers."""
        return any(operation.y.quantization is not None for operation in self.operations)
