"""Photographs for drawing on or varying, before they are resized for the network."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.runtime.reduced import DIRECT_PIXELS, Decoded
from flawspot.runtime.view import View

FINER = 2
"""Pixels of a photograph for each pixel of the canvas, in each direction, if it has this many."""


def no_finer_than_seen(photograph: Decoded, view: View) -> NDArray[np.uint8]:
    """(H, W, 3): a photograph in its proportions, no larger than useful for drawing on it: `FINER` pixels for each one
    that is seen."""
    pixels = max(photograph.pixels, photograph.drawable(), key=len)  # for a large photograph there is a finer copy
    height, width = pixels.shape[:2]
    place = view.placed((width, height))
    least = max(place.height / height, place.width / width)
    share = max(min(FINER * least, math.sqrt(DIRECT_PIXELS / (height * width))), least)
    if share >= 1:
        return pixels
    size = math.ceil(width * share), math.ceil(height * share)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
