"""The .onnx file as a contract: an ordinary ONNX model whose metadata holds the manifest and a checksum.

Input ``image``: uint8, (N, H, W, 3), RGB, any N, H, W. Outputs ``anomaly_map``: float32, (N, S, S), and ``score``:
float32, (N,); larger is more anomalous.

The file is read and its metadata rewritten without the onnx package: an ONNX file is a protobuf message, and of that
only the outermost layer (ModelProto, onnx/onnx.proto) is looked at here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ArtifactError
from flawspot.files import write_bytes
from flawspot.runtime.manifest import Manifest

MANIFEST_KEY = "flawspot.runtime.manifest"
CHECKSUM_KEY = "flawspot.sha256"

MAX_BYTES = 2**31 - 1
"""A protobuf message cannot be larger."""

_METADATA_PROPS = 14
_GRAPH = 7
_LENGTH_DELIMITED = 2


@dataclass(frozen=True)
class Artifact:
    """A verified artifact in memory.

    Attributes:
        manifest: what it says of itself.
        model: the whole file, as ONNX Runtime takes it.
    """

    manifest: Manifest
    model: bytes


def read(path: str | Path) -> Artifact:
    """Read and verify the artifact at `path`.

    Raises:
        ArtifactError: no such file, not an ONNX model, not ours, of a newer schema, or damaged.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{path} is not a flawspot artifact: {size} bytes are more than an ONNX file can have")
        model = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(
            f"there is no file {path}: give the .onnx file that `flawspot train` wrote with -o"
        ) from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return Artifact(_verify(model), model)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used: {error}") from None


def write(path: str | Path, model: bytes, manifest: Manifest) -> None:
    """Write ONNX model `model` with `manifest` in its metadata to `path`, as a whole or not at all.

    A manifest that `model` already carries is replaced; other metadata are kept.

    Raises:
        FlawspotError: the file cannot be written.
    """
    graph = _without_own_metadata(model)
    text = manifest.to_json()
    checksum = _checksum(graph, text)
    write_bytes(Path(path), graph + _metadata_entry(MANIFEST_KEY, text) + _metadata_entry(CHECKSUM_KEY, checksum))


def graph_sha256(model: bytes) -> str:
    """The sha256 of an ONNX model without flawspot's metadata: equal exactly where two detectors compute the same."""
    return hashlib.sha256(_without_own_metadata(model)).hexdigest()


def _verify(model: bytes) -> Manifest:
    metadata = {}
    has_graph = False
    for number, _, payload in _fields(model):
        has_graph |= number == _GRAPH
        if number == _METADATA_PROPS:
            key, value = _read_entry(payload)
            metadata[key] = value
    if not has_graph:
        raise ArtifactError("it is not an ONNX model, or only the beginning of one: copy or train it again")
    if MANIFEST_KEY not in metadata:
        raise ArtifactError("it is an ONNX model, but not one of flawspot: it holds no manifest")
    text = metadata[MANIFEST_KEY]
    # First the schema, then the checksum: a newer flawspot may compute it in another way.
    manifest = Manifest.from_json(text)
    if metadata.get(CHECKSUM_KEY) != _checksum(_without_own_metadata(model), text):
        raise ArtifactError("it is damaged, its checksum does not fit its content: copy or train it again")
    return manifest


def _checksum(graph: bytes, manifest: str) -> str:
    return hashlib.sha256(graph + b"\0" + manifest.encode()).hexdigest()


def _without_own_metadata(model: bytes) -> bytes:
    kept = []
    start = 0  # runs of kept fields are copied in one piece: the graph is one large field
    for number, field, payload in _fields(model):
        if number == _METADATA_PROPS and _read_entry(payload)[0] in (MANIFEST_KEY, CHECKSUM_KEY):
            kept.append(model[start : field.start])
            start = field.stop
    kept.append(model[start:])
    return b"".join(kept)


def _fields(message: bytes | memoryview) -> Iterator[tuple[int, slice, memoryview]]:
    """Walk the fields of a protobuf message: field number, where it lies, and its payload.

    Raises:
        ArtifactError: this is no protobuf message, or it ends too early.
    """
    view = memoryview(message)
    position = 0
    while position < len(view):
        start = position
        tag, position = _varint(view, position)
        wire_type = tag & 7
        begin = position
        if wire_type == 0:
            _, position = _varint(view, position)
        elif wire_type == 1:
            position += 8
        elif wire_type == _LENGTH_DELIMITED:
            length, begin = _varint(view, position)
            position = begin + length
        elif wire_type == 5:
            position += 4
        else:
            raise ArtifactError("it is not an ONNX model, or it is damaged: copy or train it again")
        if position > len(view) or tag >> 3 == 0:
            raise ArtifactError("it is not an ONNX model, or it is damaged or cut off: copy or train it again")
        yield tag >> 3, slice(start, position), view[begin:position]


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            break
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ArtifactError("it is not an ONNX model, or it is damaged or cut off: copy or train it again")


def _read_entry(payload: memoryview) -> tuple[str, str]:
    """Key (field 1) and value (field 2) of a StringStringEntryProto."""
    parts = {number: bytes(value) for number, _, value in _fields(payload)}
    return parts.get(1, b"").decode(errors="replace"), parts.get(2, b"").decode(errors="replace")


def _metadata_entry(key: str, value: str) -> bytes:
    entry = _delimited(1, key.encode()) + _delimited(2, value.encode())
    return _delimited(_METADATA_PROPS, entry)


def _delimited(number: int, payload: bytes) -> bytes:
    return _to_varint(number << 3 | _LENGTH_DELIMITED) + _to_varint(len(payload)) + payload


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
