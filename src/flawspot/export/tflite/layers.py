"""Layers of the intermediate form as operators of TensorFlow Lite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.c.codes import ends
from flawspot.export.form import Addition, Conversion, Convolution
from flawspot.export.tensors import Quantization, Tensor
from flawspot.export.tflite.model import NONE, RELU, RELU6, SAME, VALID, Model, Value

WEIGHTS = "weights"
EACH: dict[str, Any] = {"strideH": 1, "strideW": 1, "depthMultiplier": 1}
"""Settings of a depthwise convolution that keeps the size."""
_MOST_LINES = 3
"""Most rows or columns of zeros that are added to a kernel to get the right padding."""


@dataclass
class Writing:
    """A detector that is being written.

    Attributes:
        model: the model so far.
        strip: largest wanted size in bytes of a value of the head. The head computes in strips, which cost operators.
        cut: whether the model is cut at every tensor of whole numbers. Then the computed tensor is an output, and its
            readers read an input instead.
        values: for the name of each tensor, the value that its readers get.
        steps: in a cut model, the operations whose tensors are its outputs and, besides the image, its inputs.
        wholes: pieces of vectors at their own resolution, which several strips read.
    """

    model: Model
    strip: int
    cut: bool = False
    values: dict[str, Value] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    wholes: dict[tuple[Any, ...], Value] = field(default_factory=dict)

    def put(self, tensor: Tensor, value: Value, step: int) -> None:
        """Set the computed value of a tensor."""
        if self.cut and tensor.quantization is not None:
            self.model.output(value)
            self.steps.append(step)
            value = self.model.input(value.shape, value.dtype, scale=value.scale, zero=value.zero)
        self.values[tensor.name] = value


def held(quantization: Quantization | None) -> dict[str, Any]:
    """How a tensor is stored: codes of 8 bits minus 128, so that they are signed; codes of 16 bits as floats, because
    LiteRT needs a zero point of 0 for these."""
    if quantization is None or quantization.bits != 8:
        return {"dtype": np.float32}
    return {"dtype": np.int8, "scale": quantization.scale, "zero": quantization.zero - 128}


def shape_of(tensor: Tensor) -> tuple[int, int, int, int]:
    """Channels last."""
    return (1, tensor.height, tensor.width, tensor.channels)


def write_convolution(writing: Writing, operation: Convolution, step: int) -> None:
    """A convolution with its activation. If its padding is not TensorFlow's, the kernel gets rows of zeros."""
    model, x, y = writing.model, operation.x, operation.y
    value, padding = writing.values[x.name], VALID
    weight: NDArray[Any] = operation.weight
    by_channel = operation.groups == x.channels
    if any(operation.pads):
        lines = _lines(operation)
        if lines is None:
            value = _padded(writing, value, operation.pads)
        else:
            padding, weight = SAME, np.pad(weight, ((0, 0), (0, 0), *lines))
    stored = weight[:, 0].transpose(1, 2, 0)[None] if by_channel else weight.transpose(0, 2, 3, 1)
    given = x.quantization if operation.scales is not None else None
    if operation.scales is None or given is None:
        numbers = model.constant(stored.astype(np.float32), WEIGHTS)
        bias = model.constant(operation.bias.astype(np.float32), WEIGHTS)
    else:
        _check_sums(operation)
        axis = 3 if by_channel else 0
        numbers = model.constant(stored.astype(np.int8), WEIGHTS, scales=operation.scales, axis=axis)
        steps = (np.float32(given.scale) * operation.scales).astype(np.float32)
        bias = model.constant(operation.bias.astype(np.int32), WEIGHTS, scales=steps)
    fused = _fused(y.quantization, operation.low, operation.high)
    settings: dict[str, Any] = {"padding": padding, "strideH": operation.strides[0], "strideW": operation.strides[1]}
    settings["fusedActivationFunction"] = NONE if fused is None else fused
    if by_channel:
        settings["depthMultiplier"] = y.channels // x.channels
    name = "DEPTHWISE_CONV_2D" if by_channel else "CONV_2D"
    result = model.apply(name, [value, numbers, bias], shape_of(y), **held(y.quantization), **settings)
    writing.put(y, result if fused is not None else _clipped(writing, result, y, operation.low, operation.high), step)


def _check_sums(operation: Convolution) -> None:
    most = 255 * np.abs(operation.weight.astype(np.int64)).sum(axis=(1, 2, 3)) + np.abs(operation.bias.astype(np.int64))
    if most.max() >= 2**31:
        raise ExportError("this detector has no TFLite form: a sum of its whole numbers may not fit 32 bits")


def _lines(operation: Convolution) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns of zeros before and after the kernel with which TensorFlow's SAME padding equals the
    convolution's; None if there are no such."""
    x, y = operation.x, operation.y
    sizes = ((x.height, y.height), (x.width, y.width))
    found = [
        _added(*sizes[axis], int(operation.weight.shape[2 + axis]), operation.strides[axis], operation.pads[axis])
        for axis in (0, 1)
    ]
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def _added(size: int, made: int, side: int, stride: int, pad: int) -> tuple[int, int] | None:
    """Zeros to add before and after along an axis. SAME pads the missing length, half of it (rounded down) before."""
    if made != -(-size // stride):
        return None
    for count in range(_MOST_LINES + 1):
        lacking = max((made - 1) * stride + side + count - size, 0)
        before = lacking // 2 - pad
        if 0 <= before <= count:
            return before, count - before
    return None


def _padded(writing: Writing, value: Value, pads: tuple[int, int, int, int]) -> Value:
    """Pad with zeros by a separate operator."""
    top, left, bottom, right = pads
    widths = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    _, height, width, channels = value.shape
    shape = (1, height + top + bottom, width + left + right, channels)
    inputs = [value, writing.model.constant(widths, WEIGHTS)]
    return writing.model.apply("PAD", inputs, shape, dtype=value.dtype, scale=value.scale, zero=value.zero)


def write_addition(writing: Writing, operation: Addition, step: int) -> None:
    """An elementwise addition."""
    y = operation.y
    fused = _fused(y.quantization, operation.low, operation.high)
    inputs = [writing.values[tensor.name] for tensor in operation.inputs]
    how = held(y.quantization) | {"fusedActivationFunction": NONE if fused is None else fused}
    result = writing.model.apply("ADD", inputs, inputs[0].shape, **how)  # for maps, the distance's own shape
    writing.put(y, result if fused is not None else _clipped(writing, result, y, operation.low, operation.high), step)


def write_conversion(writing: Writing, operation: Conversion, step: int) -> None:
    """Convert to or from whole numbers. Those of 16 bits are only clipped to their range."""
    x, y = operation.x, operation.y
    value = writing.values[x.name]
    wide = y.quantization
    if wide is not None and wide.bits != 8:
        ends_of_it = [float(np.float32(wide.scale) * (code - wide.zero)) for code in (0, wide.highest)]
        value = _clipped(writing, value, Tensor(y.name, y.channels, y.height, y.width), *ends_of_it)
    elif value.dtype != held(y.quantization)["dtype"]:
        name = "DEQUANTIZE" if y.quantization is None else "QUANTIZE"
        value = writing.model.apply(name, [value], shape_of(y), **held(y.quantization))
    writing.put(y, value, step)


def _fused(made: Quantization | None, low: float | None, high: float | None) -> int | None:
    """The activation that can be fused into an operator; None if it needs a separate operator."""
    if made is not None:
        bounds = ends(made, low, high)
        if bounds == (0, made.highest):
            return NONE
        # TensorFlow rounds halves up.
        six = min(made.zero + int(np.floor(np.float32(6) / np.float32(made.scale) + np.float32(0.5))), made.highest)
        kinds = {(made.zero, made.highest): RELU, (made.zero, six): RELU6}
        return kinds.get(bounds)
    return {(None, None): NONE, (0.0, None): RELU, (0.0, 6.0): RELU6}.get((low, high))


def _clipped(writing: Writing, value: Value, y: Tensor, low: float | None, high: float | None) -> Value:
    """Clip between any bounds."""
    model = writing.model
    bounds: list[NDArray[Any]]
    if y.quantization is None:
        bounds = [np.full((1, 1, 1, 1), -np.inf if low is None else low, np.float32)]
        bounds.append(np.full((1, 1, 1, 1), np.inf if high is None else high, np.float32))
    else:
        bounds = [np.full((1, 1, 1, 1), end - 128, np.int8) for end in ends(y.quantization, low, high)]
    how = held(y.quantization)
    for name, bound in zip(("MAXIMUM", "MINIMUM"), bounds, strict=True):
        if np.isfinite(bound).all():
            other = model.constant(bound, WEIGHTS, scales=value.scale, zero=value.zero)
            value = model.apply(name, [value, other], value.shape, **how)
    return value
