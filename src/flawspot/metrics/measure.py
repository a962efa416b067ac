"""Computes all figures of a detector on one test set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.metrics.curves import AUPRO_LIMIT, Curves, rank_scores
from flawspot.metrics.pixels import rank_pixels

NO_MASKS = "not every defective photograph has a mask"
"""The reason why figures at pixel level are unknown."""


@dataclass(frozen=True)
class Metrics:
    """Figures in 0..1, None where undefined, and counts.

    Without good or without defective images, figures that compare the two are unknown. Only the share of false alarms
    or the recall, and the counts, are known.

    Attributes:
        image_auroc, image_ap, image_f1_max: over all thresholds of the image score.
        pixel_auroc, pixel_ap, pixel_f1_max: over all thresholds of the anomaly map.
        pixel_aupro: area under the per-region overlap up to a false-positive rate of 0.3, not rescaled: 0.3 is perfect.
        pixel_aupro_normalized: the same divided by 0.3, as many papers report it: 1 is perfect.
        image_f1, image_precision, image_recall, image_false_alarm_rate: at the shipped threshold.
        images, good_images, defective_images: of the test set.
        regions: connected defects in the masks.
        pixels, defective_pixels: at the size of the anomaly map.
        true_positives, false_positives, true_negatives, false_negatives: images at the shipped threshold.
    """

    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    pixel_aupro: float | None
    pixel_aupro_normalized: float | None
    image_f1: float | None
    image_precision: float | None
    image_recall: float | None
    image_false_alarm_rate: float | None
    images: int
    good_images: int
    defective_images: int
    regions: int
    pixels: int
    defective_pixels: int
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def undefined(self) -> dict[str, str]:
        """Why a figure is None, by its name, in a few words."""
        missing = [name for name, value in self.as_dict().items() if value is None]
        return {name: self._reason(name) for name in missing}

    def _reason(self, name: str) -> str:
        if name == "image_recall" or (not self.defective_images and name != "image_false_alarm_rate"):
            return "there are no defective photographs"
        if not self.good_images:
            return "there are no good photographs"
        if name.startswith("pixel"):
            return "no pixel is marked, at the size of the anomaly map" if self.pixels else NO_MASKS
        return "no photograph was called anomalous"

    def as_dict(self) -> dict[str, float | int | None]:
        """Name and value, in the order above."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class PixelMetrics:
    """Figures at pixel level only, in 0..1, and counts.

    Attributes:
        pixel_auroc, pixel_ap, pixel_f1_max: over all thresholds of the anomaly map.
        pixel_aupro, pixel_aupro_normalized: as in `Metrics`.
        regions: connected defects in the masks.
        pixels, defective_pixels: the compared pixels.
    """

    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    pixel_aupro: float | None
    pixel_aupro_normalized: float | None
    regions: int
    pixels: int
    defective_pixels: int

    @classmethod
    def of(cls, curves: Curves, *, both: bool) -> PixelMetrics:
        """Compute the figures from ranked pixels. `both` tells whether there are good and defective photographs. If
        not, no figure is known."""
        aupro = curves.aupro if both else None
        return cls(
            pixel_auroc=curves.auroc if both else None,
            pixel_ap=curves.average_precision if both else None,
            pixel_f1_max=curves.f1_max if both else None,
            pixel_aupro=aupro,
            pixel_aupro_normalized=None if aupro is None else aupro / AUPRO_LIMIT,
            regions=curves.regions,
            pixels=curves.positives + curves.negatives,
            defective_pixels=curves.positives,
        )

    def as_dict(self) -> dict[str, float | int | None]:
        """Name and value, in the order above."""
        return dataclasses.asdict(self)


_WITHOUT_PIXELS = PixelMetrics(None, None, None, None, None, 0, 0, 0)


def measure(
    scores: NDArray[np.floating],
    maps: NDArray[np.float32] | None,
    labels: NDArray[np.bool_],
    masks: NDArray[np.bool_] | None,
    threshold: float,
    *,
    pixels: Curves | None = None,
) -> Metrics:
    """Measure a detector.

    Args:
        scores: (N,) image scores.
        maps: (N, S, S) anomaly maps; None, like `masks`, for image-level figures only.
        labels: (N,) True where the image is defective.
        masks: (N, S, S) True where a pixel is defective.
        threshold: an image whose score is above it is called anomalous.
        pixels: the pixel-level figures from a `PixelScores`, for sets that do not fit in memory; `maps` and `masks` are
            then ignored.

    Raises:
        DataError: there are no images, a score or map is not a number, or maps and masks differ in shape.
    """
    image = rank_scores(scores, labels)
    both = bool(labels.any() and not labels.all())
    called = scores > threshold
    true_positives, false_positives = int((called & labels).sum()), int((called & ~labels).sum())
    false_negatives, true_negatives = int((~called & labels).sum()), int((~called & ~labels).sum())
    if pixels is None and maps is not None and masks is not None:
        pixels = rank_pixels(maps, masks)
    at_pixels = PixelMetrics.of(pixels, both=both) if pixels else _WITHOUT_PIXELS
    return Metrics(
        image_auroc=image.auroc,
        image_ap=image.average_precision if both else None,
        image_f1_max=image.f1_max if both else None,
        pixel_auroc=at_pixels.pixel_auroc,
        pixel_ap=at_pixels.pixel_ap,
        pixel_f1_max=at_pixels.pixel_f1_max,
        pixel_aupro=at_pixels.pixel_aupro,
        pixel_aupro_normalized=at_pixels.pixel_aupro_normalized,
        image_f1=_ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives) if both else None,
        image_precision=_ratio(true_positives, true_positives + false_positives) if both else None,
        image_recall=_ratio(true_positives, true_positives + false_negatives),
        image_false_alarm_rate=_ratio(false_positives, false_positives + true_negatives),
        images=len(labels),
        good_images=int((~labels).sum()),
        defective_images=int(labels.sum()),
        regions=at_pixels.regions,
        pixels=at_pixels.pixels,
        defective_pixels=at_pixels.defective_pixels,
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=true_negatives,
        false_negatives=false_negatives,
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
