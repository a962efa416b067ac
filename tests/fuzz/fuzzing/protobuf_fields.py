"""Mutations of a protobuf message field by field, at any depth, so that what comes out can still be parsed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from flawspot.errors import ArtifactError
from flawspot.runtime.protobuf import LENGTH_DELIMITED, VARINT, fields, varint
from fuzzing.bytes import LARGE_NUMBERS, NUMBERS

_DEPTH = 8
_LARGEST = 8 << 20
"""Bytes that a repetition adds at most."""
_LONG = 4096
"""Bytes from which on a payload is taken for numbers, not looked into."""


@dataclass
class Field:
    """A field of a message; `payload` is a list of fields where it can be read as a message."""

    number: int
    wire_type: int
    payload: bytes | list[Field]


def parse(message: bytes, depth: int = 0) -> list[Field]:
    """The fields, and theirs.

    Raises:
        ArtifactError: this is no message.
    """
    found = []
    for number, wire_type, _, view in fields(message):
        payload: bytes | list[Field] = bytes(view)
        # Of a model and its graph all is looked into, whatever its length.
        if wire_type == LENGTH_DELIMITED and depth < _DEPTH and len(view) and (depth < 2 or len(view) < _LONG):
            try:
                payload = parse(bytes(view), depth + 1)
            except ArtifactError:
                payload = bytes(view)
        found.append(Field(number, wire_type, payload))
    return found


def serialised(message: list[Field]) -> bytes:
    """The message as bytes."""
    out = []
    for field in message:
        out.append(_number(field.number << 3 | field.wire_type))
        payload = field.payload if isinstance(field.payload, bytes) else serialised(field.payload)
        if field.wire_type == LENGTH_DELIMITED:
            out.append(_number(len(payload)))
        out.append(payload)
    return b"".join(out)


def mutated(message: bytes, rng: random.Random) -> bytes:
    """One to four fields changed, left out, doubled, moved, renumbered or grown."""
    tree = parse(message)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _mutate(tree, rng)
    return serialised(tree)


def _mutate(tree: list[Field], rng: random.Random) -> None:
    inside, spot = tree, rng.randrange(len(tree))
    # The deeper the likelier, for the outermost fields are few and dull.
    while isinstance(inside[spot].payload, list) and inside[spot].payload and rng.random() < 0.9:
        inside = inside[spot].payload
        spot = rng.randrange(len(inside))
    field = inside[spot]
    kind = rng.choice(
        ("value", "value", "value", "left out", "doubled", "many", "moved", "number", "foreign", "swapped")
    )
    if kind == "value":
        _change(field, rng)
    elif kind == "left out" and len(inside) > 1:
        del inside[spot]
    elif kind == "doubled":
        inside.insert(rng.randrange(len(inside) + 1), field)
    elif kind == "many":
        inside[spot:spot] = [field] * min(rng.choice((10, 1000)), _LARGEST // (len(serialised([field])) + 1))
    elif kind == "moved":
        inside.append(inside.pop(spot))
    elif kind == "number":
        field.number = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 25, 1000))
    elif kind == "foreign":
        inside.insert(spot, Field(rng.randrange(1, 30), LENGTH_DELIMITED, rng.randbytes(rng.randrange(60))))
    elif kind == "swapped":
        other = rng.randrange(len(inside))
        if inside[other].wire_type == field.wire_type:
            inside[other].payload, field.payload = field.payload, inside[other].payload


def _change(field: Field, rng: random.Random) -> None:
    if field.wire_type == VARINT and isinstance(field.payload, bytes):
        value = varint(memoryview(field.payload), 0)[0]
        near = (value + 1, value - 1, value * 2, value // 2, -value)
        field.payload = _number(rng.choice((*near, *NUMBERS, *LARGE_NUMBERS)) & 2**64 - 1)
    elif isinstance(field.payload, bytes) and field.payload:
        data = bytearray(field.payload)
        for _ in range(rng.choice((1, 1, 8))):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 10, 27, 127, 128, 255, rng.randrange(256)))
        if field.wire_type == LENGTH_DELIMITED and rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        field.payload = bytes(data)
    elif field.wire_type == LENGTH_DELIMITED:
        field.payload = rng.randbytes(rng.randrange(40))


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
