"""Tensors in one file that cannot run code: the safetensors format (huggingface/safetensors, "Format").

Eight bytes give the length of the header, a JSON object with each tensor's type, shape and place. The numbers follow,
little-endian. Writing and reading it takes a few lines, so a device needs no further package. The metadata hold a
checksum of everything else, so that a damaged number is noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError

TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
MAX_HEADER = 16 << 20
MAX_TENSORS = 10_000
_METADATA = "__metadata__"
_CHECKSUM = "flawspot.sha256"
_ALIGNMENT = 8


def write_tensors(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> Iterable[bytes]:
    """The bytes of a file, in pieces.

    Args:
        tensors: by name; of the types in `TYPES`.
        metadata: texts by name.

    Raises:
        ArtifactError: the header would be too large to be read again.
    """
    names = {dtype: name for name, dtype in TYPES.items()}
    header: dict[str, Any] = {_METADATA: {**metadata, _CHECKSUM: _checksum(tensors, metadata)}}
    place = 0
    for name, tensor in tensors.items():
        kind = names[tensor.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [place, place + tensor.nbytes]}
        place += tensor.nbytes
    text = json.dumps(header, ensure_ascii=True, allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ArtifactError(f"its names take more than {MAX_HEADER >> 20} MiB: give the photographs shorter ones")
    yield struct.pack("<Q", len(text)) + text
    for tensor in tensors.values():
        yield np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes()


def read_tensors(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors, as read-only views, and texts, both by name.

    A file without a checksum is read too: others write this format without one.

    Raises:
        ArtifactError: it is not such a file, or it is damaged or cut off.
    """
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else MAX_HEADER + 1
    if length > min(MAX_HEADER, len(data) - 8):
        raise ArtifactError("it is not a file of tensors, or it is cut off")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ArtifactError("it is not a file of tensors: its header is not a JSON object")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ArtifactError("its header is damaged: the metadata are not texts")
    body = memoryview(data)[8 + length :]
    tensors, place = {}, 0
    for name, entry in header.items():
        tensors[name] = _tensor(name, entry, body, place)
        place += tensors[name].nbytes
    if place != len(body):
        raise ArtifactError("it is damaged: it has numbers that belong to no tensor")
    written = metadata.pop(_CHECKSUM, None)
    if written is not None and written != _checksum(tensors, metadata):
        raise ArtifactError("it is damaged: its checksum does not fit. Copy it again")
    return tensors, metadata


def _checksum(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """SHA-256 of all texts, and of the tensors' names, types, shapes and numbers."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, tensor in tensors.items():
        stored = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
        digest.update(json.dumps([name, stored.dtype.str, list(tensor.shape)]).encode())
        digest.update(stored.data if stored.size else b"")
    return digest.hexdigest()


def tensor_of(tensors: Mapping[str, NDArray[Any]], name: str, kind: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The tensor of that name, once it is seen to be of a type in `TYPES` and of a shape, and to be finite.

    Args:
        tensors: by name.
        name: name of the tensor.
        kind: its type.
        shape: its shape. None stands for any length.

    Raises:
        ArtifactError: it is missing, or has another type or shape, or a number that is not finite.
    """
    found = tensors.get(name)
    if found is None or found.dtype != TYPES[kind] or found.ndim != len(shape):
        raise ArtifactError(f"its numbers {name[:50]!a} are missing or of another kind: it is damaged")
    if any(wanted not in (None, length) for wanted, length in zip(shape, found.shape, strict=True)):
        raise ArtifactError(f"its numbers {name[:50]!a} have another shape: it is damaged")
    if not np.isfinite(found).all():
        raise ArtifactError(f"its numbers {name[:50]!a} are not finite: it is damaged")
    return found


def within(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _tensor(name: str, entry: Any, body: memoryview, place: int) -> NDArray[Any]:
    """Read one tensor. Tensors follow each other in the order of the header, so that no number is used twice."""
    wrong = ArtifactError(f"its header is damaged at {name[:50]!a}")
    kind = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in TYPES:
        raise wrong
    dtype, shape, offsets = TYPES[kind], _whole_numbers(entry.get("shape"), 8), entry.get("data_offsets")
    if shape is None or _whole_numbers(offsets, 2) is None:
        raise wrong
    if math.prod(max(length, 1) for length in shape) >= 1 << 48:  # numpy makes no such array, not even an empty one
        raise wrong
    if offsets != [place, place + math.prod(shape) * dtype.itemsize]:
        raise wrong
    if offsets[1] > len(body):
        raise ArtifactError(f"it is cut off at {name[:50]!a}: copy it again")
    found: NDArray[Any] = np.frombuffer(body[offsets[0] : offsets[1]], dtype).reshape(shape)
    return found


def _whole_numbers(value: Any, most: int) -> list[int] | None:
    """`value` if it is a list of at most so many items; None for anything else."""
    known = isinstance(value, list) and len(value) <= most and all(type(n) is int and 0 <= n < 1 << 40 for n in value)
    return value if known else None
