"""Constants of a graph that no detector has, for what is computed with them would pass for a finite number.

Where a value is quantized, what is not a number becomes the smallest stored one, and the score is finite and good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flawspot.errors import ArtifactError

_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}
"""Of TensorProto.DataType; bfloat16 is known to numpy under no name."""
_PIECE = 1 << 16
_QUANTIZING = (b"QuantizeLinear", b"DequantizeLinear")
SMALLEST_STEP, LARGEST_STEP = 1e-20, 1e20


def check_numbers(kind: int, raw: memoryview) -> None:
    """Refuse a constant that holds what is not a number.

    Args:
        kind: TensorProto.DataType.
        raw: its bytes.

    Raises:
        ArtifactError: it does.
    """
    if kind not in _TYPES:
        return
    numbers = np.frombuffer(raw, _TYPES[kind])
    # A piece at a time: a file of gigabytes is looked at where it lies.
    if any(np.isnan(numbers[start : start + _PIECE]).any() for start in range(0, len(numbers), _PIECE)):
        raise ArtifactError("a constant of it is not a number, which no detector's is: copy or train it again")


def check_step(operator: bytes, inputs: Sequence[bytes], floats: Mapping[bytes, memoryview]) -> None:
    """Refuse to quantize in steps that are no constants, or of lengths that no detector has.

    Args:
        operator, inputs: their names.
        floats: bytes of the float32 constants, by name.

    Raises:
        ArtifactError: says so.
    """
    if operator not in _QUANTIZING:
        return
    raw = floats.get(inputs[1]) if len(inputs) > 1 else None
    if not raw:
        raise ArtifactError("it quantizes in steps that are no constants of it, as no detector does")
    steps = np.frombuffer(raw, "<f4")
    if not ((steps >= SMALLEST_STEP) & (steps <= LARGEST_STEP)).all():
        raise ArtifactError("it quantizes in steps of a length that no detector has: copy or train it again")
