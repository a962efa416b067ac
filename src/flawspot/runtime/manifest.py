"""What an artifact says of itself: all about a detector that is not a tensor, as one JSON object with a schema."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any

from flawspot.errors import ArtifactError

SCHEMA_VERSION = 2
"""Raised when a reader of the old schema would misunderstand the new one. New optional fields do not raise it.

Schema 1 had a threshold of its own for the map. Such artifacts load, keep it, and stay of schema 1 when rewritten.
"""

MAX_ITEMS = 20_000
"""Of a list or an object in a manifest: scores of held-out photographs, names of skipped files."""
MAX_NUMBER = 2.0**63
"""No number of a manifest is larger."""

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class BackboneInfo:
    """The backbone that the features come from.

    Attributes:
        name: the registered name.
        layers: as the user asked for them, such as ``paste``.
        taps: the block indices that stands for.
        weights: the name of the pretrained weights.
        weights_sha256: of the file they were read from.
        mean, std: the normalisation of RGB / 255 inside the graph.
    """

    name: str
    layers: str
    taps: tuple[int, ...]
    weights: str
    weights_sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class TrainingInfo:
    """The photographs and the run that made the detector.

    Attributes:
        fingerprint: sha256 over the names and contents of all training photographs.
        images: how many served for fitting.
        validation_images: good images held out to choose the epoch.
        calibration_images: good images held out for the threshold, and for nothing else.
        skipped: names of files that could not be read.
        seconds: by phase.
        best_epoch: the epoch kept, counted from 1; None for methods without epochs.
    """

    fingerprint: str
    images: int
    validation_images: int
    calibration_images: int
    skipped: tuple[str, ...]
    seconds: dict[str, float]
    best_epoch: int | None = None


@dataclass(frozen=True)
class CalibrationInfo:
    """The threshold, and the scores of held-out good images that it came from; see `flawspot.runtime.calibration`.

    Attributes:
        false_alarm_rate: as asked for, in (0, 1).
        promised_rate: the rate that this many images can promise, never below the asked one.
        threshold: an image whose score is above it is anomalous, and so is a place whose value in the map is above it.
        scores: of each held-out image, ascending. A score is the maximum of the map.
        pixel_threshold: of artifacts of schema 1 alone: the threshold of the map, where the score was not its maximum.
        map_maxima: of artifacts of schema 1 alone: the maximum of each held-out image's map, ascending.
    """

    false_alarm_rate: float
    promised_rate: float
    threshold: float
    scores: tuple[float, ...]
    pixel_threshold: float | None = None
    map_maxima: tuple[float, ...] = ()

    @property
    def region_threshold(self) -> float:
        """What the map is compared with: a region is where it is above."""
        return self.threshold if self.pixel_threshold is None else self.pixel_threshold


@dataclass(frozen=True)
class Part:
    """One named part of a detector and what it costs.

    Attributes:
        name: such as ``backbone`` or ``memory bank``.
        bytes: of its constants in the artifact, at their stored precision.
        macs: multiply-accumulates for one image.
    """

    name: str
    bytes: int
    macs: int


@dataclass(frozen=True)
class SelfTest:
    """What the detector says of a generated picture; see `flawspot.runtime.self_test`.

    Attributes:
        score: of it.
        map_means: of the map, in equal squares row by row.
        tolerance: how far another machine may be from it, relative to the largest of these.
    """

    score: float
    map_means: tuple[float, ...]
    tolerance: float


@dataclass(frozen=True)
class Manifest:
    """Everything about a detector that is not a tensor.

    Attributes:
        product: the name of the folder of photographs.
        method, hyperparameters, seed: how it was trained.
        input_size: side S of the square that photographs are resized to, and of the map, in pixels.
        backbone, training, calibration: see there.
        parts: what the detector stores and computes.
        versions: of the packages that made it.
        created: when, in ISO 8601, UTC.
        self_test: what a machine must compute to be trusted with it; None in artifacts that are older than that.
        graph_sha256: of the model without flawspot's metadata, so that the manifest belongs to this graph alone; empty
            in artifacts of schema 1.
        schema_version: see `SCHEMA_VERSION`.
    """

    product: str
    method: str
    hyperparameters: dict[str, Scalar]
    seed: int
    input_size: int
    backbone: BackboneInfo
    training: TrainingInfo
    calibration: CalibrationInfo
    parts: tuple[Part, ...]
    versions: dict[str, str]
    created: str
    self_test: SelfTest | None = None
    graph_sha256: str = ""
    schema_version: int = SCHEMA_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists, fit for JSON."""
        data = dataclasses.asdict(self)
        if self.calibration.pixel_threshold is None:
            del data["calibration"]["pixel_threshold"], data["calibration"]["map_maxima"]
        return data

    def title(self) -> str:
        """What the detector is, in a few words: method, backbone, layers and input size."""
        taps = ", ".join(map(str, self.backbone.taps))
        return f"{self.method} on {self.backbone.name}, layers {taps}, input {self.input_size} x {self.input_size}"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read and check a manifest. Unknown fields are ignored: a newer flawspot may have added them.

        Raises:
            ArtifactError: not JSON, of a newer schema, or a field missing or of the wrong type.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"its manifest is not readable JSON ({str(error)[:100]})") from None
        version = data.get("schema_version") if isinstance(data, dict) else None
        if type(version) is not int or version < 1:
            raise ArtifactError("its manifest names no schema version")
        if version > SCHEMA_VERSION:
            raise ArtifactError(
                f"it was written by a newer flawspot (schema {version}; this one reads up to {SCHEMA_VERSION}): "
                "update with `pip install -U flawspot`"
            )
        manifest: Manifest = _read(cls, data, "manifest")
        if version == 1 and manifest.calibration.pixel_threshold is None:
            raise ArtifactError("its manifest is damaged: manifest.calibration.pixel_threshold is missing")
        check_values(manifest)
        return manifest


def check_values(manifest: Manifest) -> None:
    """Refuse values that no detector has, whatever their type.

    Raises:
        ArtifactError: a value out of its range; names it.
    """
    calibration, backbone = manifest.calibration, manifest.backbone
    scores, maxima = calibration.scores, calibration.map_maxima
    taps = backbone.taps
    wrong = {
        "input_size": not 1 <= manifest.input_size <= 4096,
        "backbone.taps": not taps or len(taps) > 100 or list(taps) != sorted(set(taps)) or not 0 <= taps[0] <= 10_000,
        "backbone.mean": len(backbone.mean) != 3,
        "backbone.std": len(backbone.std) != 3 or min(backbone.std, default=0) <= 0,
        "calibration.false_alarm_rate": not 0 < calibration.false_alarm_rate < 1,
        "calibration.promised_rate": not 0 < calibration.promised_rate <= 1,
        "calibration.scores": not scores or list(scores) != sorted(scores),
        "calibration.threshold": calibration.threshold not in scores,
        "calibration.map_maxima": list(maxima) != sorted(maxima),
        "calibration.pixel_threshold": calibration.pixel_threshold is not None
        and calibration.pixel_threshold not in maxima,
        "parts": len(manifest.parts) > 1000 or any(part.bytes < 0 or part.macs < 0 for part in manifest.parts),
        "training": min(manifest.training.images, manifest.training.calibration_images) < 0,
        "self_test": manifest.self_test is not None and not 0 < manifest.self_test.tolerance < 1,
    }
    for where, is_wrong in wrong.items():
        if is_wrong:
            raise ArtifactError(f"its manifest is damaged: manifest.{where} has a value that no detector has")


def _read(kind: Any, value: Any, where: str) -> Any:
    """Turn parsed JSON into `kind`, checking every type on the way."""
    if isinstance(value, str) and not _is_text(value):
        raise ArtifactError(f"its manifest is damaged: {where} is no text")
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise ArtifactError(f"its manifest is damaged: {where} is not an object")
        hints = typing.get_type_hints(kind)
        arguments = {}
        for field in dataclasses.fields(kind):
            if field.name in value:
                arguments[field.name] = _read(hints[field.name], value[field.name], f"{where}.{field.name}")
            elif field.default is dataclasses.MISSING:
                raise ArtifactError(f"its manifest is damaged: {where}.{field.name} is missing")
        return typing.cast(Any, kind)(**arguments)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, list | dict) and len(value) > MAX_ITEMS:
        raise ArtifactError(f"its manifest is damaged: {where} has more than {MAX_ITEMS:,} items")
    if origin is tuple and isinstance(value, list):
        return tuple(_read(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _read(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    options = inner if origin in (typing.Union, types.UnionType) else (kind,)
    if type(value) in (int, float) and not abs(value) <= MAX_NUMBER:
        raise ArtifactError(f"its manifest is damaged: {where} is not a finite number of ordinary size")
    if any(dataclasses.is_dataclass(option) for option in options) and isinstance(value, dict):
        return _read(next(option for option in options if dataclasses.is_dataclass(option)), value, where)
    if any(_is(option, value) for option in options):
        return value
    if float in options and _is(int, value):
        return float(value)
    raise ArtifactError(f"its manifest is damaged: {where} has the wrong type")


def _is(kind: Any, value: Any) -> bool:
    """Whether JSON value `value` is exactly of `kind`; True is no int here."""
    return type(value) is (type(None) if kind in (None, type(None)) else kind)


def _is_text(value: str) -> bool:
    """Whether there are no halves of surrogate pairs, which JSON can name and no encoding has."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
