"""The intermediate form: a detector as a list of small operations on tensors of known shapes, for one photograph.

Every target is written from it, and it is read from the artifact alone. The photograph has been resized to S x S: all
that follows is here. A tensor is (channels, height, width), in float32 or as whole numbers with one scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Quantization:
    """Whole numbers q that stand for ``scale * (q - zero)``.

    Attributes:
        scale: a float32.
        zero: within the range of the codes.
        bits: 8 or 16; codes are 0 to 2^bits - 1.
    """

    scale: float
    zero: int
    bits: int = 8

    @property
    def highest(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    def codes(self, values: Floats) -> NDArray[np.int64]:
        """Rounded to the nearest code, halves to the even one, as ONNX's QuantizeLinear does in float32."""
        nearest = np.rint(values.astype(np.float32) / np.float32(self.scale)).astype(np.int64) + self.zero
        codes: NDArray[np.int64] = np.clip(nearest, 0, self.highest)
        return codes


@dataclass(frozen=True)
class Tensor:
    """What an operation reads or writes.

    Attributes:
        name: of the artifact's value, unique.
        channels, height, width: its shape.
        quantization: None for float32.
    """

    name: str
    channels: int
    height: int
    width: int
    quantization: Quantization | None = None

    @property
    def numbers(self) -> int:
        """How many it holds."""
        return self.channels * self.height * self.width

    @property
    def bytes(self) -> int:
        """Of all its numbers."""
        return self.numbers * (4 if self.quantization is None else self.quantization.bits // 8)


@dataclass(frozen=True)
class Input:
    """The photograph's values 0 to 255, each looked up: normalised, and quantized where the tensor is.

    Attributes:
        values: (3, 256), what stands for each value of red, green and blue: float32, or codes.
    """

    y: Tensor
    values: NDArray[np.float32] | NDArray[np.int64]

    inputs: tuple[Tensor, ...] = ()
    macs: int = 0


@dataclass(frozen=True)
class Convolution:
    """A convolution with its activation; of floats or of whole numbers, never mixed.

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
        """Whether each channel has a kernel of its own."""
        return self.groups == self.x.channels == self.y.channels

    @property
    def pointwise(self) -> bool:
        """Whether each pixel is computed from the one at its place."""
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
    """The same numbers in another form: floats from codes, or codes from floats."""

    x: Tensor
    y: Tensor

    macs: int = 0

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.x,)


@dataclass(frozen=True)
class DirectionDistance:
    """``1/2 |a/|a| - b/|b||^2`` of the channels at each place: a map of one channel."""

    a: Tensor
    b: Tensor
    y: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.a, self.b)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: three products for each number."""
        return 3 * self.a.numbers


@dataclass(frozen=True)
class Piece:
    """Channels of a tensor, repeated over a finer grid: cell (i, j) of G x G reads row ``i * height // G``.

    Attributes:
        channels: (n,) indices; in the order in which they stand in the vector.
    """

    x: Tensor
    channels: NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """A large constant of the head, as it is stored.

    Attributes:
        numbers: float32, float16, int8 or uint8.
        scale, zero: float32 and whole numbers that fit its shape: it stands for ``scale * (numbers - zero)``; None
            for floats.
    """

    numbers: NDArray[np.generic]
    scale: Floats | None = None
    zero: NDArray[np.int64] | None = None

    def values(self) -> Floats:
        """In float32."""
        if self.scale is None:
            return self.numbers.astype(np.float32)
        zero = 0 if self.zero is None else self.zero
        values: Floats = ((self.numbers.astype(np.int64) - zero).astype(np.float32) * self.scale).astype(np.float32)
        return values


@dataclass(frozen=True)
class GaussianDistance:
    """``|W (v - mean)|`` at each of P places, v being the vector of the `pieces` there.

    Attributes:
        mean: (d, P).
        scale: (d, P), of a diagonal W; None where there are bands.
        bands: (P, rows, columns) each: rows of a lower triangular W, as far as they are not zero.
    """

    pieces: tuple[Piece, ...]
    y: Tensor
    mean: Table
    scale: Table | None = None
    bands: tuple[Table, ...] = ()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(piece.x for piece in self.pieces)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: scaling or the triangle, and squaring."""
        banded = sum(band.numbers.size for band in self.bands)
        return banded + self.mean.numbers.size * (2 if self.scale is not None else 1)


@dataclass(frozen=True)
class Enlarged:
    """``rows @ x @ columns^T``: a map of one channel enlarged and smoothed; rows and columns are (S, G) float32."""

    x: Tensor
    rows: Floats
    columns: Floats


@dataclass(frozen=True)
class MapProduct:
    """The anomaly map: the product of enlarged maps. Its maximum is the score."""

    factors: tuple[Enlarged, ...]
    y: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(factor.x for factor in self.factors)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of what is not zero in the matrices."""
        total = 0
        for factor in self.factors:
            total += int(np.count_nonzero(factor.rows)) * factor.x.width
            total += int(np.count_nonzero(factor.columns)) * len(factor.rows)
        return total + (len(self.factors) - 1) * self.y.numbers


Operation = Input | Convolution | Addition | Conversion | DirectionDistance | GaussianDistance | MapProduct


@dataclass(frozen=True)
class Form:
    """A detector.

    Attributes:
        input_size: S.
        operations: in an order in which each comes after those whose results it reads; `Input` first, `MapProduct`
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
        """Whether any tensor is held in whole numbers."""
        return any(operation.y.quantization is not None for operation in self.operations)
