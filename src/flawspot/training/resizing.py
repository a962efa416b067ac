"""The antialiased resize in plain operators, onto the canvas of a `flawspot.runtime.view.View`.

Runtimes compute ONNX's ``Resize`` with ``antialias`` differently: some ignore the attribute, and silently give other
verdicts. Matrix products with weights that are computed from the photograph's size are the same everywhere.

In a photograph of L pixels, output pixel i of S has triangular weights around ``(i + 1/2) L / S``, with a half-width of
``max(L / S, 1)``. The weights are taken at the pixels' centres and sum to 1, as in Pillow's BILINEAR and torch's
``antialias=True``. Multiplied by 2 S, everything is a whole number, so the weights are exact except for one division.

A matrix of S x L weights is sparse. So for `BLOCK` output pixels at a time, only the covered pixels are gathered and
multiplied, first for rows and then for columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from flawspot.runtime.view import View

DOMAIN, OPERATOR, INSIDE = "flawspot", "AntialiasedResize", "Inside"
"""Placeholders in a graph for the resize and for the inspected pixels of the canvas, until `expand` writes them in
plain operators."""
BLOCK = 4
"""Output pixels that share their gathered rows. More would multiply with more zeros, fewer would gather more often.
`benchmarks/resizing.py` measures the times."""


def expand(model: onnx.ModelProto, view: View) -> None:
    """Replace each placeholder of a model by plain operators of opset 18.

    `OPERATOR` is (N, H, W, 3) uint8 -> (N, 3, *canvas) float32. `INSIDE` has the same input and gives (1, *canvas)
    float32 of 0 and 1.
    """
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.domain != DOMAIN:
            nodes.append(node)
            continue
        pieces = _Pieces(view, node.input[0], "resize" if node.op_type == OPERATOR else "inside")
        write = pieces.resize if node.op_type == OPERATOR else pieces.inside
        write(node.output[0])
        nodes += pieces.nodes
        model.graph.initializer.extend(pieces.constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    kept = [each for each in model.opset_import if each.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)


class _Axis(NamedTuple):
    """Names of values: the photograph's length, the resized photograph's length, and its start on the canvas; None if
    it fills the canvas."""

    length: str
    placed: str
    first: str | None


class _Pieces:
    """Collects nodes and constants."""

    def __init__(self, view: View, image: str, prefix: str) -> None:
        self._view, self._image, self._prefix = view, image, prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: dict[tuple[bytes, tuple[int, ...]], str] = {}

    def resize(self, result: str) -> None:
        """(N, H, W, 3) uint8 -> (N, 3, *canvas) float32 `result`. Beyond the photograph, its border is repeated."""
        height, width = self._view.canvas
        lengths = self._node("Shape", self._image)
        down_axis, across_axis = self._axes(lengths)
        rows = self._node("Reshape", self._image, self._whole([0, 0, -1]))
        down = self._shrunk(rows, self._bands(down_axis, height), height, to_floats=True)
        by_column = self._node("Reshape", down, self._whole([0, -1, 3 * height]))
        across = self._shrunk(by_column, self._bands(across_axis, width), width)
        self._node("Reshape", across, self._whole([0, 3, height, width]), result=result)

    def inside(self, result: str) -> None:
        """(1, *canvas) float32 `result`: `View.inside` for a canvas that shows more than the photograph."""
        node, whole, region = self._node, self._whole, self._view.inspected
        lengths = node("Shape", self._image)
        within, sampled = [], []
        for number, (axis, side) in enumerate(zip(self._axes(lengths), self._view.canvas, strict=True)):
            assert axis.first is not None  # otherwise the canvas shows only the photograph
            place = node("Sub", whole(np.arange(side)), axis.first)
            is_in = node("And", node("GreaterOrEqual", place, whole(0)), node("Less", place, axis.placed))
            shape = [1, side, 1] if number == 0 else [1, 1, side]
            within.append(node("Reshape", node("Cast", is_in, to=TensorProto.FLOAT), whole(shape)))
            if region is not None:
                cells = (region.height, region.width)[number]
                centres = node("Add", node("Mul", self._clamped(place, axis), whole(2 * cells)), whole(cells))
                sampled.append(node("Div", centres, self._doubled(axis.placed)))
        if region is None:
            node("Mul", *within, result=result)
            return
        name = f"{self._prefix}.region"
        self.constants.append(numpy_helper.from_array(region.mask[None].astype(np.uint8), name))
        chosen = node("Gather", node("Gather", name, sampled[0], axis=1), sampled[1], axis=2)
        node("Mul", node("Mul", *within), node("Cast", chosen, to=TensorProto.FLOAT), result=result)

    def _axes(self, lengths: str) -> tuple[_Axis, _Axis]:
        """As `View.placed`."""
        whole, node, fit = self._whole, self._node, self._view.fit
        height, width = self._view.canvas
        high, wide = (node("Gather", lengths, whole(axis)) for axis in (1, 2))
        if fit == "squash":
            return _Axis(high, whole(height), None), _Axis(wide, whole(width), None)

        def scaled(length: str, side: int, other: str) -> str:
            numerator = node("Add", node("Mul", length, whole(2 * side)), other)
            return node("Div", numerator, self._doubled(other))

        found = []
        for length, side, proportional in (
            (high, height, scaled(high, width, wide)),
            (wide, width, scaled(wide, height, high)),
        ):
            if fit == "pad":
                placed = node("Max", node("Min", whole(side), proportional), whole(1))
                first = node("Div", node("Sub", whole(side), placed), whole(2))
            else:
                placed = node("Max", whole(side), proportional)
                first = node("Sub", whole(0), node("Div", node("Sub", placed, whole(side)), whole(2)))
            found.append(_Axis(length, placed, first))
        return found[0], found[1]

    def _doubled(self, length: str) -> str:
        """Twice a length, in a form that cannot be 0, so that it can be a divisor."""
        return self._node("Max", self._node("Mul", length, self._whole(2)), self._whole(1))

    def _clamped(self, places: str, axis: _Axis) -> str:
        """Pixels of the resized photograph; for places beyond it, the nearest pixel."""
        last = self._node("Sub", axis.placed, self._whole(1))
        return self._node("Max", self._node("Min", places, last), self._whole(0))

    def _centres(self, axis: _Axis, places: NDArray[np.int64]) -> str:
        """Centres of the canvas's pixels in the photograph, in units of 1 / 2 P, with P the resized length."""
        if axis.first is None:
            return self._node("Mul", axis.length, self._whole(2 * places + 1))
        shown = self._clamped(self._node("Sub", self._whole(places), axis.first), axis)
        odd = self._node("Add", self._node("Mul", shown, self._whole(2)), self._whole(1))
        return self._node("Mul", axis.length, odd)

    def _bands(self, axis: _Axis, size: int) -> tuple[str, str]:
        """For an axis of the photograph: the pixels that each block gathers, (blocks, K), and their weights,
        (blocks, BLOCK, K); in units of 1 / 2 P."""
        whole, node, length, placed = self._whole, self._node, axis.length, axis.placed
        blocks = -(-size // BLOCK)
        twice = self._doubled(placed) if axis.first is not None else whole(2 * size)
        reach = node("Mul", node("Max", length, placed), whole(2))
        span = node("Add", node("Mul", length, whole(BLOCK - 1)), reach)
        count = node("Min", node("Add", node("Div", span, placed), whole(2)), length)
        first = self._centres(axis, BLOCK * np.arange(blocks)[:, None])
        start = node("Div", node("Max", node("Sub", first, reach), whole(0)), twice)
        start = node("Min", start, node("Sub", length, count))  # so that none is beyond the border
        index = node("Add", start, node("Range", whole(0), count, whole(1)))
        places = node("Add", node("Mul", index, twice), placed)
        places = node("Unsqueeze", places, whole([1]))
        centres = self._centres(axis, np.arange(blocks * BLOCK).reshape(blocks, BLOCK, 1))
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
        if padded != size:  # rows beyond the last one have arbitrary weights
            bounds = (self._whole([each]) for each in (0, size, 1))
            resized = self._node("Slice", resized, *bounds)
        return self._node("Transpose", resized, perm=[0, 2, 1])

    def _whole(self, values: ArrayLike) -> str:
        """A constant of int64."""
        array = np.asarray(values, np.int64)
        key = (array.tobytes(), array.shape)
        if key not in self._names:
            self._names[key] = f"{self._prefix}.constant_{len(self._names)}"
            self.constants.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def _node(self, operator: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        output = result or f"{self._prefix}.value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output
