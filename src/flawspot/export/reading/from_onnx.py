"""Reads an artifact's graph into the intermediate form: preprocessing, convolutions, additions, and number formats.

The structure counts, not the names. An unknown operator matters only if the map depends on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError, ExportError
from flawspot.export.form import Addition, Conversion, Convolution, Form
from flawspot.export.head_operations import MapProduct
from flawspot.export.reading.heads import HEAD_OPERATORS
from flawspot.export.reading.onnx_graph import Graph, Node
from flawspot.export.reading.order import in_order
from flawspot.export.reading.preprocessing import check_resize, preprocessing
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Floats, Quantization, Table, Tensor

MAP, SCORE = "anomaly_map", "score"


def read_form(model: bytes, input_size: int) -> Form:
    """The intermediate form of an artifact.

    Args:
        model: the artifact's file, verified.
        input_size: S.

    Raises:
        ExportError: it has an operator, or a head, without a form; the message says which.
    """
    state = Reading(Graph(model), input_size)
    try:
        for node in state.graph.nodes:
            _read(state, node)
        factors = state.products.get(MAP)
        if factors is None:
            raise ExportError(f"this detector has no translation yet: {_why(state)}")
        check_resize(state, model)
        shown = Tensor(MAP, 1, input_size, input_size)
        return Form(input_size, in_order([*state.operations, MapProduct(factors, shown)]))
    except (ValueError, IndexError, ArtifactError) as error:
        raise ExportError(f"this detector has no translation yet: its graph has another structure ({error})") from None


def _read(state: Reading, node: Node) -> None:
    if any(name in state.done for name in node.outputs):
        return
    if node.inputs and preprocessing(state, node):
        return
    reader = _OPERATORS.get(node.operator)
    if reader is not None and reader(state, node):
        return
    head = HEAD_OPERATORS.get(node.operator)
    if (head is None or not head(state, node)) and node.operator not in _SHAPES:
        state.unknown.append(node)


_SHAPES = ("Shape", "Concat", "Expand", "Slice", "Reshape", "Transpose", "Cast", "Unsqueeze", "ReduceMax")


def _why(state: Reading) -> str:
    """The reason: the first operator without a form among the convolutions, otherwise that the head is unknown."""
    nodes = state.graph.nodes
    last = max((place for place, node in enumerate(nodes) if node.operator == "Conv"), default=-1)
    for node in nodes[: last + 1]:
        if node in state.unknown:
            return f"it has the operator {node.operator!r}"
    return (
        "its head, which turns features into a map, is not one that has a form; "
        "`flawspot train --method paste`, stfpm, padim, patchcore and cfa write such"
    )


def _activation(state: Reading, name: str) -> tuple[str, float | None, float | None]:
    """The value after the activation that follows `name`, if one does, and its bounds."""
    node = state.graph.sole_reader(name)
    if node is None or node.operator not in ("Clip", "Relu"):
        return name, None, None
    if node.operator == "Relu":
        return node.outputs[0], 0.0, None
    bounds = [state.graph.scalar(node, place) for place in (1, 2)]
    given = [place < len(node.inputs) and bool(node.inputs[place]) for place in (1, 2)]
    if any(is_given and bound is None for is_given, bound in zip(given, bounds, strict=True)):
        return name, None, None
    return node.outputs[0], bounds[0], bounds[1]


def _quantized(state: Reading, name: str) -> tuple[str, Quantization] | None:
    """The value that holds `name` in 8 bits, if nothing else reads it."""
    node = state.graph.sole_reader(name)
    if node is None or node.operator != "QuantizeLinear":
        return None
    quantization = state.quantization(node)
    return None if quantization is None or quantization.bits != 8 else (node.outputs[0], quantization)


def _weights(state: Reading, name: str) -> tuple[NDArray[Any], Floats | None] | None:
    """Constants, and their scales if they are stored in whole numbers."""
    table = state.table(name)
    if table is None:
        return None
    if table.scale is None:
        return table.numbers.astype(np.float32), None
    return table.numbers, table.scale.astype(np.float32)


def _convolution(state: Reading, node: Node) -> bool:
    found = _weights(state, node.inputs[1])
    given = state.tensors.get(node.inputs[0])
    if found is None or (given is None and node.inputs[0] not in state.pixels) or not _plain(node):
        return False
    weight, scales = found
    count = len(weight)
    after, low, high = _activation(state, node.outputs[0])
    target = _quantized(state, after)
    bias = _weights(state, node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else (np.zeros(count), scales)
    in_codes = given is not None and given.quantization is not None and given.quantization.bits == 8
    whole = in_codes and weight.dtype == np.int8 and target is not None and bias is not None and bias[1] is not None
    x = given if whole else state.floats(node.inputs[0])
    if x is None or bias is None or weight.ndim != 4:
        return False
    top, left, bottom, right = node.wholes("pads", (0, 0, 0, 0))
    (down, across), (tall, wide) = node.wholes("strides", (1, 1)), weight.shape[2:]
    shape = ((x.height + top + bottom - tall) // down + 1, (x.width + left + right - wide) // across + 1)
    settings = ((down, across), (top, left, bottom, right), node.whole("group", 1), low, high)
    state.done.add(after)
    if whole and target is not None and scales is not None:
        y = Tensor(target[0], count, *shape, target[1])
        by_output = np.broadcast_to(scales.ravel(), (count,)).astype(np.float32)
        state.operations.append(Convolution(x, y, weight, bias[0].astype(np.int32), *settings, by_output))
        state.codes[target[0]] = y
        state.done.add(target[0])
        return True
    plain = weight if scales is None else _dequantized(weight, scales)
    added = bias[0] if bias[1] is None or bias[0].dtype != np.int32 else _dequantized(bias[0], bias[1])
    y = Tensor(after, count, *shape)
    state.add(Convolution(x, y, plain, added.astype(np.float32), *settings), after)
    return True


def _plain(node: Node) -> bool:
    return node.wholes("dilations", (1, 1)) == (1, 1) and node.text("auto_pad", "NOTSET") == "NOTSET"


def _dequantized(numbers: NDArray[Any], scales: Floats) -> Floats:
    return Table(numbers, scales.reshape(-1, *[1] * (numbers.ndim - 1))).values()


def _addition(state: Reading, node: Node) -> bool:
    if state.in_units(node):
        return True
    first, second = (state.tensors.get(name) for name in node.inputs)
    if first is None or second is None or _shape(first) != _shape(second) or first.channels < 2:
        return False
    after, low, high = _activation(state, node.outputs[0])
    target = _quantized(state, after)
    state.done.add(after)
    if target is not None and all(each.quantization and each.quantization.bits == 8 for each in (first, second)):
        y = Tensor(target[0], *_shape(first), target[1])
        state.operations.append(Addition(first, second, y, low, high))
        state.codes[target[0]] = y
        state.done.add(target[0])
        return True
    a, b = (state.floats(name) for name in node.inputs)
    if a is None or b is None:
        return False
    state.add(Addition(a, b, Tensor(after, *_shape(a)), low, high), after)
    return True


def _shape(tensor: Tensor) -> tuple[int, int, int]:
    return tensor.channels, tensor.height, tensor.width


def _quantize(state: Reading, node: Node) -> bool:
    x, quantization = state.floats(node.inputs[0]), state.quantization(node)
    if x is None or quantization is None:
        return False
    y = Tensor(node.outputs[0], *_shape(x), quantization)
    state.operations.append(Conversion(x, y))
    state.codes[node.outputs[0]] = y
    return True


def _dequantize(state: Reading, node: Node) -> bool:
    x = state.codes.get(node.inputs[0])
    if x is not None and state.quantization(node) == x.quantization:
        state.tensors[node.outputs[0]] = x
        return True
    return node.inputs[0] in state.graph.constants


_OPERATORS = {
    "Conv": _convolution,
    "Add": _addition,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}
