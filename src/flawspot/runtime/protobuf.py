"""Reads the protobuf wire format, as far as ONNX files need it (protobuf.dev, "Encoding")."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from flawspot.errors import ArtifactError

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

_BROKEN = "it is not an ONNX model, or it is damaged or cut off: copy or train it again"


def fields(message: bytes | memoryview | mmap.mmap) -> Iterator[tuple[int, int, slice, memoryview]]:
    """Yield the fields of a message: number, wire type, position of the field, and payload.

    The payload of a varint is its bytes; `varint` decodes them.

    Raises:
        ArtifactError: this is not a protobuf message, or it ends too early.
    """
    view = memoryview(message)
    length = len(view)
    position = 0
    while position < length:
        start = position
        tag, position = varint(view, position)
        wire_type = tag & 7
        begin = position
        if wire_type == LENGTH_DELIMITED:
            size, begin = varint(view, position)
            position = begin + size
        elif wire_type == VARINT:
            _, position = varint(view, position)
        elif wire_type == FIXED64:
            position += 8
        elif wire_type == FIXED32:
            position += 4
        else:
            raise ArtifactError(_BROKEN)
        if position > length or not 0 < tag >> 3 < 1 << 29:
            raise ArtifactError(_BROKEN)
        yield tag >> 3, wire_type, slice(start, position), view[begin:position]


def varint(view: memoryview, position: int) -> tuple[int, int]:
    """The number that begins at `position`, at most 64 bits as in protobuf, and the position after it.

    Raises:
        ArtifactError: the number does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            break
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ArtifactError(_BROKEN)


def signed(value: int) -> int:
    """A 64-bit number in two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def delimited(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited field: text, bytes or a message."""
    return _varint_bytes(number << 3 | LENGTH_DELIMITED) + _varint_bytes(len(payload)) + payload


def varint_field(number: int, value: int) -> bytes:
    """Encode a whole number, 0 or more."""
    return _varint_bytes(number << 3 | VARINT) + _varint_bytes(value)


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
