"""The photograph's preprocessing in TensorFlow Lite operators, which lack a lookup table for pixel values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.form import Form, Input
from flawspot.export.tensors import Quantization
from flawspot.export.tflite.layers import EACH, Writing, held, shape_of
from flawspot.export.tflite.model import VALID, Value

IMAGE = "image"
_PART = "preprocessing"
_CHANNELS = 3
_PIXELS = np.arange(256, dtype=np.float64)
_TURNS = 60
"""Iterations of a ternary search, after which nothing changes."""
_MOST_WEIGHT, _LEAST_WEIGHT, _AROUND = 127, 63, 2
_NEARBY, _TRIED = 1e-5, range(-6, 7)
"""Slopes that are tried around the best one: their relative distance, and their positions."""
_LINEAR = 1e-6
"""Largest difference between a table and a line, as a share of the table's largest value."""


@dataclass(frozen=True)
class Line:
    """Codes as ``step / scale * (weight * pixel + bias)``, rounded. Weight and bias are whole numbers.

    Attributes:
        step: step of the weight, a float32; `scale` is the step of the codes.
        wrong: values of a pixel whose code TFLite-Micro rounds differently.
        margin: distance of the unrounded numbers from the halves between two codes, in codes; negative if no rounding
            gives all codes.
    """

    step: float
    weight: int
    bias: int
    wrong: int
    margin: float


def write_input(writing: Writing, operation: Input, image: Value, step: int) -> None:
    """Shift the photograph to signed numbers, and normalise each channel."""
    y, values = operation.y, np.asarray(operation.values)
    held_in = y.quantization
    if held_in is not None and held_in.bits == 8:
        writing.put(y, _codes(writing, image, values, held_in), step)
        return
    floats = values.astype(np.float64)
    tolerance = _LINEAR * float(np.abs(floats).max())
    if held_in is not None:
        floats, tolerance = held_in.scale * (floats - held_in.zero), 0.51 * held_in.scale  # stored as floats
    model = writing.model
    slopes, offsets = np.array([np.polyfit(_PIXELS, line, 1) for line in floats]).T
    if np.abs(slopes[:, None] * _PIXELS + offsets[:, None] - floats).max() > tolerance:
        raise ExportError("this detector has no TFLite form: its photographs are not normalised linearly")
    pixels = model.apply("DEQUANTIZE", [_signed(writing, image)], shape_of(y))
    weights = [slopes.reshape(1, 1, 1, _CHANNELS), offsets]
    constants = [model.constant(each.astype(np.float32), _PART) for each in weights]
    value = model.apply("DEPTHWISE_CONV_2D", [pixels, *constants], shape_of(y), padding=VALID, **EACH)
    writing.put(y, value, step)


def image_of(writing: Writing, form: Form) -> Value:
    """The photograph as given. Its scale is that of the codes, if its values are the codes, otherwise 1."""
    inputs = [operation for operation in form.operations if isinstance(operation, Input)]
    scale, zero = 1.0, 0
    held_in = inputs[0].y.quantization
    if len(inputs) == 1 and held_in is not None and held_in.bits == 8 and _own(inputs[0].values):
        scale, zero = held_in.scale, held_in.zero
    return writing.model.input(shape_of(inputs[0].y), np.uint8, name=IMAGE, scale=scale, zero=zero)


def _own(values: NDArray[Any]) -> bool:
    """Whether every value of a pixel is its own code."""
    return bool((np.asarray(values) == np.arange(256)).all())


def _signed(writing: Writing, image: Value) -> Value:
    """A pixel's value minus 128, as the code of the same number."""
    zero = image.zero - 128
    return writing.model.apply("QUANTIZE", [image], image.shape, dtype=np.int8, scale=image.scale, zero=zero)


def _codes(writing: Writing, image: Value, values: NDArray[Any], held_in: Quantization) -> Value:
    if _own(values) and (image.scale, image.zero) == (held_in.scale, held_in.zero):
        return _signed(writing, image)
    ends = (-held_in.zero, 255 - held_in.zero)
    lines = [line_of(codes.astype(np.int64) - held_in.zero, *ends, held_in.scale) for codes in values]
    model = writing.model
    pixels = _signed(writing, image)
    steps = np.array([line.step for line in lines], np.float32)
    weight = np.array([line.weight for line in lines], np.int8).reshape(1, 1, 1, _CHANNELS)
    bias = np.array([line.bias for line in lines], np.int32)
    constants = [
        model.constant(weight, _PART, scales=steps, axis=3),
        model.constant(bias, _PART, scales=steps),
    ]
    return model.apply("DEPTHWISE_CONV_2D", [pixels, *constants], image.shape, **held(held_in), padding=VALID, **EACH)


def line_of(codes: NDArray[np.int64], least: int, most: int, scale: float) -> Line:
    """The line that gives all codes with the largest margin from rounding one of them differently.

    Args:
        codes: (256,) codes of the pixel values. Those at `least` or `most` may be clipped.
        least, most: smallest and largest possible code.
        scale: scale of the codes.
    """
    low = np.where(codes > least, codes - 0.5, -np.inf)
    high = np.where(codes < most, codes + 0.5, np.inf)

    def room(slope: float) -> tuple[float, float]:
        return float((low - slope * _PIXELS).max()), float((high - slope * _PIXELS).min())

    inner = (codes > least) & (codes < most)
    if inner.sum() < 2 or codes[inner][-1] <= codes[inner][0]:
        raise ExportError("this detector has no TFLite form: its photographs are normalised out of range")
    middle = float(np.polyfit(_PIXELS[inner], codes[inner], 1)[0])
    begin, end = 0.99 * middle, 1.01 * middle
    for _ in range(_TURNS):  # the margin is concave in the slope
        first, second = begin + (end - begin) / 3, end - (end - begin) / 3
        rooms = [above - below for below, above in map(room, (first, second))]
        begin, end = (first, end) if rooms[0] < rooms[1] else (begin, second)
    middle = (begin + end) / 2
    found = []
    for slope in (middle * (1 + _NEARBY * turn) for turn in _TRIED):
        below, above = room(slope)
        for weight in range(_MOST_WEIGHT, _LEAST_WEIGHT, -1):
            step = float(np.float32(slope / weight * scale))
            unit = step / scale
            centre = round((below + above) / 2 / unit)
            for bias in range(centre - _AROUND, centre + _AROUND + 1):
                made = np.clip(rounded_twice(weight * np.arange(256) + bias, unit), least, most)
                margin = min(above - unit * bias, unit * bias - below)
                found.append(Line(step, weight, bias, int(np.count_nonzero(made != codes)), margin))
    return max(found, key=lambda line: (-line.wrong, line.margin))


def rounded_twice(numbers: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    """Whole numbers times a multiplier below 1, rounded like TFLite-Micro: first to multiples of 2^-s, then again.

    Args:
        numbers: whole numbers of 32 bits.
        multiplier: between 2^-(s+1) and 2^-s.
    """
    fraction, exponent = math.frexp(multiplier)
    product = numbers.astype(np.int64) * round(fraction * 2**31)
    fine = np.where(product >= 0, product + 2**30, product + 1 - 2**30)
    fine = np.where(fine >= 0, fine >> 31, -(-fine >> 31))
    shift = max(-exponent, 0)
    half = ((1 << shift) - 1 >> 1) + (fine < 0)
    rounded: NDArray[np.int64] = (fine >> shift) + ((fine & ((1 << shift) - 1)) > half)
    return rounded
