"""The state of reading a graph: its known values and their meanings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flawspot.export.form import Conversion, Input, Operation
from flawspot.export.head_operations import Enlarged, Piece
from flawspot.export.reading.onnx_graph import Graph, Node
from flawspot.export.tensors import Floats, Quantization, Table, Tensor, Units

_UNSIGNED = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}


@dataclass
class Reading:
    """How far the graph has been read. Most attributes are indexed by the names of values.

    Attributes:
        tensors: tensors by the name of their float value; quantized ones are read by dequantizing.
        codes: tensors by the name of the value with whole numbers.
        pixels: (3, 256), results for all pixel values, for values that depend only on the photograph's pixel.
        arithmetic: for these values, the operators that were applied to the pixel, with their numbers.
        weights: values that depend only on the photograph's height and width.
        scaled: values that are a tensor of codes in units of its channels.
        pieces: values that gather channels of several tensors.
        multiples: values that are a map of one channel times a number.
        halves: values ``rows @ x``: the tensor and the rows.
        products: values that are products of enlarged maps.
        done: values that were read together with an earlier operator.
        unknown: operators that have no form, in order.
    """

    graph: Graph
    input_size: int
    operations: list[Operation] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    codes: dict[str, Tensor] = field(default_factory=dict)
    pixels: dict[str, Floats] = field(default_factory=dict)
    arithmetic: dict[str, tuple[tuple[str, Floats], ...]] = field(default_factory=lambda: {"image": ()})
    weights: set[str] = field(default_factory=set)
    scaled: dict[str, tuple[Tensor, Units]] = field(default_factory=dict)
    pieces: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    multiples: dict[str, tuple[Tensor, float]] = field(default_factory=dict)
    halves: dict[str, tuple[Tensor, Floats]] = field(default_factory=dict)
    products: dict[str, tuple[Enlarged, ...]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    unknown: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pixels["image"] = np.tile(np.arange(256, dtype=np.float32), (3, 1))

    def add(self, operation: Operation, name: str) -> None:
        """Append an operation whose result is the float value `name`."""
        self.operations.append(operation)
        self.tensors[name] = operation.y
        self.done.add(name)

    def floats(self, name: str) -> Tensor | None:
        """The tensor of a value in float32, dequantized if necessary."""
        tensor = self.tensors.get(name)
        if tensor is None and name in self.pixels:
            y = Tensor(name, 3, self.input_size, self.input_size)
            self.add(Input(y, self.pixels[name], self.arithmetic[name]), name)
            return y
        if tensor is None or tensor.quantization is None:
            return tensor
        plain = Tensor(f"{tensor.name}:floats", tensor.channels, tensor.height, tensor.width)
        if not any(operation.y == plain for operation in self.operations):
            self.operations.append(Conversion(tensor, plain))
        return plain

    def readable(self, name: str) -> tuple[Tensor, Units | None] | None:
        """A tensor that a head can read: of floats, or of 8 bits, perhaps with units; None for other values."""
        if name in self.scaled:
            return self.scaled[name]
        tensor = self.tensors.get(name)
        if tensor is not None and tensor.quantization is not None and tensor.quantization.bits != 8:
            tensor = self.floats(name)
        return None if tensor is None else (tensor, None)

    def in_units(self, node: Node) -> bool:
        """Read a product or sum of a tensor of codes with one number for each channel, which become its units."""
        numbers = self.graph.constant(node, 1)
        tensor, units = self.scaled.get(node.inputs[0], (self.tensors.get(node.inputs[0]), None))
        if numbers is None or tensor is None or numbers.shape != (1, tensor.channels, 1, 1):
            return False
        if tensor.quantization is None or tensor.quantization.bits != 8 or (node.operator == "Mul") != (units is None):
            return False
        own = numbers.astype(np.float32).ravel()
        found = Units(own, np.zeros_like(own)) if units is None else Units(units.scale, own)
        self.scaled[node.outputs[0]] = (tensor, found)
        return True

    def quantization(self, node: Node) -> Quantization | None:
        """The quantization of a QuantizeLinear or DequantizeLinear with one scale and unsigned codes."""
        scale, zero = self.graph.scalar(node, 1), self.graph.constant(node, 2)
        if scale is None or zero is None or zero.size != 1 or zero.dtype not in _UNSIGNED:
            return None
        return Quantization(float(np.float32(scale)), int(zero.ravel()[0]), _UNSIGNED[zero.dtype])

    def table(self, name: str) -> Table | None:
        """A constant of the head in its stored form."""
        if name in self.graph.constants:
            return Table(self.graph.constants[name])
        cast = self.graph.maker(name, "Cast")
        if cast is not None and (stored := self.graph.constant(cast, 0)) is not None:
            return Table(stored)
        node = self.graph.maker(name, "DequantizeLinear")
        numbers = None if node is None else self.graph.constant(node, 0)
        if node is None or numbers is None:
            return None
        scale, zero = self.graph.constant(node, 1), self.graph.constant(node, 2)
        if scale is None:
            return None
        axis = node.whole("axis", 1) % numbers.ndim
        shape = [-1 if place == axis else 1 for place in range(numbers.ndim)] if scale.ndim == 1 else [1] * numbers.ndim
        if scale.ndim > 1:
            shape = list(scale.shape)
        return Table(numbers, scale.reshape(shape), None if zero is None else zero.astype(np.int64).reshape(shape))
