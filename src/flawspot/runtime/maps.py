"""Writes anomaly maps as files for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from flawspot.files import replacing, special_kind

SCALE = "flawspot-scale"
"""Key of the text in a PNG that holds the factor from pixel values to map values."""

FORMATS = ("npy", "png")


def save_map(path: Path, anomaly_map: NDArray[np.float32]) -> None:
    """Write a map, completely or not at all: ``.npy`` as float32, ``.png`` in 16 bits with its scale.

    In the PNG the largest value is 65,535. ``pixels * float(Image.open(path).text["flawspot-scale"])`` is the map
    within half a step. Negative values become 0.

    Args:
        path: the file. Its suffix gives the format.
        anomaly_map: (H, W) float32, as `Prediction.map`.

    Raises:
        FlawspotError: the file cannot be written.
    """
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, anomaly_map)
            return
        scale = max(float(anomaly_map.max()) / 65535, float(np.finfo(np.float32).tiny))
        text = PngInfo()
        text.add_text("Software", "flawspot")  # as in `marks`: it is not a photograph
        text.add_text(SCALE, repr(scale))
        steps = np.rint(np.clip(anomaly_map.astype(np.float64) / scale, 0, 65535)).astype(np.uint16)
        Image.fromarray(steps).save(temporary, format="PNG", pnginfo=text)


def is_map(path: Path) -> bool:
    """Whether the file is a map that may have been written here, that is, a float32 picture."""
    try:
        if special_kind(path) is not None:
            return False
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool(found.dtype == np.float32 and found.ndim == 2)
