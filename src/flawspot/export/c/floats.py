"""Writes calls of the kernels that compute in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.export.c.program import Program, number
from flawspot.export.form import Addition, Convolution, Input
from flawspot.export.head_operations import DirectionDistance

_COLUMNS = 4
"""Matrix columns that are stored together, so that one number of a vector is used for all of them."""


def write_input(program: Program, operation: Input) -> None:
    """Write the lookup table for the values of a pixel."""
    pixels = operation.y.height * operation.y.width
    values = program.table("preprocessing", np.asarray(operation.values, np.float32))
    program.call("look_up_f32", "rgb", pixels, program.at(operation.y), values)


def write_convolution(program: Program, operation: Convolution, step: int) -> None:
    """Call the kernel that fits the convolution's shape."""
    x, y = operation.x, operation.y
    ends = bounds(operation.low, operation.high)
    weight, bias = operation.weight.astype(np.float32), operation.bias.astype(np.float32)
    if operation.depthwise:
        tables = program.table("weights", weight), program.table("weights", bias)
        at = f"F32({program.scratch(step)})"
        program.call("depthwise_f32", program.at(x), program.at(y), at, shape_of(program, operation), *tables, *ends)
        return
    rows = weight.transpose(0, 2, 3, 1).reshape(operation.groups, len(weight) // operation.groups, -1)
    packed = np.concatenate([_packed(group) for group in rows])
    padded = np.concatenate([_padded(group) for group in bias.reshape(operation.groups, -1)])
    tables = program.table("weights", packed), program.table("weights", padded)
    if operation.pointwise:
        sizes = (x.height * x.width, x.channels, y.channels)
        program.call("pointwise_f32", program.at(x), program.at(y), *sizes, *tables, *ends)
        return
    at = f"F32({program.scratch(step)})"
    program.call("dense_f32", program.at(x), program.at(y), at, shape_of(program, operation), *tables, *ends)


def shape_of(program: Program, operation: Convolution) -> str:
    """The address of what a kernel must know of it."""
    x, y = operation.x, operation.y
    (tall, wide), (down, across), (top, left, _, _) = operation.weight.shape[2:], operation.strides, operation.pads
    values = (x.height, x.width, x.channels, y.height, y.width, y.channels, tall, wide, down, across, top, left)
    return f"&{program.structure('shape', (*values, operation.groups))}"


def write_addition(program: Program, operation: Addition) -> None:
    """Add two tensors number by number."""
    places = (program.at(operation.a), program.at(operation.b), program.at(operation.y))
    program.call("add_f32", *places, operation.y.numbers, *bounds(operation.low, operation.high))


def write_direction(program: Program, operation: DirectionDistance) -> None:
    """Compute the distance of directions pixel by pixel."""
    places = (program.at(operation.a), program.at(operation.b), program.at(operation.y))
    program.call("direction_f32", *places, operation.y.numbers, operation.a.channels)


def bounds(low: float | None, high: float | None) -> tuple[str, str]:
    """Bounds of an activation, in C."""
    return number(low, "-FLT_MAX"), number(high, "FLT_MAX")


def _padded(bias: NDArray[Any]) -> NDArray[Any]:
    return np.pad(bias, (0, -len(bias) % _COLUMNS))


def _packed(rows: NDArray[Any]) -> NDArray[Any]:
    """(O, n) -> weights of four outputs side by side, with zeros for missing outputs."""
    padded = np.pad(rows, ((0, -len(rows) % _COLUMNS), (0, 0)))
    return padded.reshape(-1, _COLUMNS, rows.shape[1]).transpose(0, 2, 1).ravel()
