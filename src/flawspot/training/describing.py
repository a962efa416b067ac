"""Makes the manifest of a trained detector."""

from __future__ import annotations

from flawspot.provenance import now, versions
from flawspot.runtime.manifest import CalibrationInfo, Manifest, SelfTest, TrainingInfo
from flawspot.training.configuration import Configuration
from flawspot.training.photographs import Photographs


def describe(
    chosen: Configuration,
    photographs: Photographs,
    calibration: CalibrationInfo,
    tested: SelfTest,
    seconds: dict[str, float],
) -> Manifest:
    """The manifest: everything about the detector that is not a tensor."""
    method = chosen.method
    return Manifest(
        product=photographs.product,
        method=method.name,
        hyperparameters=method.hyperparameters(),
        seed=method.seed,
        input_size=chosen.view.height,
        geometry=None if chosen.view.plain else chosen.view,
        backbone=chosen.backbone_info(),
        training=TrainingInfo(
            fingerprint=photographs.fingerprint,
            images=len(photographs.fit),
            validation_images=len(photographs.validation),
            calibration_images=len(photographs.calibration),
            skipped=photographs.skipped,
            dropped=photographs.dropped,
            seconds=seconds,
            best_epoch=getattr(method, "best_epoch_", None),
        ),
        calibration=calibration,
        parts=chosen.parts(),
        versions=versions(),
        created=now("seconds"),
        self_test=tested,
        white=photographs.white,
        precision=chosen.precision,
        bits=photographs.bits,
    )
