"""Checks a model before ONNX Runtime reads it. Anything that no detector of flawspot has is refused.

An ONNX file can refer to other files, to memory addresses, to functions that call each other, to endless loops and to
tensors larger than any memory. The protobuf message (onnx/onnx.proto) is read here without the onnx package. The limits
below bound the time, whatever the file's size.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, field

from flawspot.errors import ArtifactError
from flawspot.runtime.extents import Extents
from flawspot.runtime.field_budget import Budget
from flawspot.runtime.float_checks import check_numbers, check_step
from flawspot.runtime.operators import ALLOWED, FLOAT_TYPES, is_floating
from flawspot.runtime.protobuf import LENGTH_DELIMITED, VARINT, signed, varint

MAX_NODES = 10_000
MAX_NAME = 1024
"""Most bytes in the name of a value."""
MAX_METADATA = 64
MAX_METADATA_BYTES = 4 << 20
MAX_TYPED_NUMBERS = 4096
"""Most numbers of a constant that are not stored as raw bytes."""
LEAST_SETTING, MOST_SETTING = -16, 65_536
"""Range of the integers among an operator's attributes: axes, lengths, flags. Kernels do not check all of them."""
_LEAST = {b"batch_dims": 0, b"num_groups": 1}
MAX_EXPANDED = 1 << 27
"""Most numbers in a tensor whose shape is a constant of the graph."""

DOMAINS = (b"", b"ai.onnx")
_SIZED_BY_A_CONSTANT = {b"Expand": 1, b"Tile": 1, b"Reshape": 1, b"TopK": 1}

_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Bytes of a number for each type in TensorProto.DataType that a detector may have: floats, integers of whole bytes,
and truth values."""
_UINT8, _FLOAT, _INT64 = 2, 1, 7


@dataclass
class _Graph:
    """What is known of the graph."""

    nodes: int = 0
    inputs: list[memoryview] = field(default_factory=list)
    outputs: list[memoryview] = field(default_factory=list)
    shapes: dict[bytes, tuple[int, ...]] = field(default_factory=dict)
    """Values of the small int64 constants, by name."""
    sized: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Operators whose result has a size given by a value, with that value's name."""
    names: set[bytes] = field(default_factory=lambda: {b"image"})
    """Names of all values. Each name stands for one value."""
    floating: set[bytes] = field(default_factory=set)
    """Names of values that are known to be floating-point numbers."""
    positive: set[bytes] = field(default_factory=set)
    """Names of integers that are known to be 1 or more, without constants."""
    floats: dict[bytes, memoryview] = field(default_factory=dict)
    """Bytes of the float32 constants, by name."""
    extents: Extents = field(default_factory=Extents)
    messages: list[memoryview] = field(default_factory=list)
    """The nodes. They are checked after all constants are known."""


def check_model(model: bytes | memoryview | mmap.mmap) -> None:
    """Refuse a model that is not like a detector's.

    Raises:
        ArtifactError: it reads other files, has functions, subgraphs, operators or tensors that no detector has,
            exceeds the limits, or lacks the input ``image`` or the outputs ``anomaly_map`` and ``score``.
    """
    view = memoryview(model)
    if bytes(view[4:8]) == b"ORTM":
        raise ArtifactError("it is a model in ONNX Runtime's own format, not an ONNX model")
    budget = Budget()
    graphs: list[memoryview] = []
    metadata = metadata_bytes = 0
    for number, wire_type, payload in budget.walk(view):
        if wire_type != LENGTH_DELIMITED:
            continue
        if number == 7:
            graphs.append(payload)
        elif number in (20, 25):  # training_info, functions
            raise ArtifactError("it has functions or training steps, which no detector has")
        elif number == 8:
            _check_opset(budget, payload)
        elif number == 14:
            metadata += 1
            metadata_bytes += len(payload)
    if len(graphs) != 1:
        raise ArtifactError(f"it has {len(graphs)} graphs where a model has one: copy or train it again")
    if metadata > MAX_METADATA or metadata_bytes > MAX_METADATA_BYTES:
        raise ArtifactError("its metadata are larger than any detector's")
    _check_graph(budget, graphs[0])


def _check_opset(budget: Budget, opset: memoryview) -> None:
    for number, wire_type, payload in budget.walk(opset):
        if number == 1 and wire_type == LENGTH_DELIMITED and bytes(payload[:64]) not in DOMAINS:
            raise ArtifactError(f"it has operators of the domain {_shown(payload)}, which no detector has")


def _check_graph(budget: Budget, message: memoryview) -> None:
    graph = _Graph()
    for number, wire_type, payload in budget.walk(message):
        if wire_type != LENGTH_DELIMITED:
            continue
        if number == 1:
            graph.nodes += 1
            if graph.nodes > MAX_NODES:
                raise ArtifactError(f"it has more than {MAX_NODES:,} operators, which no detector has")
            graph.messages.append(payload)
        elif number == 5:
            _remember(graph, *_check_tensor(budget, payload))
        elif number == 11:
            graph.inputs.append(payload)
        elif number == 12:
            graph.outputs.append(payload)
        elif number == 15:
            raise ArtifactError("it has sparse tensors, which no detector has")
    for node in graph.messages:
        _check_node(budget, node, graph)
    for operator, name in graph.sized:
        shape = graph.shapes.get(name, ())
        # Invalid lengths would trigger assertions in the runtime's shape inference, which end the process.
        # Reshape keeps a length where 0 is given, and works one out for -1.
        wrong = min(shape, default=1) < (-1 if operator == b"Reshape" else 1)
        if wrong or math.prod(max(abs(length), 1) for length in shape) > MAX_EXPANDED:
            made = f"its operator {_shown(operator)} makes a tensor of {list(shape)}"
            raise ArtifactError(f"{made}, which no detector has")
    _check_interface(budget, graph)


def _check_node(budget: Budget, node: memoryview, graph: _Graph) -> None:
    inputs: list[bytes] = []
    outputs: list[bytes] = []
    operator = domain = b""
    types: list[int] = []
    for number, wire_type, payload in budget.walk(node):
        if wire_type != LENGTH_DELIMITED:
            continue
        if number in (1, 2):
            if len(payload) > MAX_NAME:
                raise ArtifactError("it has longer names than any detector")
            (inputs if number == 1 else outputs).append(bytes(payload))
        elif number == 4:
            operator = bytes(payload[:64])
        elif number == 7:
            domain = bytes(payload[:64])
        elif number == 5:
            types += _check_attribute(budget, payload)
    if domain not in DOMAINS:
        raise ArtifactError(f"it has an operator of the domain {_shown(domain)}, which no detector has")
    if operator not in ALLOWED:
        raise ArtifactError(f"it has the operator {_shown(operator)}, which no detector has")
    check_step(operator, inputs, graph.floats)
    place = _SIZED_BY_A_CONSTANT.get(operator)
    if place is not None and len(inputs) > place:
        graph.sized.append((operator, inputs[place]))
    for name in outputs:
        _name(graph, name)
    graph.extents.node(operator, inputs, outputs, types)
    floating = is_floating(operator, inputs, types, graph.floating)
    at_least_one = [name in graph.positive or min(graph.shapes.get(name, ()), default=0) > 0 for name in inputs]
    if operator == b"Max" and any(at_least_one):
        graph.positive.update(outputs)
    if operator in (b"Div", b"Mod") and not floating and at_least_one[1:] != [True]:
        # The processor itself ends a program that divides the smallest integer by -1, or any integer by 0.
        raise ArtifactError("it divides integers by values that may be 0 or less, which no detector does")
    if floating:
        graph.floating.update(outputs if operator == b"Split" else outputs[:1])


def _check_attribute(budget: Budget, attribute: memoryview) -> list[int]:
    """Returns the types in its attributes: that of a tensor, or the type ``to`` of a Cast."""
    types: list[int] = []
    name = b""
    whole: list[int] = []
    for number, wire_type, payload in budget.walk(attribute):
        if number in (3, 8):  # i, ints
            whole += _integers(payload, wire_type)
        if wire_type != LENGTH_DELIMITED:
            continue
        if number == 1:
            name = bytes(payload[:64])
        if number == 4 and bytes(payload[:64]) == b"cubic":  # slow, and with tables of its own
            raise ArtifactError("it resizes by cubic curves, which no detector does")
        if number in (6, 11):  # g, graphs
            raise ArtifactError("it has graphs within graphs, which no detector has")
        if number in (22, 23):  # sparse_tensor, sparse_tensors
            raise ArtifactError("it has sparse tensors, which no detector has")
        if number in (5, 10):  # t, tensors
            types.append(_check_tensor(budget, payload)[1])
    least = _LEAST.get(name, LEAST_SETTING)
    in_range = len(whole) <= 16 and all(least <= value <= MOST_SETTING for value in whole)
    if not in_range and not name.startswith(b"value"):  # a constant may hold any numbers
        raise ArtifactError(f"an operator of it has a setting {_shown(name)} out of the range that detectors have")
    return [*types, *whole] if name == b"to" else types


def _check_tensor(budget: Budget, tensor: memoryview) -> tuple[bytes, int, list[int], memoryview]:
    """Check that a tensor's numbers are in the file, and as many as its shape says. Returns name, type, shape and raw
    bytes."""
    dims: list[int] = []
    kind = typed = raws = 0
    raw = memoryview(b"")
    name = b""
    for number, wire_type, payload in budget.walk(tensor):
        if number == 13 or number == 3 or (number == 14 and _last_varint(payload)):  # external_data, segment, location
            raise ArtifactError("it keeps tensors outside of the file, which no detector does")
        if number == 1:
            dims += _integers(payload, wire_type)
        elif number == 2 and wire_type == VARINT:
            kind = _last_varint(payload)
        elif number == 8 and wire_type == LENGTH_DELIMITED:
            name = bytes(payload[: MAX_NAME + 1])
        elif number == 9 and wire_type == LENGTH_DELIMITED:
            raw, raws = payload, raws + 1
        elif number in (4, 5, 6, 7, 10, 11):
            typed += len(payload)
        if len(dims) > 16 or typed > 8 * MAX_TYPED_NUMBERS:
            raise ArtifactError("a tensor of it has a shape or numbers that no detector has")
    if kind not in _ITEM_BYTES:
        raise ArtifactError("it has tensors of a type that no detector has")
    count = math.prod(dims)
    if min(dims, default=0) < 0 or raws > 1 or (raws and count * _ITEM_BYTES[kind] != len(raw)):
        raise ArtifactError("a tensor of it has another size than its shape says: copy or train it again")
    if not raws and count > MAX_TYPED_NUMBERS:
        raise ArtifactError("a tensor of it has no numbers for its shape: copy or train it again")
    return name, kind, dims, raw


def _remember(graph: _Graph, name: bytes, kind: int, dims: list[int], raw: memoryview) -> None:
    """Note a constant of the graph. The name of a tensor in an attribute has no meaning."""
    _name(graph, name)
    graph.extents.constant(name, dims)
    if kind == _INT64 and 0 < len(raw) <= 16 * 8:
        values = (int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8))
        graph.shapes[name] = tuple(values)
    if kind in FLOAT_TYPES:
        check_numbers(kind, raw)
        graph.floating.add(name)
    if kind == _FLOAT:
        graph.floats[name] = raw


def _name(graph: _Graph, name: bytes) -> None:
    if name and name in graph.names:
        raise ArtifactError("two values of it have the same name: copy or train it again")
    graph.names.add(name)


def _check_interface(budget: Budget, graph: _Graph) -> None:
    inputs = [_value_info(budget, each) for each in graph.inputs]
    outputs = sorted(_value_info(budget, each) for each in graph.outputs)
    if inputs != [(b"image", _UINT8, 4)]:
        raise ArtifactError("its input is not `image`, uint8 of four dimensions: it is no detector")
    if outputs != [(b"anomaly_map", _FLOAT, 3), (b"score", _FLOAT, 1)]:
        raise ArtifactError("its outputs are not `anomaly_map` and `score`, as a detector's are")


def _value_info(budget: Budget, value: memoryview) -> tuple[bytes, int, int]:
    """Name, type and number of dimensions of an input or output; -1 if not given."""
    name, kind, rank = b"", -1, -1
    for number, _, payload in budget.walk(value):
        if number == 1:
            name = bytes(payload[:64])
        elif number == 2:
            for which, _, tensor in budget.walk(payload):
                if which != 1:  # a sequence, a map, an optional
                    return name, -1, -1
                for part, wire_type, content in budget.walk(tensor):
                    if part == 1 and wire_type == VARINT:
                        kind = _last_varint(content)
                    elif part == 2:
                        rank = sum(number == 1 for number, _, _ in budget.walk(content))
    return name, kind, rank


def _integers(payload: memoryview, wire_type: int) -> list[int]:
    """Yield the values of a repeated int64, packed or not."""
    if wire_type == VARINT:
        return [signed(_last_varint(payload))]
    found: list[int] = []
    position = 0
    while position < len(payload) and len(found) <= 16:
        value, position = varint(payload, position)
        found.append(signed(value))
    return found


def _last_varint(payload: memoryview) -> int:
    return varint(payload, 0)[0] if len(payload) else 0


def _shown(text: bytes | memoryview) -> str:
    return ascii(bytes(text[:40]).decode(errors="replace"))
