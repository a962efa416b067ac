"""The manifest: everything about a detector that is not a tensor, as one JSON object with a schema."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any

from flawspot.errors import ArtifactError
from flawspot.runtime.calibrated_values import wrong_in_calibration
from flawspot.runtime.found_sizes import FoundSizes, wrong_in
from flawspot.runtime.json_reading import read_as
from flawspot.runtime.tolerated import Tolerated
from flawspot.runtime.updates import UpdateInfo, wrong_in_update
from flawspot.runtime.view import View

SCHEMA_VERSION = 3
"""Raised when a reader of the old schema would misunderstand the new one. New optional fields do not raise it.

Schema 1 had a separate threshold for the map. Such artifacts load, keep it, and stay of schema 1 when rewritten. Schema
3 has a geometry; a reader without it would squash photographs. Without a geometry, schema 2 is written.
"""

WITHOUT_GEOMETRY = 2

PRECISIONS = ("float32", "int8")
"""Number formats that networks compute in."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class BackboneInfo:
    """The backbone that features come from.

    Attributes:
        name: the registered name.
        layers: the layers as the user gave them, such as ``paste``.
        taps: the block indices of these layers.
        weights: the name of the pretrained weights.
        weights_sha256: sha256 of the file with the weights.
        mean, std: the normalisation of RGB / 255 in the graph.
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
    """The photographs and the training run of a detector.

    Attributes:
        fingerprint: sha256 over the names and contents of all training photographs.
        images: how many were used for fitting.
        validation_images: how many good images were held out to choose the epoch.
        calibration_images: how many good images were held out for the threshold only.
        skipped: files that could not be read, by their names below the folder.
        dropped: good photographs left out because they score unusually high, by their names below the folder.
        seconds: seconds of each phase.
        best_epoch: the epoch kept, counted from 1; None for methods without epochs.
    """

    fingerprint: str
    images: int
    validation_images: int
    calibration_images: int
    skipped: tuple[str, ...]
    seconds: dict[str, float]
    best_epoch: int | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class CalibrationInfo:
    """The threshold, and the scores of good images that it came from; see `flawspot.runtime.calibration`.

    Attributes:
        false_alarm_rate: the asked rate, in (0, 1).
        promised_rate: the rate that this many images can promise, never below the asked one.
        threshold: an image is anomalous if its score is above it, and a place is anomalous if its value in the map is
            above it.
        scores: score of each good image that the scoring detector had not learned from, ascending. A score is the
            maximum of the map.
        folds: number of folds. Each image was scored by a detector that learned from the other folds. 0: all were held
            out.
        groups: for each score, the number of the part that the image shows; empty if each shows a different part.
        names, hashes: for each score, the file's name below the folder, and the first 16 hexadecimal digits of its
            sha256; empty if not kept.
        rule: ``conformal``, ``pareto`` (an estimate), or ``value`` for a given threshold.
        pasted: scores of photographs with pasted defects, ascending; empty if none were made.
        tolerated: the variations that good images may have besides; None: none.
        pixel_threshold: only in artifacts of schema 1: the threshold of the map, where the score was not its maximum.
        map_maxima: only in artifacts of schema 1: the maximum of each held-out image's map, ascending.
    """

    false_alarm_rate: float
    promised_rate: float
    threshold: float
    scores: tuple[float, ...]
    pixel_threshold: float | None = None
    map_maxima: tuple[float, ...] = ()
    folds: int = 0
    groups: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    rule: str = "conformal"
    pasted: tuple[float, ...] = ()
    tolerated: Tolerated | None = None

    @property
    def as_taken(self) -> tuple[float, ...]:
        """`scores`, if they are of unchanged images; empty if they are of varied copies."""
        return () if self.tolerated is not None and self.tolerated.decisive else self.scores

    @property
    def pasted_found(self) -> float | None:
        """The share of pasted defects that the threshold finds, in [0, 1]; None without pasted defects."""
        return sum(score > self.threshold for score in self.pasted) / len(self.pasted) if self.pasted else None

    @property
    def region_threshold(self) -> float:
        """The threshold of the map: a region is where the map is above it."""
        return self.threshold if self.pixel_threshold is None else self.pixel_threshold


@dataclass(frozen=True)
class Part:
    """One named part of a detector and what it costs.

    Attributes:
        name: name of the part, such as ``backbone`` or ``memory bank``.
        bytes: bytes of its constants in the artifact, at their stored precision.
        macs: multiply-accumulates for one image.
    """

    name: str
    bytes: int
    macs: int


@dataclass(frozen=True)
class SelfTest:
    """The detector's results on a generated picture; see `flawspot.runtime.self_test`.

    Attributes:
        score: its score.
        map_means: means of its map over equal squares, row by row.
        tolerance: the allowed difference on another machine, relative to the largest of these values.
    """

    score: float
    map_means: tuple[float, ...]
    tolerance: float


@dataclass(frozen=True)
class Manifest:
    """Everything about a detector that is not a tensor.

    Attributes:
        product: name of the folder of photographs.
        method, hyperparameters, seed: how it was trained.
        input_size: side S in pixels of the square that photographs are resized to, and of the map. With a geometry, the
            height of the network's input.
        geometry: how a photograph is fitted to the input, unless the whole of it is squashed into a square; see `view`.
        backbone, training, calibration: see their classes.
        parts: what each part of the detector stores and computes.
        white: the value that is white in 16-bit photographs: 65535, or less for a camera with fewer bits.
        precision: the number format that networks compute in: ``float32`` or ``int8``.
        bits: bits of a channel in the training files, 8 or 16; None if there were both, or in older artifacts.
        smallest: the sizes of pasted defects that it finds at this threshold; None if not measured.
        versions: versions of the packages that made it.
        created: time of creation, in ISO 8601, UTC.
        self_test: the values that a machine must compute to be trusted with it; None in older artifacts.
        updates: the detector's updates, oldest first. `training` describes the first training.
        graph_sha256: sha256 of the model without flawspot's metadata, which binds the manifest to this graph; empty in
            artifacts of schema 1.
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
    white: int = 65535
    precision: str = "float32"
    bits: int | None = None
    smallest: FoundSizes | None = None
    graph_sha256: str = ""
    schema_version: int = WITHOUT_GEOMETRY
    geometry: View | None = None
    updates: tuple[UpdateInfo, ...] = ()

    def __post_init__(self) -> None:
        if self.geometry is not None and self.schema_version == WITHOUT_GEOMETRY:
            object.__setattr__(self, "schema_version", SCHEMA_VERSION)

    @property
    def view(self) -> View:
        """How the detector sees a photograph."""
        return View(self.input_size, self.input_size) if self.geometry is None else self.geometry

    def as_dict(self) -> dict[str, Any]:
        """The manifest as plain dicts and lists for JSON."""
        data = dataclasses.asdict(self)
        if self.calibration.pixel_threshold is None:
            del data["calibration"]["pixel_threshold"], data["calibration"]["map_maxima"]
        if self.calibration.tolerated is None:
            del data["calibration"]["tolerated"]
        if self.geometry is None:
            del data["geometry"]
        if not self.updates:
            del data["updates"]
        return data

    def title(self) -> str:
        """The detector in a few words: method, backbone, layers and input size."""
        taps = ", ".join(map(str, self.backbone.taps))
        rounded = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.method} on {self.backbone.name}, layers {taps}, input {self.view}{rounded}"

    def to_json(self) -> str:
        """The manifest as one line of JSON. Unpaired surrogates, which names of non-UTF-8 files have, become text."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)
        return _SURROGATE.sub(lambda found: rf"\\u{ord(found[0]):04x}", text)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read and check a manifest. Unknown fields are ignored: a newer flawspot may have added them.

        Raises:
            ArtifactError: it is not JSON, has a newer schema, or a field is missing or of the wrong type.
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
        manifest: Manifest = read_as(cls, data, "manifest")
        if version == 1 and manifest.calibration.pixel_threshold is None:
            raise ArtifactError("its manifest is damaged: manifest.calibration.pixel_threshold is missing")
        check_values(manifest)
        return manifest


def check_values(manifest: Manifest) -> None:
    """Refuse impossible values, whatever their type.

    Raises:
        ArtifactError: a value is out of its range; the message names it.
    """
    backbone = manifest.backbone
    taps = backbone.taps
    wrong = {
        "input_size": not 1 <= manifest.input_size <= 4096,
        "geometry": manifest.geometry is not None
        and (manifest.geometry.wrong() or manifest.geometry.height != manifest.input_size),
        "backbone.taps": not taps or len(taps) > 100 or list(taps) != sorted(set(taps)) or not 0 <= taps[0] <= 10_000,
        "backbone.mean": len(backbone.mean) != 3,
        "backbone.std": len(backbone.std) != 3 or min(backbone.std, default=0) <= 0,
        **wrong_in_calibration(manifest.calibration),
        "parts": len(manifest.parts) > 1000 or any(part.bytes < 0 or part.macs < 0 for part in manifest.parts),
        "training": min(manifest.training.images, manifest.training.calibration_images) < 0,
        "updates": any(map(wrong_in_update, manifest.updates)),
        "precision": manifest.precision not in PRECISIONS,
        "white": not 255 <= manifest.white <= 65535,
        "bits": manifest.bits not in (None, 8, 16),
        "self_test": manifest.self_test is not None and not 0 < manifest.self_test.tolerance < 1,
        "smallest": manifest.smallest is not None and wrong_in(manifest.smallest, manifest.calibration.threshold),
    }
    for where, is_wrong in wrong.items():
        if is_wrong:
            raise ArtifactError(f"its manifest is damaged: manifest.{where} has an impossible value")
