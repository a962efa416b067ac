"""What operations read and write, and large constants as they are stored."""

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
class Units:
    """Units of each channel of a tensor, of codes or of floats: it stands for ``scale * number + shift``.

    Attributes:
        scale, shift: (C,).
    """

    scale: Floats
    shift: Floats


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
