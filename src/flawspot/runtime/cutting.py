"""Cuts a part out of a detector's graph, such as its features or its head alone.

A graph is cut at values with the names that training gives if the detector is to be updated (`flawspot.runtime.state`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flawspot.errors import ArtifactError
from flawspot.runtime.protobuf import LENGTH_DELIMITED, delimited, fields, varint_field
from flawspot.runtime.stores import GRAPH, INITIALIZER, graph_of, name_of

FLOAT = 1
"""Of TensorProto.DataType."""
_NODE, _INPUT, _OUTPUT, _VALUE_INFO = 1, 11, 12, 13
_OPERATOR = 4
"""Field number of an operator's type in a NodeProto."""
_IMAGE = b"image"
_METADATA_PROPS = 14


def cut(model: bytes, outputs: Sequence[str], inputs: Mapping[str, int] | None = None) -> bytes:
    """Cut out the part of a model that computes some of its values.

    Args:
        model: the bytes of a verified model.
        outputs: names of float32 values of the graph.
        inputs: float32 values that are given, with their numbers of dimensions; None: the model's own inputs. If the
            part takes the number of photographs from the photographs, they become an input as well.

    Raises:
        ArtifactError: the graph lacks such a value, or needs more than the inputs and the shape of the photographs.
    """
    pieces: list[bytes | memoryview] = []
    view = memoryview(model)
    for number, wire_type, place, payload in fields(view):
        if number == GRAPH and wire_type == LENGTH_DELIMITED:
            pieces.append(delimited(GRAPH, _part(payload, [name.encode() for name in outputs], inputs)))
        elif number != _METADATA_PROPS:
            pieces.append(view[place])
    return b"".join(pieces)


def named_values(model: bytes, prefix: str) -> list[str]:
    """The names of values made by operators that begin with `prefix`, in order."""
    wanted = prefix.encode()
    nodes = (payload for number, _, _, payload in fields(graph_of(model)) if number == _NODE)
    made = (bytes(value) for node in nodes for number, _, _, value in fields(node) if number == 2)
    return [name.decode(errors="replace") for name in made if name.startswith(wanted)]


def value_beside(model: bytes, constant: str) -> str | None:
    """The name of the value that an operator takes together with a constant; None if the graph has no such operator."""
    wanted = constant.encode()
    nodes = (payload for number, _, _, payload in fields(graph_of(model)) if number == _NODE)
    for node in nodes:
        taken = [bytes(value) for number, _, _, value in fields(node) if number == 1]
        if wanted in taken and len(taken) == 2:
            return next((name.decode(errors="replace") for name in taken if name != wanted), None)
    return None


def _part(graph: memoryview, outputs: Sequence[bytes], inputs: Mapping[str, int] | None) -> bytes:
    nodes = [(place, payload) for number, _, place, payload in fields(graph) if number == _NODE]
    takes = [[bytes(value) for number, _, _, value in fields(payload) if number == 1] for _, payload in nodes]
    makes = [[bytes(value) for number, _, _, value in fields(payload) if number == 2] for _, payload in nodes]
    made_by = {name: index for index, names in enumerate(makes) for name in names if name}
    given = set() if inputs is None else {name.encode() for name in inputs}
    needed, waiting, seen = set(), list(outputs), set(given)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in made_by and made_by[name] not in needed:
            needed.add(made_by[name])
            waiting += takes[made_by[name]]
    for name in outputs:
        if name not in made_by:
            raise ArtifactError(f"its graph has no value {name.decode(errors='replace')[:50]!a}: train it again")
    own = inputs is None or _IMAGE in seen
    readers = [nodes[index][1] for index in needed if _IMAGE in takes[index]]
    if inputs is not None and any(_operator(node) != b"Shape" for node in readers):
        raise ArtifactError("its head uses the photograph itself: it cannot be updated")
    kept: list[bytes | memoryview] = [graph[place] for index, (place, _) in enumerate(nodes) if index in needed]
    for number, wire_type, place, payload in fields(graph):
        if number == INITIALIZER and wire_type == LENGTH_DELIMITED:
            if name_of(payload) in seen:
                kept.append(graph[place])
        elif number not in (_NODE, _OUTPUT, _VALUE_INFO) and (number != _INPUT or own):
            kept.append(graph[place])
    for value, rank in ({} if inputs is None else inputs).items():
        kept.append(delimited(_INPUT, _value_info(value.encode(), rank)))
    kept += [delimited(_OUTPUT, _value_info(name, None)) for name in outputs]
    return b"".join(kept)


def _operator(node: memoryview) -> bytes:
    return next((bytes(payload) for number, _, _, payload in fields(node) if number == _OPERATOR), b"")


def _value_info(name: bytes, rank: int | None) -> bytes:
    """A ValueInfoProto of float32. The runtime infers the shape of an output."""
    tensor = varint_field(1, FLOAT)
    if rank is not None:
        dimensions = (delimited(1, delimited(2, name + f".{axis}".encode())) for axis in range(rank))
        tensor += delimited(2, b"".join(dimensions))
    return delimited(1, name) + delimited(2, delimited(1, tensor))
