"""Writes calls of the kernels that compute in 8-bit integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.c.floats import shape_of
from flawspot.export.c.program import Program, number
from flawspot.export.form import Addition, Conversion, Convolution, Input
from flawspot.export.head_operations import DirectionDistance
from flawspot.export.tensors import Quantization, Tensor, Units

_UNROLLED = (3, 5, 7)
"""Sides of depthwise kernels whose rows are unrolled."""


def write_input(program: Program, operation: Input) -> None:
    """Write the lookup table for the values of a pixel."""
    pixels = operation.y.height * operation.y.width
    values = program.table("preprocessing", np.asarray(operation.values).astype(np.uint8))
    program.call("look_up_u8", "rgb", pixels, program.at(operation.y), values)


def write_convolution(program: Program, operation: Convolution, step: int) -> None:
    """Call the kernel that fits the convolution's shape."""
    x, y = operation.x, operation.y
    weight = operation.weight
    if operation.depthwise and square(operation):
        constants = _constants(program, operation, weight)
        side, stride = weight.shape[2], operation.strides[0]
        taps = f"TAPS_{side}" if side in _UNROLLED else f"for (int l = 0; l < {side}; l++) {{ TAP(l) }}"
        name = f"depthwise_{side}_{stride}_u8"
        program.instance("depthwise_u8", f"DEPTHWISE_U8({name}, {taps}, {side}, {stride})")
        places = (program.at(x), program.at(y), f"U8({program.scratch(step)})", shape_of(program, operation))
        program.call("depthwise_u8", *places, constants, function=name)
        return
    constants = _constants(program, operation, weight.transpose(0, 2, 3, 1))
    if operation.pointwise:
        sizes = (x.height * x.width, x.channels, y.channels)
        program.call("pointwise_u8", program.at(x), program.at(y), *sizes, constants)
        return
    places = (program.at(x), program.at(y), f"U8({program.scratch(step)})", shape_of(program, operation))
    program.call("dense_u8", *places, constants)


def square(operation: Convolution) -> bool:
    """Whether a depthwise convolution has a special kernel, which needs equal sides and strides."""
    return operation.weight.shape[2] == operation.weight.shape[3] and operation.strides[0] == operation.strides[1]


def _constants(program: Program, operation: Convolution, weight: NDArray[Any]) -> str:
    """The address of weights, bias, scales, bounds and zeros."""
    given, made = operation.x.quantization, operation.y.quantization
    assert given is not None and made is not None and operation.scales is not None
    sums = operation.weight.astype(np.int64).sum(axis=(1, 2, 3))
    bias = operation.bias.astype(np.int64) - given.zero * sums
    if np.abs(bias).max() >= 2**31 - 255 * 127 * operation.weight[0].size:
        raise ExportError("this detector has no C form: a sum of its whole numbers may not fit 32 bits")
    # Computed in this order and in float32, as in ONNX Runtime.
    scale = np.float32(given.scale) * operation.scales / np.float32(made.scale)
    tables = (
        program.table("weights", np.ascontiguousarray(weight)),
        program.table("weights", bias.astype(np.int32)),
        program.table("weights", scale.astype(np.float32)),
    )
    low, high = (end - made.zero for end in ends(made, operation.low, operation.high))
    return f"&{program.structure('quantized', (*tables, number(low), number(high), given.zero, made.zero))}"


def ends(quantization: Quantization, low: float | None, high: float | None) -> tuple[int, int]:
    """The lowest and highest code of an activation."""
    least = 0 if low is None else int(quantization.codes(np.array(low, np.float32)))
    most = quantization.highest if high is None else int(quantization.codes(np.array(high, np.float32)))
    return least, most


def write_addition(program: Program, operation: Addition) -> None:
    """Add two tensors number by number."""
    a, b, y = (_quantization(tensor) for tensor in (operation.a, operation.b, operation.y))
    low, high = (number(end - y.zero) for end in ends(y, operation.low, operation.high))
    scales = (number(each.scale) for each in (a, b, y))
    how = program.structure("sum_of", (*scales, a.zero, b.zero, y.zero, low, high))
    places = (program.at(operation.a), program.at(operation.b), program.at(operation.y), operation.y.numbers)
    program.call("add_u8", *places, f"&{how}")


def write_conversion(program: Program, operation: Conversion) -> None:
    """Convert a tensor number by number."""
    x, y = operation.x, operation.y
    given, made = x.quantization, y.quantization
    places = (program.at(x), program.at(y), y.numbers)
    if given is not None:
        program.call(f"u{given.bits}_to_f32", *places, number(given.scale), given.zero)
    elif made is not None:
        bounds = (number(-made.zero), number(made.highest - made.zero))
        program.call(f"f32_to_u{made.bits}", *places, number(made.scale), made.zero, *bounds)


def write_direction(program: Program, operation: DirectionDistance) -> None:
    """Compute the distance of directions pixel by pixel."""
    a, b, y = operation.a, operation.b, operation.y
    if operation.a_units is None and operation.b_units is None:
        zeros = (_quantization(a).zero, _quantization(b).zero)
        program.call("direction_u8", program.at(a), program.at(b), program.at(y), y.numbers, a.channels, *zeros)
        return
    sides = (_scaled(program, a, operation.a_units), _scaled(program, b, operation.b_units))
    program.call("direction_units_u8", *sides, program.at(y), y.numbers, a.channels)


def _scaled(program: Program, x: Tensor, units: Units | None) -> str:
    """The address of a tensor and of how it is read."""
    held = _quantization(x)
    values = (program.at(x), number(held.scale), held.zero, *unit_tables(program, units))
    return f"&{program.structure('scaled', values)}"


def unit_tables(program: Program, units: Units | None) -> tuple[str, str]:
    """The address of scales and shifts; NULL if there are none."""
    if units is None:
        return "NULL", "NULL"
    return program.table("head", units.scale), program.table("head", units.shift)


def _quantization(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None
    return tensor.quantization
