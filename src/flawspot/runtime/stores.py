"""Reads and replaces the constants of an ONNX graph by their names.

What a detector has learned is stored as constants in its graph. With other numbers in their places the graph is another
detector of the same shape. This works without the onnx package, as an ONNX file is a protobuf message
(onnx/onnx.proto).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.runtime.protobuf import LENGTH_DELIMITED, VARINT, delimited, fields, varint

GRAPH = 7
"""Field number of the graph in a ModelProto."""
INITIALIZER = 5
"""Field number of constants in a GraphProto."""
_DIMS, _KIND, _NAME, _RAW = 1, 2, 8, 9

TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
"""Of TensorProto.DataType."""


def stores(model: bytes, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Constants of the graph by name, as read-only views. Of `names`, only those that exist."""
    wanted = {name.encode() for name in names}
    found: dict[str, NDArray[Any]] = {}
    for tensor in _tensors(graph_of(model)):
        name = name_of(tensor)
        if name in wanted:
            found[name.decode()] = _array(tensor)
    return found


def names_of_stores(model: bytes) -> list[str]:
    """The names of all constants of the graph, in order."""
    return [name_of(tensor).decode(errors="replace") for tensor in _tensors(graph_of(model))]


def with_stores(model: bytes, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The model with new numbers in some of its constants.

    Args:
        model: an ONNX model.
        arrays: by the constants' names, with their types and shapes.

    Raises:
        ArtifactError: the graph has no constant with that name, type and shape.
    """
    missing = {name.encode(): array for name, array in arrays.items()}
    view = memoryview(model)
    pieces: list[bytes | memoryview] = []
    for number, wire_type, place, payload in fields(view):
        if number == GRAPH and wire_type == LENGTH_DELIMITED:
            pieces.append(delimited(GRAPH, b"".join(_with_arrays(payload, missing))))
        else:
            pieces.append(view[place])
    if missing:
        raise ArtifactError(f"its graph has no constant {next(iter(missing)).decode()}: it is of another training")
    return b"".join(pieces)


def graph_of(model: bytes) -> memoryview:
    """The GraphProto of a model.

    Raises:
        ArtifactError: the model has no graph.
    """
    for number, wire_type, _, payload in fields(model):
        if number == GRAPH and wire_type == LENGTH_DELIMITED:
            return payload
    raise ArtifactError("it has no graph: copy or train it again")


def name_of(tensor: memoryview) -> bytes:
    """Name of a TensorProto."""
    return next((bytes(payload) for number, _, _, payload in fields(tensor) if number == _NAME), b"")


def _tensors(graph: memoryview) -> Iterator[memoryview]:
    for number, wire_type, _, payload in fields(graph):
        if number == INITIALIZER and wire_type == LENGTH_DELIMITED:
            yield payload


def _with_arrays(graph: memoryview, missing: dict[bytes, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    for number, wire_type, place, payload in fields(graph):
        array = None
        if number == INITIALIZER and wire_type == LENGTH_DELIMITED:
            array = missing.pop(name_of(payload), None)
        yield graph[place] if array is None else delimited(INITIALIZER, _replaced(payload, array))


def _replaced(tensor: memoryview, array: NDArray[Any]) -> bytes:
    old = _array(tensor)
    if old.shape != array.shape or old.dtype != array.dtype.newbyteorder("<"):
        raise ArtifactError(
            f"its constant {name_of(tensor).decode()} is {old.dtype} of {list(old.shape)}, not {array.dtype} of "
            f"{list(array.shape)}: it is of another training"
        )
    numbers = np.ascontiguousarray(array, old.dtype).tobytes()
    return b"".join(
        delimited(_RAW, numbers) if number == _RAW else bytes(tensor[place]) for number, _, place, _ in fields(tensor)
    )


def _form(tensor: memoryview) -> tuple[int, list[int]]:
    """Type and shape of a TensorProto."""
    dims: list[int] = []
    kind = 0
    for number, wire_type, _, payload in fields(tensor):
        if number == _DIMS:
            dims += _whole_numbers(payload, wire_type)
        elif number == _KIND and wire_type == VARINT:
            kind = varint(payload, 0)[0]
    return kind, dims


def _array(tensor: memoryview) -> NDArray[Any]:
    """The numbers of a TensorProto. They must be stored as raw bytes, as in all larger ones."""
    kind, dims = _form(tensor)
    raw = next((payload for number, _, _, payload in fields(tensor) if number == _RAW), None)
    name = ascii(name_of(tensor)[:50].decode(errors="replace"))
    if kind not in TYPES or raw is None:
        raise ArtifactError(f"its constant {name} is kept in a form that cannot be changed: train it again")
    if math.prod(dims) * TYPES[kind].itemsize != len(raw):
        raise ArtifactError("a tensor of it has another size than its shape says: copy or train it again")
    found: NDArray[Any] = np.frombuffer(raw, TYPES[kind]).reshape(dims)
    return found


def _whole_numbers(payload: memoryview, wire_type: int) -> list[int]:
    """Yield the values of a repeated int64, packed or not."""
    found: list[int] = []
    position = 0
    while position < len(payload):
        value, position = varint(payload, position)
        found.append(value)
        if wire_type == VARINT:
            break
    return found
