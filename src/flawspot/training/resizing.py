"""The antialiased resize in plain operators.

ONNX's ``Resize`` with ``antialias`` is not computed alike everywhere: some runtimes ignore the attribute, and give
other verdicts without a word. Matrix products with weights that are computed from the photograph's size are the same
anywhere.

Output pixel i of S covers, in a photograph of L pixels, the triangle around ``(i + 1/2) L / S`` that is as wide to
either side as ``max(L / S, 1)``; its weights are taken at the pixels' centres and sum to 1, as in Pillow's BILINEAR and
torch's ``antialias=True``. Times 2 S all of that is in whole numbers, so that the weights are exact but for one
division.

A matrix of S x L weights is nearly empty. `BLOCK` output pixels at a time, only the pixels that they cover are gathered
and multiplied with, of rows and then of columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

DOMAIN, OPERATOR = "flawspot", "AntialiasedResize"
"""What stands for the resize in a graph until `expand` writes it in plain operators."""
BLOCK = 4
"""Output pixels that share their gathered rows. More would multiply with more zeros, fewer would gather more often;
`benchmarks/resizing.py` tells the times."""


def expand(model: onnx.ModelProto) -> None:
    """Write each `OPERATOR` of a model, (N, H, W, 3) uint8 -> (N, 3, S, S) float32, in plain operators of opset 18."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if (node.domain, node.op_type) != (DOMAIN, OPERATOR):
            nodes.append(node)
            continue
        pieces = _Pieces()
        pieces.resize(node.input[0], node.output[0], helper.get_node_attr_value(node, "size"))
        nodes += pieces.nodes
        model.graph.initializer.extend(pieces.constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    kept = [each for each in model.opset_import if each.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)


class _Pieces:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: dict[tuple[bytes, tuple[int, ...]], str] = {}

    def resize(self, image: str, result: str, size: int) -> None:
        """(N, H, W, 3) uint8 `image` -> (N, 3, S, S) float32 `result`."""
        lengths = self._node("Shape", image)
        rows = self._node("Reshape", image, self._whole([0, 0, -1]))
        down = self._shrunk(rows, self._bands(lengths, 1, size), size, to_floats=True)
        by_column = self._node("Reshape", down, self._whole([0, -1, 3 * size]))
        across = self._shrunk(by_column, self._bands(lengths, 2, size), size)
        self._node("Reshape", across, self._whole([0, 3, size, size]), result=result)

    def _bands(self, lengths: str, axis: int, size: int) -> tuple[str, str]:
        """Of an axis of the photograph: which pixels each block gathers, (blocks, K), and their weights,
        (blocks, BLOCK, K); in units of 1 / 2 S."""
        whole, node = self._whole, self._node
        blocks = -(-size // BLOCK)
        length = node("Gather", lengths, whole(axis))
        reach = node("Mul", node("Max", length, whole(size)), whole(2))
        span = node("Add", node("Mul", length, whole(BLOCK - 1)), reach)
        count = node("Min", node("Add", node("Div", span, whole(size)), whole(2)), length)
        first = node("Mul", length, whole((2 * BLOCK * np.arange(blocks) + 1)[:, None]))
        start = node("Div", node("Max", node("Sub", first, reach), whole(0)), whole(2 * size))
        start = node("Min", start, node("Sub", length, count))  # so that none lies beyond the border
        index = node("Add", start, node("Range", whole(0), count, whole(1)))
        places = node("Add", node("Mul", index, whole(2 * size)), whole(size))
        places = node("Unsqueeze", places, whole([1]))
        centres = node("Mul", length, whole((2 * np.arange(blocks * BLOCK) + 1).reshape(blocks, BLOCK, 1)))
        left = node("Sub", reach, node("Abs", node("Sub", places, centres)))
        weights = node("Relu", node("Cast", left, to=TensorProto.FLOAT))
        total = node("ReduceSum", weights, whole([2]), keepdims=1)
        return index, node("Div", weights, total)

    def _shrunk(self, rows: str, bands: tuple[str, str], size: int, *, to_floats: bool = False) -> str:
        """(N, L, M) -> (N, M, S): the first axis resized, and put last."""
        index, weights = bands
        gathered = self._node("Gather", rows, index, axis=1)
        if to_floats:
            gathered = self._node("Cast", gathered, to=TensorProto.FLOAT)
        padded = -(-size // BLOCK) * BLOCK
        product = self._node("MatMul", weights, gathered)
        resized = self._node("Reshape", product, self._whole([0, padded, -1]))
        if padded != size:  # rows beyond the last one have some weights or other
            bounds = (self._whole([each]) for each in (0, size, 1))
            resized = self._node("Slice", resized, *bounds)
        return self._node("Transpose", resized, perm=[0, 2, 1])

    def _whole(self, values: ArrayLike) -> str:
        """A constant of int64."""
        array = np.asarray(values, np.int64)
        key = (array.tobytes(), array.shape)
        if key not in self._names:
            self._names[key] = f"resize.constant_{len(self._names)}"
            self.constants.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def _node(self, operator: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        output = result or f"resize.value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output
