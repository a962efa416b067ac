"""What a detector says of one photograph."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flawspot.runtime.calibration import p_value
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.regions import bounding_boxes, label_regions


@dataclass(frozen=True, eq=False)
class Prediction:
    """The anomaly of one photograph: how much, where, and whether it is too much.

    Attributes:
        score: larger is more anomalous; its scale is the method's own.
        map: (S, S) float32, the anomaly of each pixel of the photograph resized to S x S.
        image_size: (width, height) of the photograph in pixels.
        calibration: the scores of good images that `p_value` and the thresholds come from.
        seconds: that the detector took, decoding not counted.
    """

    score: float
    map: NDArray[np.float32] = field(repr=False)
    image_size: tuple[int, int]
    calibration: CalibrationInfo = field(repr=False)
    seconds: float = 0.0

    @property
    def threshold(self) -> float:
        """A score above it is anomalous."""
        return self.calibration.threshold

    @property
    def is_anomalous(self) -> bool:
        """The verdict at the threshold of the artifact."""
        return self.score > self.calibration.threshold

    @property
    def p_value(self) -> float:
        """The chance that a good part scores as high, in (0, 1]; see `flawspot.runtime.calibration`."""
        return p_value(self.score, self.calibration.scores)

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Boxes around the anomalous regions, in pixels of the photograph: (left, top, right, bottom), right and bottom
        exclusive; the most anomalous first.

        A region is where the map is above what good images reach (`CalibrationInfo.pixel_threshold`).
        """
        labels, count = label_regions(self.map > self.calibration.pixel_threshold)
        if not count:
            return []
        peaks = np.zeros(count + 1, np.float32)
        np.maximum.at(peaks, labels.ravel(), self.map.ravel())
        width, height = self.image_size
        columns, rows = self.map.shape[1], self.map.shape[0]
        # Whole numbers, rounded outwards: a float may round past the photograph's edge.
        boxes = [
            (left * width // columns, top * height // rows, -(-right * width // columns), -(-bottom * height // rows))
            for left, top, right, bottom in bounding_boxes(labels, count)
        ]
        return [boxes[i] for i in np.argsort(-peaks[1:], kind="stable")]
