"""What is decided when a network is quantized: the step of every value, and the units its channels are kept in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.float64]
WEIGHT_LIMIT = 127
"""Weights are symmetric: from -127 to 127."""
BIAS_LIMIT = 2**29
"""Of a bias in its steps: a quarter of what 32 bits hold is left for its correction and the products."""
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Steps:
    """How a value's real numbers are kept: ``real = scale * (stored - zero)``.

    Attributes:
        scale: the real length of one step, above 0.
        zero: the stored number that stands for 0.
        bits: 8 or 16; stored numbers are unsigned.
    """

    scale: float
    zero: int
    bits: int = 8


@dataclass(frozen=True)
class Units:
    """The units of each channel: ``value = kept * scale + shift``.

    Attributes:
        scale, shift: (C,).
    """

    scale: Channels
    shift: Channels


@dataclass(frozen=True)
class Quantization:
    """Of one network, or of teacher and student.

    Attributes:
        steps: of each value, by its key.
        units: of the values whose channels are kept in units of their own.
        corrections: what is added to the bias of each convolution, by its key, (O,).
        image_shift: what is taken off the normalised photograph, so that every grey level is one step.
    """

    steps: Mapping[str, Steps] = field(default_factory=dict)
    units: Mapping[str, Units] = field(default_factory=dict)
    corrections: Mapping[str, Channels] = field(default_factory=dict)
    image_shift: float = 0.0

    def identity(self) -> str:
        """SHA-256, in hex, of everything that decides what the network computes."""
        digest = hashlib.sha256(np.float64(self.image_shift).tobytes())
        for key, steps in sorted(self.steps.items()):
            digest.update(f"{key} {steps.scale.hex()} {steps.zero} {steps.bits}\n".encode())
        for key, units in sorted(self.units.items()):
            digest.update(key.encode() + units.scale.tobytes() + units.shift.tobytes())
        for key, correction in sorted(self.corrections.items()):
            digest.update(key.encode() + correction.tobytes())
        return digest.hexdigest()


def steps_between(low: float, high: float, bits: int = 8) -> Steps:
    """Steps from `low` to `high`, both widened so that 0 lies between and is kept exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    most = 2**bits - 1
    scale = float(np.float32(max((high - low) / most, _SMALLEST)))
    return Steps(scale, int(np.clip(np.rint(-low / scale), 0, most)), bits)


def quantized_weights(
    weights: NDArray[np.float64], bias: Channels, source: float
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers for weights, and the scale of each output channel.

    Where weights are so small beside their bias that this would not fit in 32 bits with the products added to it, they
    get a larger scale, and the fewer steps that they deserve.

    Args:
        weights: (O, ...).
        bias: (O,).
        source: the scale of what they are multiplied with.

    Returns:
        (O, ...), and (O,).
    """
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    least = np.abs(bias) / (source * BIAS_LIMIT)
    scale = np.maximum(np.maximum(largest / WEIGHT_LIMIT, least), _SMALLEST).astype(np.float32)
    broad = scale.astype(np.float64).reshape(-1, *[1] * (weights.ndim - 1))
    whole = np.clip(np.rint(weights / broad), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return whole.astype(np.int8), scale


def quantized_bias(bias: Channels, scale: NDArray[np.float32]) -> NDArray[np.int32]:
    """(O,) in steps of `scale`, the product of the input's and the weights'."""
    limits = np.iinfo(np.int32)
    return np.clip(np.rint(bias / scale.astype(np.float64)), limits.min, limits.max).astype(np.int32)
