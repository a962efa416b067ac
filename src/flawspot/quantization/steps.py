"""The parameters of a quantized network: the step of every value, and the units of its channels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.float64]
WEIGHT_LIMIT = 127
"""Weights are symmetric, from -127 to 127."""
BIAS_LIMIT = 2**29
"""Limit of a bias in steps. The rest of the 32 bits is for its correction and the products."""
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Steps:
    """How real numbers of a value are stored: ``real = scale * (stored - zero)``.

    Attributes:
        scale: the real size of one step, above 0.
        zero: the stored number for 0.
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
    """The quantization of one network, or of teacher and student.

    Attributes:
        steps: steps of each value, by its key.
        units: units of the values whose channels have separate units.
        corrections: correction added to the bias of each convolution, by its key, (O,).
        image_shift: the shift subtracted from the normalised photograph, so that every grey level is one step.
    """

    steps: Mapping[str, Steps] = field(default_factory=dict)
    units: Mapping[str, Units] = field(default_factory=dict)
    corrections: Mapping[str, Channels] = field(default_factory=dict)
    image_shift: float = 0.0

    def identity(self) -> str:
        """SHA-256, in hex, of everything that determines the network's results."""
        digest = hashlib.sha256(np.float64(self.image_shift).tobytes())
        for key, steps in sorted(self.steps.items()):
            digest.update(f"{key} {steps.scale.hex()} {steps.zero} {steps.bits}\n".encode())
        for key, units in sorted(self.units.items()):
            digest.update(key.encode() + units.scale.tobytes() + units.shift.tobytes())
        for key, correction in sorted(self.corrections.items()):
            digest.update(key.encode() + correction.tobytes())
        return digest.hexdigest()


def steps_between(low: float, high: float, bits: int = 8) -> Steps:
    """Steps from `low` to `high`, widened so that 0 is included and stored exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    most = 2**bits - 1
    scale = float(np.float32(max((high - low) / most, _SMALLEST)))
    return Steps(scale, int(np.clip(np.rint(-low / scale), 0, most)), bits)


def quantized_weights(
    weights: NDArray[np.float64], bias: Channels, source: float
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantize weights to integers, with a scale for each output channel.

    If weights are so small relative to their bias that the sum with the products would not fit in 32 bits, they get a
    larger scale and so fewer steps.

    Args:
        weights: (O, ...).
        bias: (O,).
        source: the scale of the values that they are multiplied with.

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
    """Quantize a bias, (O,), in steps of `scale`, the product of the input's and the weights' scales."""
    limits = np.iinfo(np.int32)
    return np.clip(np.rint(bias / scale.astype(np.float64)), limits.min, limits.max).astype(np.int32)
