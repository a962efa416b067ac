"""A photograph with its heat map, verdict and score, as `predict --out` and the demo write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.files import replacing
from flawspot.runtime.overlay import overlay
from flawspot.runtime.prediction import Prediction


def picture(image: NDArray[np.uint8], prediction: Prediction) -> Image.Image:
    """The photograph, (H, W, 3), beside its heat map, with boxes, verdict and score."""
    verdict = "anomalous" if prediction.is_anomalous else "good"
    caption = (
        f"{verdict}   score {prediction.score:.4g} (threshold {prediction.threshold:.4g})   p {prediction.p_value:.3f}"
    )
    return overlay(
        image,
        prediction.map,
        prediction.calibration.pixel_threshold,
        boxes=prediction.boxes,
        caption=caption,
        is_anomalous=prediction.is_anomalous,
    )


def write_picture(path: Path, image: Image.Image) -> None:
    """Write a PNG as a whole or not at all.

    Raises:
        FlawspotError: the file cannot be written.
    """
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")
