"""The artifact's file: an ordinary ONNX model whose metadata hold the manifest and a checksum.

Input ``image``: uint8, (N, H, W, 3), RGB, any N, H, W. Outputs ``anomaly_map``: float32, (N, S, S), and ``score``:
float32, (N,). A larger score is more anomalous.

The file is read, and its metadata are rewritten, without the onnx package. An ONNX file is a protobuf message, and only
its outermost layer (ModelProto, onnx/onnx.proto) is read here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from flawspot.errors import ArtifactError, ConfigurationError
from flawspot.files import replacing, special_kind
from flawspot.runtime.calibration import recalibrate, set_threshold
from flawspot.runtime.found_sizes import FoundSizes
from flawspot.runtime.manifest import CalibrationInfo, Manifest
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.protobuf import delimited, fields
from flawspot.runtime.state import State, beside

MANIFEST_KEY = "flawspot.manifest"
CHECKSUM_KEY = "flawspot.sha256"
SIGNATURE_KEY = "flawspot.signature"
_OWN = (MANIFEST_KEY, CHECKSUM_KEY, SIGNATURE_KEY)

MAX_BYTES = 2**31 - 1
"""Size limit of a protobuf message, in bytes."""

LARGE = 256 << 20
"""Files of at least this many bytes are checked before they are read. Detectors may have nearly 2 GB, such as PaDiM on
WideResNet-50-2."""

_METADATA_PROPS = 14
_NO_MANIFEST = "it is an ONNX model, but not one of flawspot: it has no manifest"


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
        manifest: all about the detector that is not a tensor.
        model: the bytes of the whole file, with manifest and checksum, for ONNX Runtime.
        state: what an update needs, if training was asked for it; it is kept in its own file.
    """

    manifest: Manifest
    model: bytes
    state: State | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"Artifact({self.manifest.title()}, {len(self.model) / 2**20:.1f} MiB)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file to `path`, and its state beside it if it has one. Each is written completely or not at all.

        Both are completely on the disk before either gets its name, the state first. So a full disk leaves neither.

        Raises:
            FlawspotError: a file cannot be written.
        """
        with replacing(Path(path)) as temporary:
            with temporary.open("wb") as file:
                file.write(self.model)
                file.flush()
                os.fsync(file.fileno())
            if self.state is not None:
                self.state.save(beside(path))

    def recalibrated(self, false_alarm_rate: float, *, rule: str = "conformal") -> Artifact:
        """The same detector with the threshold for another false-alarm rate, set by the same good photographs.

        Args:
            false_alarm_rate: the share of good parts that may be called anomalous, in (0, 1).
            rule: ``conformal``, or ``pareto``: an estimate from a fitted tail, for rates that cannot be proved.

        Raises:
            ConfigurationError: a rate outside (0, 1), an unknown rule, or too few photographs for the rule.
        """
        return self._with(recalibrate(self.manifest.calibration, false_alarm_rate, rule=rule))

    def with_threshold(self, threshold: float) -> Artifact:
        """The same detector with a given threshold.

        Raises:
            ConfigurationError: the threshold is not a finite number.
        """
        return self._with(set_threshold(self.manifest.calibration, threshold))

    def with_smallest(self, found: FoundSizes) -> Artifact:
        """The same detector with a measurement by `flawspot.smallest_defect`, which replaces any earlier one.

        Raises:
            ConfigurationError: it was measured at another threshold.
        """
        threshold = self.manifest.calibration.threshold
        if found.threshold != threshold:
            raise ConfigurationError(
                f"this was measured at the threshold {found.threshold:.6g}, and the detector has {threshold:.6g}: "
                "measure it again"
            )
        return assemble(self.model, dataclasses.replace(self.manifest, smallest=found))

    def _with(self, calibration: CalibrationInfo) -> Artifact:
        smallest = self.manifest.smallest
        if smallest is not None and smallest.threshold != calibration.threshold:
            smallest = None  # it was measured at the old threshold
        return assemble(self.model, dataclasses.replace(self.manifest, calibration=calibration, smallest=smallest))


def assemble(model: bytes, manifest: Manifest) -> Artifact:
    """Put `manifest`, bound to the graph by its hash, and a checksum into the metadata of ONNX model `model`.

    A manifest and a signature that `model` already holds are replaced; other metadata are kept.
    """
    if manifest.schema_version > 1:
        manifest = dataclasses.replace(manifest, graph_sha256=graph_sha256(model))
    text = manifest.to_json()
    own = [metadata_entry(MANIFEST_KEY, text), metadata_entry(CHECKSUM_KEY, _hashes(model, text)[1])]
    return Artifact(manifest, b"".join([*_own_left_out(model), *own]))


def signed(artifact: Artifact, signature: str) -> Artifact:
    """The artifact with `signature`, which replaces any that it has."""
    entries = own_metadata(artifact.model)
    own = [metadata_entry(key, entries[key]) for key in (MANIFEST_KEY, CHECKSUM_KEY)]
    own.append(metadata_entry(SIGNATURE_KEY, signature))
    return Artifact(artifact.manifest, b"".join([*_own_left_out(artifact.model), *own]))


def no_such_file(path: Path) -> ArtifactError:
    """The error where an artifact's file is missing."""
    return ArtifactError(f"there is no file {path}: give the .onnx file that `flawspot train` wrote with -o")


def read(path: str | Path) -> Artifact:
    """Read and verify the artifact at `path`.

    Raises:
        ArtifactError: no such file, not an ONNX model, not made by flawspot, of a newer schema, or damaged; or a model
            with parts that no detector has (`flawspot.runtime.onnx_checks`).
    """
    path = Path(path)
    try:
        _check_kind(path)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{path} is no flawspot artifact: {size} bytes are more than an ONNX file has")
        with path.open("rb") as file:
            if size > LARGE:
                _glance(file, path)
            model = file.read(size)
    except FileNotFoundError:
        raise no_such_file(path) from None
    except (OSError, ValueError) as error:  # a name may hold characters that the system refuses
        raise ArtifactError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return verified(model)
    except ArtifactError as error:
        cure = "; it is a state: give the .onnx file beside it" if path.suffix == ".state" else ""
        raise ArtifactError(f"{path} cannot be used: {error}{cure}") from None


def verified(model: bytes) -> Artifact:
    """The artifact with the bytes `model`.

    Raises:
        ArtifactError: as for `read`.
    """
    return Artifact(_verify(model), model)


def _glance(file: IO[bytes], path: Path) -> None:
    """Refuse a file that is not an artifact before it is in memory. A sparse file can claim gigabytes at no cost. Only
    the few pages with its structure are read here. The file is checked again once it is read."""
    try:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # a file that cannot be mapped is read
        return
    # An error's traceback holds views into the map, so `close` would fail. It is closed with the last view.
    try:
        check_model(view)
        if MANIFEST_KEY not in own_metadata(view):
            raise ArtifactError(_NO_MANIFEST)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used: {error}") from None


def _check_kind(path: Path) -> None:
    """Refuse pipes and devices: reading them may take forever, or all memory."""
    kind = special_kind(path)
    if kind is not None:
        raise ArtifactError(f"{path} is {kind}: give the .onnx file that `flawspot train` wrote with -o")


def graph_sha256(model: bytes) -> str:
    """The sha256 of an ONNX model without flawspot's metadata. It is equal exactly if two detectors compute the
    same."""
    return _hashes(model, "")[0]


def content_sha256(model: bytes) -> str:
    """The checksum of an artifact's file: the sha256 over graph and manifest, recomputed."""
    return _hashes(model, own_metadata(model)[MANIFEST_KEY])[1]


def own_metadata(model: bytes | mmap.mmap) -> dict[str, str]:
    """Manifest, checksum and signature in the file, by their keys; the last one of each."""
    entries = (_read_entry(payload) for number, _, _, payload in fields(model) if number == _METADATA_PROPS)
    return {key: value for key, value in entries if key in _OWN}


def _verify(model: bytes) -> Manifest:
    # Checked first, because the time and memory of the next steps depend on the number of fields.
    check_model(model)
    metadata = own_metadata(model)
    if MANIFEST_KEY not in metadata:
        raise ArtifactError(_NO_MANIFEST)
    text = metadata[MANIFEST_KEY]
    # The schema is checked before the checksum, as a newer flawspot may compute the checksum differently.
    manifest = Manifest.from_json(text)
    graph, checksum = _hashes(model, text)
    if metadata.get(CHECKSUM_KEY) != checksum:
        raise ArtifactError("it is damaged, its checksum does not fit its content: copy or train it again")
    if manifest.schema_version > 1 and manifest.graph_sha256 != graph:
        raise ArtifactError("its manifest belongs to another graph: train it again")
    return manifest


def _hashes(model: bytes, manifest: str) -> tuple[str, str]:
    """The sha256 of the graph, and the checksum of graph and manifest, in one pass, because a device may be slow."""
    digest = hashlib.sha256()
    for piece in _own_left_out(model):
        digest.update(piece)
    graph = digest.hexdigest()
    digest.update(b"\0" + manifest.encode())
    return graph, digest.hexdigest()


def _own_left_out(model: bytes) -> Iterator[memoryview]:
    """The file without flawspot's metadata, as pieces of `model` that are not copied, as memory may be short."""
    view = memoryview(model)
    start = 0
    for number, _, place, payload in fields(model):
        if number == _METADATA_PROPS and _read_entry(payload)[0] in _OWN:
            yield view[start : place.start]
            start = place.stop
    yield view[start:]


def _read_entry(payload: memoryview) -> tuple[str, str]:
    """Key (field 1) and value (field 2) of a StringStringEntryProto."""
    parts = {number: bytes(value) for number, _, _, value in fields(payload)}
    return parts.get(1, b"").decode(errors="replace"), parts.get(2, b"").decode(errors="replace")


def metadata_entry(key: str, value: str) -> bytes:
    """A metadata_props field of a ModelProto."""
    return delimited(_METADATA_PROPS, delimited(1, key.encode()) + delimited(2, value.encode()))
