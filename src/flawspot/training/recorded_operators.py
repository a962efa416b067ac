"""Writes torch's functions as ONNX operators, in the form of torch's exporter and its optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawspot.training.recorded_arithmetic import ARITHMETIC, unary
from flawspot.training.recorded_graph import UnknownOperatorError
from flawspot.training.recorded_shapes import SHAPES

if TYPE_CHECKING:
    from flawspot.training.recording import Recording

Pair = tuple[int, int]


def _conv2d(
    to: Recording,
    result: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> str:
    source, pads = to.of(x), [*padding, *padding]
    before = to.nodes.get(source)
    if before is not None and before.kind == "Pad":  # which the convolution can do itself, if it is with zeros
        beyond, value = (to.constants[name] for name in before.inputs[1:])
        if beyond.shape != (8,) or beyond[[0, 1, 4, 5]].any() or value:
            raise UnknownOperatorError("a padding other than with zeros around a map")
        pads = [int(one + other) for one, other in zip(pads, beyond[[2, 3, 6, 7]], strict=True)]
        source = before.inputs[0]
    own = {to.name_of(weight): weight.numpy()}
    if bias is not None:
        own[to.name_of(bias)] = bias.numpy()
    attributes = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": list(stride),
        "pads": pads,
        "dilations": list(dilation),
        "group": groups,
        "auto_pad": "NOTSET",
    }
    return to.weighted("Conv", source, _without_zeros(own), **attributes)


def _without_zeros(weights: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights without a bias of zeros, which the optimizer leaves out too."""
    kernel, *bias = weights
    return {kernel: weights[kernel], **{name: weights[name] for name in bias if weights[name].any()}}


def _pad(
    to: Recording, result: Tensor, x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> str:
    if mode != "constant" or x.dtype != torch.float32 or min(pad) < 0:
        raise UnknownOperatorError("a padding other than with a number")
    before = [0] * x.ndim
    after = [0] * x.ndim
    for axis, (first, last) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        before[-1 - axis], after[-1 - axis] = first, last
    return to.node("Pad", to.of(x), to.integers(*before, *after), to.of(value or 0.0), mode="constant")


def _batch_norm(
    to: Recording,
    result: Tensor,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor,
    bias: Tensor,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> str:
    """Fold a batch norm into the convolution before it, in float32 like the optimizer."""
    before = to.nodes.get(to.of(x))
    if training or before is None or before.kind != "Conv":
        raise UnknownOperatorError("a batch norm that no convolution is before")
    kernel, *names = before.weights
    scale = weight.numpy() / np.sqrt(variance.numpy() + np.float32(eps))
    original = before.weights[names[0]] if names else np.zeros_like(scale)
    shift = (original - mean.numpy()) * scale + bias.numpy()
    folded = {kernel: before.weights[kernel] * scale.reshape(-1, 1, 1, 1)}
    folded[names[0] if names else f"{kernel}_bias"] = shift
    return to.weighted("Conv", before.inputs[0], _without_zeros(folded), **before.attributes)


def _clip(to: Recording, x: Tensor, low: float, high: float) -> str:
    return to.node("Clip", to.of(x), to.of(low), to.of(high))


def _hardtanh(
    to: Recording, result: Tensor, x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> str:
    return _clip(to, x, min_val, max_val)


def _relu6(to: Recording, result: Tensor, x: Tensor, inplace: bool = False) -> str:
    return _clip(to, x, 0.0, 6.0)


def _hard_sigmoid(to: Recording, result: Tensor, x: Tensor, inplace: bool = False) -> str:
    return to.node("HardSigmoid", to.of(x), alpha=1 / 6, beta=0.5)


def _dropout(
    to: Recording, result: Tensor, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> str:
    if training:
        raise UnknownOperatorError("a dropout that drops")
    return to.of(x)


def _pool(to: Recording, kind: str, x: Tensor, sizes: Sequence[int], **settings: Any) -> str:
    """Over squares; `sizes` are kernel, stride and padding."""
    if not all(isinstance(each, int) for each in sizes):
        raise UnknownOperatorError("a pooling that is not square")
    kernel, stride, padding = sizes
    how: dict[str, Any] = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "auto_pad": "NOTSET",
    }
    return to.node(kind, to.of(x), **how, **settings)


def _max_pool2d(
    to: Recording,
    result: Tensor,
    x: Tensor,
    kernel_size: int,
    stride: int,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> str:
    if return_indices or not isinstance(dilation, int):
        raise UnknownOperatorError("a pooling that is not square")
    settings = {"dilations": [dilation] * 2, "ceil_mode": int(ceil_mode), "storage_order": 0}
    return _pool(to, "MaxPool", x, (kernel_size, stride, padding), **settings)


def _avg_pool2d(to: Recording, result: Tensor, x: Tensor, kernel_size: int, stride: int, padding: int = 0) -> str:
    return _pool(to, "AveragePool", x, (kernel_size, stride, padding), ceil_mode=0, count_include_pad=1)


WRITERS: dict[str, Callable[..., str | tuple[str, ...] | None]] = {
    "conv2d": _conv2d,
    "pad": _pad,
    "batch_norm": _batch_norm,
    "hardtanh": _hardtanh,
    "relu6": _relu6,
    "relu": unary("Relu"),
    "hardswish": unary("HardSwish"),
    "sigmoid": unary("Sigmoid"),
    "hardsigmoid": _hard_sigmoid,
    "dropout2d": _dropout,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    **ARITHMETIC,
    **SHAPES,
}
"""Writers of torch's functions by their names. A writer returns the name of its result; `result` is torch's result."""
