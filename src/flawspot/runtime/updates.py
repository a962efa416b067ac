"""What a manifest says of the updates that a detector went through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UpdateInfo:
    """An update that a detector went through.

    Attributes:
        created: when, in ISO 8601, UTC.
        graph_sha256: of the detector that was updated.
        fingerprint: of the photographs that it was given.
        images, validation_images: new ones that were learned from, and held out to choose the epoch.
        calibration_images: new ones that were held out for the threshold.
    """

    created: str
    graph_sha256: str
    fingerprint: str
    images: int
    validation_images: int
    calibration_images: int


def wrong_in_update(update: UpdateInfo) -> bool:
    """Whether a value is one that no update gives."""
    return min(update.images, update.validation_images, update.calibration_images) < 0
