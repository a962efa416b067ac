"""ONNX in plain operators and fixed shapes, written operation by operation from the intermediate form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.form import Addition, Conversion, Convolution, Input
from flawspot.export.head_operations import Piece
from flawspot.export.tensors import Floats, Quantization, Table, Tensor, Units

if TYPE_CHECKING:
    import onnx

FLOAT = 1
"""Of TensorProto.DataType."""


class FixedGraph:
    """Nodes and constants in the making.

    Attributes:
        nodes: in their order.
        constants: by name.
        parts: bytes of constants, by what they belong to.
    """

    def __init__(self) -> None:
        from onnx import helper

        self._helper = helper
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.parts = {"weights": 0, "head": 0}
        self._values: dict[str, str] = {}
        self._floats: dict[str, str] = {}

    def node(self, operator: str, *inputs: str, result: str | None = None, **settings: Any) -> str:
        """Add an operator of one result; gives the result's name."""
        name = result or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(operator, list(inputs), [name], name=name, **settings))
        return name

    def several(self, operator: str, inputs: tuple[str, ...], results: tuple[str, ...], **settings: Any) -> None:
        """Add an operator of several results."""
        made = self._helper.make_node(operator, list(inputs), list(results), name=results[0], **settings)
        self.nodes.append(made)

    def constant(
        self, values: NDArray[Any] | float | Sequence[int], dtype: Any = np.float32, part: str = "head"
    ) -> str:
        """Add a constant; gives its name."""
        array = np.asarray(values, dtype)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array
        self.parts[part] += array.nbytes
        return name

    def wholes(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.constant(np.array(values), np.int64)

    def table(self, table: Table, turn: tuple[int, ...] | None = None) -> str:
        """A large constant in the form in which it is stored, made float32 where it is read; its axes put as `turn`."""

        def turned(array: NDArray[Any]) -> NDArray[Any]:
            return np.ascontiguousarray(array if turn is None else array.transpose(turn))

        stored = turned(table.numbers)
        name = self.constant(stored, stored.dtype)
        if stored.dtype == np.float32:
            return name
        name = self.node("Cast", name, to=FLOAT)
        if table.scale is None:
            return name
        if table.zero is not None and table.zero.any():
            zero = np.broadcast_to(table.zero, [1] * (stored.ndim - table.zero.ndim) + list(table.zero.shape))
            name = self.node("Sub", name, self.constant(turned(zero)))
        scale = table.scale.reshape([1] * (stored.ndim - table.scale.ndim) + list(table.scale.shape))
        return self.node("Mul", name, self.constant(turned(scale)))

    def give(self, tensor: Tensor, name: str) -> None:
        """`name` holds a tensor: its floats, or its codes."""
        self._values[tensor.name] = name

    def floats(self, tensor: Tensor, units: Units | None = None) -> str:
        """A tensor in float32, dequantized where it is quantized."""
        name = self._values[tensor.name]
        if tensor.quantization is not None:
            if tensor.name not in self._floats:
                self._floats[tensor.name] = self.node("DequantizeLinear", name, *self._steps(tensor.quantization))
            name = self._floats[tensor.name]
        if units is None:
            return name
        name = self.node("Mul", name, self.constant(units.scale.reshape(1, -1, 1, 1)))
        return self.node("Add", name, self.constant(units.shift.reshape(1, -1, 1, 1)))

    def input(self, operation: Input, image: str) -> None:
        """(1, S, S, 3) uint8 -> (1, 3, S, S), each grey level brought to its value."""
        values = self.node("Transpose", self.node("Cast", image, to=FLOAT), perm=[0, 3, 1, 2])
        for operator, numbers in operation.arithmetic:
            values = self.node(operator, values, self.constant(numbers.reshape(1, 3, 1, 1), part="weights"))
        self._kept(operation.y, values)

    def convolution(self, operation: Convolution) -> None:
        """With its activation."""
        settings: dict[str, Any] = {
            "kernel_shape": list(operation.weight.shape[2:]),
            "strides": list(operation.strides),
            "pads": list(operation.pads),
            "group": operation.groups,
        }
        x = self.floats(operation.x)
        weight, bias = (self.constant(each, each.dtype, "weights") for each in (operation.weight, operation.bias))
        if operation.scales is not None and operation.x.quantization is not None:
            steps = (np.float32(operation.x.quantization.scale) * operation.scales).astype(np.float32)
            weight = self._by_channel(weight, operation.scales)
            bias = self._by_channel(bias, steps)
        y = self.node("Conv", x, weight, bias, **settings)
        self._kept(operation.y, self._bounded(y, operation.low, operation.high))

    def addition(self, operation: Addition) -> None:
        """Of two tensors, with its activation."""
        y = self.node("Add", self.floats(operation.a), self.floats(operation.b))
        self._kept(operation.y, self._bounded(y, operation.low, operation.high))

    def conversion(self, operation: Conversion) -> None:
        """Floats from codes, or codes from floats."""
        self._kept(operation.y, self.floats(operation.x))

    def vectors(self, pieces: Sequence[Piece], grid: int) -> str:
        """(1, C, grid, grid): channels of several tensors at each place."""
        found = []
        for piece in pieces:
            x = self.chosen(piece)
            for axis, length in ((2, piece.x.height), (3, piece.x.width)):
                if length != grid:
                    x = self.node("Gather", x, self.wholes(*(np.arange(grid) * length // grid)), axis=axis)
            found.append(x)
        return found[0] if len(found) == 1 else self.node("Concat", *found, axis=1)

    def chosen(self, piece: Piece) -> str:
        """(1, C, h, w): the channels of one piece at its own resolution."""
        x = self.floats(piece.x, piece.units)
        if not np.array_equal(piece.channels, np.arange(piece.x.channels)):
            x = self.node("Gather", x, self.wholes(*piece.channels), axis=1)
        if piece.window == 1:
            return x
        return self.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], count_include_pad=1)

    def _kept(self, tensor: Tensor, values: str) -> None:
        if tensor.quantization is None:
            self.give(tensor, values)
        else:
            self.give(tensor, self.node("QuantizeLinear", values, *self._steps(tensor.quantization)))

    def _bounded(self, values: str, low: float | None, high: float | None) -> str:
        if low == 0 and high is None:
            return self.node("Relu", values)
        if low is None and high is None:
            return values
        ends = ["" if end is None else self.constant(end, part="weights") for end in (low, high)]
        return self.node("Clip", values, *(ends if ends[1] else ends[:1]))

    def _steps(self, quantization: Quantization) -> tuple[str, str]:
        if quantization.bits != 8:
            raise ExportError("this detector has layers of 16 bits, which fixed ONNX has no plain operators for")
        scale = self.constant(quantization.scale, part="weights")
        return scale, self.constant(quantization.zero, np.uint8, "weights")

    def _by_channel(self, codes: str, scales: Floats) -> str:
        zero = np.zeros(len(scales), self.constants[codes].dtype)
        names = self.constant(scales, part="weights"), self.constant(zero, zero.dtype, "weights")
        return self.node("DequantizeLinear", codes, *names, axis=0)
