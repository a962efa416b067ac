"""What an artifact says of itself: all about a detector that is not a tensor, as one JSON object with a schema."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any

from flawspot.errors import ArtifactError

SCHEMA_VERSION = 1
"""Raised when a reader of the old schema would misunderstand the new one. New optional fields do not raise it."""

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
        threshold: an image whose score is above it is anomalous.
        pixel_threshold: the same for the maximum of the anomaly map; draws the boxes.
        scores: of each held-out image, ascending.
        map_maxima: the largest value of each held-out image's anomaly map, ascending.
    """

    false_alarm_rate: float
    promised_rate: float
    threshold: float
    pixel_threshold: float
    scores: tuple[float, ...]
    map_maxima: tuple[float, ...]


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
class Manifest:
    """Everything about a detector that is not a tensor."""

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
    schema_version: int = SCHEMA_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists, fit for JSON."""
        return dataclasses.asdict(self)

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
            raise ArtifactError(f"its manifest is not readable JSON ({error})") from None
        version = data.get("schema_version") if isinstance(data, dict) else None
        if not isinstance(version, int):
            raise ArtifactError("its manifest names no schema version")
        if version > SCHEMA_VERSION:
            raise ArtifactError(
                f"it was written by a newer flawspot (schema {version}; this one reads up to {SCHEMA_VERSION}): "
                "update with `pip install -U flawspot`"
            )
        manifest: Manifest = _read(cls, data, "manifest")
        return manifest


def _read(kind: Any, value: Any, where: str) -> Any:
    """Turn parsed JSON into `kind`, checking every type on the way."""
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
    if origin is tuple and isinstance(value, list):
        return tuple(_read(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _read(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin in (typing.Union, types.UnionType) and any(_is(option, value) for option in inner):
        return value
    if kind is float and _is(int, value):
        return float(value)
    if origin is None and _is(kind, value):
        return value
    raise ArtifactError(f"its manifest is damaged: {where} has the wrong type")


def _is(kind: Any, value: Any) -> bool:
    """Whether JSON value `value` is exactly of `kind`; True is no int here."""
    return type(value) is (type(None) if kind in (None, type(None)) else kind)
