"""Photographs for comparing a translation: good ones that the detector has not learned from, and copies with
defects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.demo_set import PRODUCTS, render
from flawspot.data.folders import open_data
from flawspot.data.learned import resting_on
from flawspot.data.pasted import paste_defect
from flawspot.errors import DataError, ImageError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.self_test import probe
from flawspot.texts import counted

MOST = 100
"""Most good photographs that are compared; more would only take longer."""
_GENERATED = 4
"""Number of pictures of each product that flawspot draws."""


@dataclass(frozen=True)
class Pictures:
    """Pictures in the translation's input size.

    Attributes:
        good, defective: (N, S, S, 3) uint8 each; a defective one is a good one with a defect on it.
        told: a short description of the pictures.
        held_out: whether the good ones are those that set the artifact's threshold, so that another threshold may be
            set.
    """

    good: NDArray[np.uint8]
    defective: NDArray[np.uint8]
    told: str
    held_out: bool


def generated(input_size: int) -> Pictures:
    """Pictures that flawspot draws: not of the detector's product, but computed in the same way."""
    size = max(input_size, 64)
    good = [probe(), *(render(product, seed, size=size)[0] for product in PRODUCTS for seed in range(_GENERATED))]
    return _with_defects(good, input_size, counted(len(good), "generated picture"), held_out=False)


def photographs(folder: Path, manifest: Manifest, progress: Progress = SILENT) -> Pictures:
    """Good photographs of a folder: those that set the threshold, if there are any, else all.

    Args:
        folder: a folder as for training; its good training photographs are used.
        manifest: of the detector.
        progress: is told of each.

    Raises:
        DataError: there are none, or none can be read.
    """
    paths = list(open_data(folder).train)
    if not paths:
        raise DataError(f"{folder} has no good photographs: give the folder that the detector was trained on")
    chosen = resting_on(paths, manifest.calibration)
    held_out = bool(chosen)
    chosen = (chosen or paths)[:MOST]
    good: list[NDArray[np.uint8]] = []
    for path in progress.track(chosen, "reading photographs", len(chosen)):
        try:
            good.append(read_photograph(path, manifest.input_size, white=manifest.white).pixels)
        except ImageError as error:
            progress.note(str(error))
    if not good:
        raise DataError(f"none of the {len(chosen)} good photographs of {folder} can be read")
    folds = manifest.calibration.folds > 0
    kind = "held-out good photograph" if held_out and not folds else "good photograph"
    more = "" if held_out else ", some perhaps learned from"
    if held_out and folds:
        more = " that set the threshold"
    return _with_defects(good, manifest.input_size, counted(len(good), kind) + more, held_out=held_out)


def resized(pixels: NDArray[np.uint8], input_size: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (S, S, 3): bilinear, antialiased, as the graph does but for rounding to whole grey levels."""
    if pixels.shape[:2] == (input_size, input_size):
        return pixels
    return np.array(Image.fromarray(pixels).resize((input_size, input_size), Image.Resampling.BILINEAR))


def _with_defects(good: list[NDArray[np.uint8]], input_size: int, told: str, *, held_out: bool) -> Pictures:
    defective = [resized(paste_defect(image, seed), input_size) for seed, image in enumerate(good)]
    return Pictures(np.stack([resized(image, input_size) for image in good]), np.stack(defective), told, held_out)
