"""The graph of an ONNX file, its operators and constants, read without the onnx package.

The file has passed `flawspot.runtime.onnx_checks`, so sizes are bounded and tensors are inside the file.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.runtime.protobuf import LENGTH_DELIMITED, VARINT, delimited, fields, signed, varint

Setting = int | float | bytes | tuple[int, ...] | NDArray[Any] | None

_TYPES: dict[int, type[np.generic]] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
"""Of TensorProto.DataType."""
_KINDS = {8: 2, 16: 4, 32: 1}
"""ONNX's type numbers by bits: uint8, uint16 and float32."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operator."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Setting]

    def whole(self, name: str, otherwise: int) -> int:
        """An attribute that is a whole number."""
        value = self.settings.get(name, otherwise)
        return value if isinstance(value, int) else otherwise

    def wholes(self, name: str, otherwise: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers."""
        value = self.settings.get(name, otherwise)
        return value if isinstance(value, tuple) else otherwise

    def text(self, name: str, otherwise: str) -> str:
        """An attribute that is a text."""
        value = self.settings.get(name)
        return value.decode(errors="replace") if isinstance(value, bytes) else otherwise


def _turned(node: Node, matrix: NDArray[Any]) -> NDArray[Any] | None:
    return matrix.T if matrix.ndim == 2 and node.wholes("perm", (1, 0)) == (1, 0) else None


def _raised(_: Node, values: NDArray[Any], axes: NDArray[Any]) -> NDArray[Any]:
    return np.expand_dims(values, tuple(axes.ravel().tolist()))


def _gathered(node: Node, values: NDArray[Any], index: NDArray[Any]) -> NDArray[Any] | None:
    return np.take(values, index, node.whole("axis", 0)) if index.size == 1 else None


def _product(_: Node, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any] | None:
    size = math.prod(np.broadcast_shapes(one.shape, other.shape))
    return one * other if size <= _LARGEST_PRODUCT else None


_LARGEST_PRODUCT = 1 << 24
"""Numbers. The largest that is known has a million."""
_OF_CONSTANTS: dict[str, Callable[..., NDArray[Any] | None]] = {
    "Transpose": _turned,
    "Unsqueeze": _raised,
    "Gather": _gathered,
    "Mul": _product,
}


class Graph:
    """The operators in the order of the file, and the constants by name.

    Attributes:
        nodes: all operators.
        constants: initializers, values of Constant operators, and what some operators compute from these alone.
        uses: number of operators that read each value.
    """

    def __init__(self, model: bytes) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, NDArray[Any]] = {}
        for number, _, _, payload in fields(model):
            if number == 7:
                self._read(payload)
        self._compute_constants()
        self.uses = Counter(name for node in self.nodes for name in node.inputs)
        self._makers = {name: node for node in self.nodes for name in node.outputs}
        self._readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                self._readers.setdefault(name, []).append(node)

    def _read(self, message: memoryview) -> None:
        for number, wire_type, _, payload in fields(message):
            if wire_type != LENGTH_DELIMITED:
                continue
            if number == 1:
                node = _node(payload)
                value = node.settings.get("value")
                if node.operator == "Constant" and isinstance(value, np.ndarray):
                    self.constants[node.outputs[0]] = value
                else:
                    self.nodes.append(node)
            elif number == 5:
                name, value = _tensor(payload)
                self.constants[name] = value

    def _compute_constants(self) -> None:
        """Compute what hangs on constants alone.

        Exporters store a large matrix once, and transpose it where it is read. In a detector that can be updated, what
        it has learned stays a constant of its own, also where a product with another constant follows.
        """
        for node in self.nodes:
            if node.operator in _OF_CONSTANTS and all(name in self.constants for name in node.inputs):
                with contextlib.suppress(ValueError, IndexError, TypeError):  # a damaged file; whoever reads it refuses
                    found = _OF_CONSTANTS[node.operator](node, *(self.constants[name] for name in node.inputs))
                    if found is not None:
                        self.constants[node.outputs[0]] = found

    def maker(self, name: str, operator: str | None = None) -> Node | None:
        """The operator that computes a value, if it has the given type."""
        node = self._makers.get(name)
        return node if node is not None and operator in (None, node.operator) else None

    def sole_reader(self, name: str) -> Node | None:
        """The operator that reads a value, if it is the only one."""
        readers = self._readers.get(name, ())
        return readers[0] if len(readers) == 1 else None

    def constant(self, node: Node, place: int) -> NDArray[Any] | None:
        """The constant that an operator reads at `place`; None if it is not a constant."""
        return self.constants.get(node.inputs[place]) if place < len(node.inputs) else None

    def scalar(self, node: Node, place: int) -> float | None:
        """The constant at `place` as a number; None if it is not a single number."""
        value = self.constant(node, place)
        return float(value.ravel()[0]) if value is not None and value.size == 1 else None

    def square_of(self, name: str) -> str | None:
        """The value that `name` is the square of."""
        power = self.maker(name, "Pow")
        if power is not None and self.scalar(power, 1) == 2:
            return power.inputs[0]
        product = self.maker(name, "Mul")
        return product.inputs[0] if product is not None and product.inputs[0] == product.inputs[1] else None


def with_outputs(model: bytes, codes: dict[str, int]) -> bytes:
    """The model with inner values as further outputs.

    Args:
        model: an ONNX model.
        codes: names of its values, with their bits: 8 or 16, or 32 for float32.
    """
    infos = []
    for name, bits in codes.items():
        kind = bytes([1 << 3 | VARINT, _KINDS[bits]])
        infos.append(delimited(12, delimited(1, name.encode()) + delimited(2, delimited(1, kind))))
    # Two messages for one field are merged, and their lists concatenated (protobuf.dev, "Last One Wins").
    return model + delimited(7, b"".join(infos))


def _node(message: memoryview) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    settings: dict[str, Setting] = {}
    operator = ""
    for number, wire_type, _, payload in fields(message):
        if wire_type != LENGTH_DELIMITED:
            continue
        if number in (1, 2):
            (inputs if number == 1 else outputs).append(bytes(payload).decode(errors="replace"))
        elif number == 4:
            operator = bytes(payload).decode(errors="replace")
        elif number == 5:
            name, value = _setting(payload)
            settings[name] = value
    return Node(operator, tuple(inputs), tuple(outputs), settings)


def _setting(message: memoryview) -> tuple[str, Setting]:
    name, value = "", None
    several: list[int] = []
    for number, wire_type, _, payload in fields(message):
        if number == 1:
            name = bytes(payload).decode(errors="replace")
        elif number == 2:
            value = struct.unpack("<f", payload)[0]
        elif number == 3:
            value = signed(varint(payload, 0)[0])
        elif number == 4:
            value = bytes(payload)
        elif number == 5:
            value = _tensor(payload)[1]
        elif number == 8:
            several += _wholes(payload, wire_type)
    return name, tuple(several) if several else value


def _tensor(message: memoryview) -> tuple[str, NDArray[Any]]:
    name, kind, raw = "", 0, b""
    shape: list[int] = []
    whole: list[int] = []
    floats: list[float] = []
    for number, wire_type, _, payload in fields(message):
        if number == 1:
            shape += _wholes(payload, wire_type)
        elif number == 2:
            kind = varint(payload, 0)[0]
        elif number == 4:
            floats += np.frombuffer(payload, "<f4").tolist()
        elif number in (5, 7):
            whole += _wholes(payload, wire_type)
        elif number == 8:
            name = bytes(payload).decode(errors="replace")
        elif number == 9:
            raw = bytes(payload)
    if kind not in _TYPES:
        raise ArtifactError("it has tensors of a type that no detector has")
    dtype = np.dtype(_TYPES[kind])
    if raw:
        values = np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype)
    elif kind == 10:  # stored as whole numbers of 16 bits
        values = np.array(whole, np.uint16).view(np.float16)
    else:
        values = np.array(floats or whole, dtype)
    return name, values.reshape(shape)


def _wholes(payload: memoryview, wire_type: int) -> list[int]:
    """A repeated whole number: one by one, or packed."""
    if wire_type == VARINT:
        return [signed(varint(payload, 0)[0])]
    found: list[int] = []
    position = 0
    while position < len(payload):
        value, position = varint(payload, position)
        found.append(signed(value))
    return found
