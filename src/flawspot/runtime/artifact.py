"""The .onnx file as a contract: an ordinary ONNX model whose metadata holds the manifest and a checksum.

Input ``image``: uint8, (N, H, W, 3), RGB, any N, H, W. Outputs ``anomaly_map``: float32, (N, S, S), and ``score``:
float32, (N,); larger is more anomalous.

The file is read and its metadata rewritten without the onnx package: an ONNX file is a protobuf message, and of that
only the outermost layer (ModelProto, onnx/onnx.proto) is looked at here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ArtifactError
from flawspot.files import special_kind, write_bytes
from flawspot.runtime.calibration import recalibrate
from flawspot.runtime.manifest import Manifest

MANIFEST_KEY = "flawspot.manifest"
CHECKSUM_KEY = "flawspot.sha256"

MAX_BYTES = 2**31 - 1
"""A protobuf message cannot be larger."""

_METADATA_PROPS = 14
_GRAPH = 7
_LENGTH_DELIMITED = 2


@dataclass(frozen=True, repr=False)
class Artifact:
    """A verified artifact in memory: what `flawspot.train` returns, and `flawspot.load` takes.

        >>> artifact
        Artifact(padim on mobilenet_v2, layers 3, 8, 14, input 64 x 64, 3.3 MiB)
        >>> artifact.manifest.calibration.threshold
        100.0
        >>> artifact.save("copy.onnx")
        >>> flawspot.load("copy.onnx").predict("new.png").score
        230.0

    Attributes:
        manifest: what it says of itself.
        model: the whole file with manifest and checksum, as ONNX Runtime takes it.
    """

    manifest: Manifest
    model: bytes

    def __repr__(self) -> str:
        return f"Artifact({self.manifest.title()}, {len(self.model) / 2**20:.1f} MiB)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file to `path`, as a whole or not at all.

        Raises:
            FlawspotError: it cannot be written.
        """
        write_bytes(Path(path), self.model)

    def recalibrated(self, false_alarm_rate: float) -> Artifact:
        """The same detector with the threshold for another false-alarm rate, from the same held-out photographs.

        Raises:
            ConfigurationError: a rate outside (0, 1).
        """
        calibration = recalibrate(self.manifest.calibration, false_alarm_rate)
        return assemble(self.model, dataclasses.replace(self.manifest, calibration=calibration))


def assemble(model: bytes, manifest: Manifest) -> Artifact:
    """Put `manifest` and a checksum into the metadata of ONNX model `model`.

    A manifest that `model` already carries is replaced; other metadata are kept.
    """
    text = manifest.to_json()
    checksum = _sha256([*_own_left_out(model), b"\0", text.encode()])
    own = [_metadata_entry(MANIFEST_KEY, text), _metadata_entry(CHECKSUM_KEY, checksum)]
    return Artifact(manifest, b"".join([*_own_left_out(model), *own]))


def read(path: str | Path) -> Artifact:
    """Read and verify the artifact at `path`.

    Raises:
        ArtifactError: no such file, not an ONNX model, not ours, of a newer schema, or damaged.
    """
    path = Path(path)
    try:
        _check_kind(path)
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


def _check_kind(path: Path) -> None:
    """Reading a pipe may take for ever, and a device all memory."""
    kind = special_kind(path)
    if kind is not None:
        raise ArtifactError(f"{path} is {kind}: give the .onnx file that `flawspot train` wrote with -o")


def write(path: str | Path, model: bytes, manifest: Manifest) -> None:
    """`assemble` an artifact and write it to `path`, as a whole or not at all.

    Raises:
        FlawspotError: the file cannot be written.
    """
    assemble(model, manifest).save(path)


def graph_sha256(model: bytes) -> str:
    """The sha256 of an ONNX model without flawspot's metadata: equal exactly where two detectors compute the same."""
    return _sha256(_own_left_out(model))


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
    if metadata.get(CHECKSUM_KEY) != _sha256([*_own_left_out(model), b"\0", text.encode()]):
        raise ArtifactError("it is damaged, its checksum does not fit its content: copy or train it again")
    return manifest


def _sha256(pieces: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _own_left_out(model: bytes) -> Iterator[memoryview]:
    """The file but for flawspot's metadata, in pieces that lie in `model`: it is large, and memory may be little."""
    view = memoryview(model)
    start = 0
    for number, field, payload in _fields(model):
        if number == _METADATA_PROPS and _read_entry(payload)[0] in (MANIFEST_KEY, CHECKSUM_KEY):
            yield view[start : field.start]
            start = field.stop
    yield view[start:]


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
