"""The .onnx file as a contract: an ordinary ONNX model whose metadata holds the manifest and a checksum.

Input ``image``: uint8, (N, H, W, 3), RGB, any N, H, W. Outputs ``anomaly_map``: float32, (N, S, S), and ``score``:
float32, (N,); larger is more anomalous.

The file is read and its metadata rewritten without the onnx package: an ONNX file is a protobuf message, and of that
only the outermost layer (ModelProto, onnx/onnx.proto) is looked at here.
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
"""A protobuf message cannot be larger."""

LARGE = 256 << 20
"""Bytes of a file that is looked at before it is read. Detectors may have nearly 2 GB, as PaDiM on WideResNet-50-2."""

_METADATA_PROPS = 14
_NO_MANIFEST = "it is an ONNX model, but not one of flawspot: it holds no manifest"


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
        state: what an update needs, where training was asked for it; a file of its own.
    """

    manifest: Manifest
    model: bytes
    state: State | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"Artifact({self.manifest.title()}, {len(self.model) / 2**20:.1f} MiB)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file to `path`, as a whole or not at all, and beside it its state, where it has one.

        Both are whole on the disk before either takes its place, the state first: a full disk leaves neither.

        Raises:
            FlawspotError: it cannot be written.
        """
        with replacing(Path(path)) as temporary:
            with temporary.open("wb") as file:
                file.write(self.model)
                file.flush()
                os.fsync(file.fileno())
            if self.state is not None:
                self.state.save(beside(path))

    def recalibrated(self, false_alarm_rate: float, *, rule: str = "conformal") -> Artifact:
        """The same detector with the threshold for another false-alarm rate, from the same good photographs.

        Args:
            false_alarm_rate: the share of good parts that may be called anomalous, in (0, 1).
            rule: ``conformal``, or ``pareto``: an estimate by a smooth tail, where no proof reaches.

        Raises:
            ConfigurationError: a rate outside (0, 1), an unknown rule, or too few photographs for it.
        """
        return self._with(recalibrate(self.manifest.calibration, false_alarm_rate, rule=rule))

    def with_threshold(self, threshold: float) -> Artifact:
        """The same detector with a threshold that was chosen in another way.

        Raises:
            ConfigurationError: it is not a finite number.
        """
        return self._with(set_threshold(self.manifest.calibration, threshold))

    def with_smallest(self, found: FoundSizes) -> Artifact:
        """The same detector with what `flawspot.smallest_defect` has measured of it, in the place of any that it has.

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
            smallest = None  # at another threshold other sizes are found
        return assemble(self.model, dataclasses.replace(self.manifest, calibration=calibration, smallest=smallest))


def assemble(model: bytes, manifest: Manifest) -> Artifact:
    """Put `manifest`, bound to the graph by its hash, and a checksum into the metadata of ONNX model `model`.

    A manifest and a signature that `model` already carries are left out; other metadata are kept.
    """
    if manifest.schema_version > 1:
        manifest = dataclasses.replace(manifest, graph_sha256=graph_sha256(model))
    text = manifest.to_json()
    own = [metadata_entry(MANIFEST_KEY, text), metadata_entry(CHECKSUM_KEY, _hashes(model, text)[1])]
    return Artifact(manifest, b"".join([*_own_left_out(model), *own]))


def signed(artifact: Artifact, signature: str) -> Artifact:
    """The artifact with `signature`, in the place of any that it has."""
    entries = own_metadata(artifact.model)
    own = [metadata_entry(key, entries[key]) for key in (MANIFEST_KEY, CHECKSUM_KEY)]
    own.append(metadata_entry(SIGNATURE_KEY, signature))
    return Artifact(artifact.manifest, b"".join([*_own_left_out(artifact.model), *own]))


def read(path: str | Path) -> Artifact:
    """Read and verify the artifact at `path`.

    Raises:
        ArtifactError: no such file, not an ONNX model, not ours, of a newer schema, or damaged; or a model that asks
            for what no detector has (`flawspot.runtime.onnx_checks`).
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
        raise ArtifactError(
            f"there is no file {path}: give the .onnx file that `flawspot train` wrote with -o"
        ) from None
    except (OSError, ValueError) as error:  # a name may hold what the system refuses
        raise ArtifactError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return verified(model)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used: {error}") from None


def verified(model: bytes) -> Artifact:
    """The artifact whose file has the bytes `model`.

    Raises:
        ArtifactError: as `read`.
    """
    return Artifact(_verify(model), model)


def _glance(file: IO[bytes], path: Path) -> None:
    """Refuse what is no artifact of ours before it is in memory. Of a file that claims gigabytes, as one with holes
    does at no cost, nothing is read but the few pages that hold its structure. What is read later is checked again.
    """
    try:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # where a file cannot be mapped, it is read
        return
    # The views into it that an error's traceback holds would keep `close` from closing it; it goes with the last.
    try:
        check_model(view)
        if MANIFEST_KEY not in own_metadata(view):
            raise ArtifactError(_NO_MANIFEST)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used: {error}") from None


def _check_kind(path: Path) -> None:
    """Reading a pipe may take for ever, and a device all memory."""
    kind = special_kind(path)
    if kind is not None:
        raise ArtifactError(f"{path} is {kind}: give the .onnx file that `flawspot train` wrote with -o")


def graph_sha256(model: bytes) -> str:
    """The sha256 of an ONNX model without flawspot's metadata: equal exactly where two detectors compute the same."""
    return _hashes(model, "")[0]


def content_sha256(model: bytes) -> str:
    """The sha256 over the graph and the manifest of an artifact's file: its checksum, computed anew."""
    return _hashes(model, own_metadata(model)[MANIFEST_KEY])[1]


def own_metadata(model: bytes | mmap.mmap) -> dict[str, str]:
    """Manifest, checksum and signature as they stand in the file, by their keys; the last of each."""
    entries = (_read_entry(payload) for number, _, _, payload in fields(model) if number == _METADATA_PROPS)
    return {key: value for key, value in entries if key in _OWN}


def _verify(model: bytes) -> Manifest:
    # First of all, for what follows takes time and memory by the number of fields.
    check_model(model)
    metadata = own_metadata(model)
    if MANIFEST_KEY not in metadata:
        raise ArtifactError(_NO_MANIFEST)
    text = metadata[MANIFEST_KEY]
    # First the schema, then the checksum: a newer flawspot may compute it in another way.
    manifest = Manifest.from_json(text)
    graph, checksum = _hashes(model, text)
    if metadata.get(CHECKSUM_KEY) != checksum:
        raise ArtifactError("it is damaged, its checksum does not fit its content: copy or train it again")
    if manifest.schema_version > 1 and manifest.graph_sha256 != graph:
        raise ArtifactError("its manifest belongs to another graph: train it again")
    return manifest


def _hashes(model: bytes, manifest: str) -> tuple[str, str]:
    """The sha256 of the graph, and the checksum of graph and manifest, in one pass: a device may be slow."""
    digest = hashlib.sha256()
    for piece in _own_left_out(model):
        digest.update(piece)
    graph = digest.hexdigest()
    digest.update(b"\0" + manifest.encode())
    return graph, digest.hexdigest()


def _own_left_out(model: bytes) -> Iterator[memoryview]:
    """The file but for flawspot's metadata, in pieces that lie in `model`: it is large, and memory may be little."""
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
