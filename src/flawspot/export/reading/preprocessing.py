"""Reads an artifact's preprocessing: the resize, and the operations on each pixel."""

from __future__ import annotations

import numpy as np

from flawspot.errors import ExportError
from flawspot.export.form import Input
from flawspot.export.photographs import resized
from flawspot.export.reading.onnx_graph import Node, with_outputs
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Tensor
from flawspot.runtime.arena import allowed_megabytes
from flawspot.runtime.session import open_session

_LEAST = 1.5
"""Allowed difference of a resized photograph in grey levels, as whole levels are compared, rounded on each axis."""
_MOVING = ("Cast", "Transpose", "Reshape", "Slice", "Gather", "MatMul", "Resize")
"""Operators that move pixels or average them. `check_resize` checks that they are flawspot's resize."""
_ARITHMETIC = {"Sub": np.subtract, "Div": np.divide, "Mul": np.multiply, "Add": np.add}


def preprocessing(state: Reading, node: Node) -> bool:
    """Compute the operations on single pixels for all 256 values."""
    read = node.inputs[1] if node.operator == "MatMul" and node.inputs[0] in state.weights else node.inputs[0]
    if read not in state.pixels:
        return _of_sizes(state, node)
    values = state.pixels[read]
    if node.operator in _MOVING and (read == node.inputs[0] or node.operator == "MatMul"):
        state.pixels[node.outputs[0]] = values
        state.arithmetic[node.outputs[0]] = state.arithmetic[read]
        return True
    other = state.graph.constant(node, 1)
    if node.operator in _ARITHMETIC and other is not None and other.size in (1, 3):
        column = np.broadcast_to(other.astype(np.float32).reshape(-1, 1), (3, 1))
        state.pixels[node.outputs[0]] = _ARITHMETIC[node.operator](values, column).astype(np.float32)
        state.arithmetic[node.outputs[0]] = (*state.arithmetic[read], (node.operator, column.ravel()))
        return True
    if node.operator == "QuantizeLinear" and (quantization := state.quantization(node)) is not None:
        size = state.input_size
        y = Tensor(node.outputs[0], 3, size, size, quantization)
        state.operations.append(Input(y, quantization.codes(values), state.arithmetic[read]))
        state.codes[node.outputs[0]] = y
        return True
    if node.operator == "Shape":
        state.weights.update(node.outputs)
        return True
    return False


def _of_sizes(state: Reading, node: Node) -> bool:
    """Values computed only from the photograph's height and width: where its pixels go, and with which weights."""
    given = [name for name in node.inputs if name and name not in state.graph.constants]
    if not given or not all(name in state.weights for name in given):
        return False
    state.weights.update(node.outputs)
    return True


def check_resize(state: Reading, model: bytes) -> None:
    """Compare the graph's resize with flawspot's, on two photographs.

    Raises:
        ExportError: they differ.
    """
    first = next((each for each in state.operations if isinstance(each, Input)), None)
    if first is None:
        return
    y, size = first.y, state.input_size
    bits = 32 if y.quantization is None else y.quantization.bits
    session = open_session(with_outputs(model, {y.name: bits}), device="cpu", megabytes=allowed_megabytes())
    rng = np.random.default_rng(0)
    for shape in ((size, size), (3 * size + 1, 2 * size + 5)):
        photograph = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        found = session.run([y.name], {"image": photograph[None]})[0]
        if found.shape != (1, 3, size, size):
            raise ExportError(f"this detector has no translation: its photographs become {found.shape[1:]} numbers")
        steps = first.values.astype(np.float64)
        levels = resized(photograph, size).transpose(2, 0, 1).astype(np.int64)
        wanted = np.stack([table[of] for table, of in zip(steps, levels, strict=True)])
        level = np.abs(steps[:, -1] - steps[:, 0]).max() / 255
        if not np.abs(found[0] - wanted).max() <= _LEAST * level + (0 if y.quantization is None else 1):
            raise ExportError(
                "this detector has no translation: its photographs are resized by another rule than flawspot's"
            )
