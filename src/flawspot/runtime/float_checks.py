"""Refuses constants of a graph by which a wrong result would pass for a finite number.

When a value is quantized, NaN becomes the smallest stored number. The score is then finite, and the verdict good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flawspot.errors import ArtifactError

_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}
"""The types in TensorProto.DataType. numpy has no name for bfloat16."""
_PIECE = 1 << 16
_QUANTIZING = (b"QuantizeLinear", b"DequantizeLinear")
SMALLEST_STEP, LARGEST_STEP = 1e-20, 1e20


def check_numbers(kind: int, raw: memoryview) -> None:
    """Refuse a constant that holds NaN.

    Args:
        kind: TensorProto.DataType.
        raw: its bytes.

    Raises:
        ArtifactError: the constant holds NaN.
    """
    if kind not in _TYPES:
        return
    numbers = np.frombuffer(raw, _TYPES[kind])
    # A piece at a time, because a file may have gigabytes and is only mapped.
    if any(np.isnan(numbers[start : start + _PIECE]).any() for start in range(0, len(numbers), _PIECE)):
        raise ArtifactError("a constant of it is not a number (NaN): copy or train it again")


def check_step(operator: bytes, inputs: Sequence[bytes], floats: Mapping[bytes, memoryview]) -> None:
    """Refuse quantization whose steps are not constants, or have a size that no detector has.

    Args:
        operator, inputs: their names.
        floats: bytes of the float32 constants, by name.

    Raises:
        ArtifactError: the steps are not of this kind.
    """
    if operator not in _QUANTIZING:
        return
    raw = floats.get(inputs[1]) if len(inputs) > 1 else None
    if not raw:
        raise ArtifactError("it quantizes in steps that are no constants of it, as no detector does")
    steps = np.frombuffer(raw, "<f4")
    if not ((steps >= SMALLEST_STEP) & (steps <= LARGEST_STEP)).all():
        raise ArtifactError("it quantizes in steps of a length that no detector has: copy or train it again")
