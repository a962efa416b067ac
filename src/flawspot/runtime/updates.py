"""The manifest's entry for each update of a detector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UpdateInfo:
    """One update of a detector.

    Attributes:
        created: time of creation, in ISO 8601, UTC.
        graph_sha256: hash of the graph of the detector that was updated.
        fingerprint: fingerprint of the new photographs.
        images, validation_images: how many new ones were learned from, and how many were held out to choose the epoch.
        calibration_images: how many new ones were held out for the threshold.
        warnings: what a person should know before approving it, one line each; see `flawspot.updating.Report`.
    """

    created: str
    graph_sha256: str
    fingerprint: str
    images: int
    validation_images: int
    calibration_images: int
    warnings: tuple[str, ...] = ()


def wrong_in_update(update: UpdateInfo) -> bool:
    """Whether no update gives this value."""
    return min(update.images, update.validation_images, update.calibration_images) < 0
