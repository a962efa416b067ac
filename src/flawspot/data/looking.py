"""Measures one photograph without any network: size, depth, light, sharpness."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.near_duplicates import descriptor
from flawspot.runtime.decoding import MAX_FILE_BYTES, MAX_PIXELS, WHITE_IS_ZERO, decode
from flawspot.runtime.reduced import DIRECT_PIXELS, prepare

_SIDE = 256
"""Sharpness is measured at this size, because detectors also reduce photographs."""
_DARK, _LIGHT = 2, 253
DEEP = 65535
_CAMERA_BITS = (8, 10, 12, 14)
_COLOUR = 6.0
"""Least mean distance of the highest from the lowest channel, in grey levels, for a photograph in colour."""
_SPECKS = 0.001
_GREY = 20.0
"""A photograph is grey if the most coloured pixels, this share of them, reach at most this distance. Noise and the
fringes of lenses mostly stay below."""


@dataclass(frozen=True)
class Look:
    """The measures of one photograph.

    Attributes:
        size: (width, height), upright.
        bits: bits of a channel in the file, 8 or 16.
        highest: the highest value of a 16-bit file, 0..65535; 255 for others.
        mean, deviation: mean and deviation of its grey levels, 0..255. For 16 bits the full range counts as 255.
        dark, light: shares of its black and white pixels, in [0, 1].
        sharpness: mean size of the Laplacian of its grey levels, in grey levels.
        has_colour: whether it has colours as a whole.
        is_grey: whether it has no colours, not even in its most coloured places. With a few coloured specks it is
            neither.
        checksum: checksum of its pixels and size; equal for identical photographs.
        descriptor: see `flawspot.data.near_duplicates`.
    """

    size: tuple[int, int]
    bits: int
    highest: int
    mean: float
    deviation: float
    dark: float
    light: float
    sharpness: float
    has_colour: bool
    is_grey: bool
    checksum: int
    descriptor: NDArray[np.float32]


def look(path: Path) -> Look:
    """Decode a photograph and measure it.

    Raises:
        ImageError: the photograph cannot be read.
    """
    return decode(path, _measure, MAX_PIXELS, MAX_FILE_BYTES)


def white_of(looks: Sequence[Look]) -> int:
    """The value that is white in 16-bit photographs: 65535, or less for a camera with fewer bits.

    Such cameras have 8, 10, 12 or 14 bits. The smallest range that holds every value is chosen.
    """
    highest = max((look.highest for look in looks if look.bits == 16), default=DEEP)
    return next((2**bits - 1 for bits in _CAMERA_BITS if highest < 2**bits), DEEP)


def bits_of(looks: Sequence[Look]) -> int | None:
    """Bits of a channel, 8 or 16; None if there are both."""
    bits = {look.bits for look in looks}
    return bits.pop() if len(bits) == 1 else None


def _measure(image: Image.Image) -> Look:
    image.load()
    deep = image.mode.startswith("I")
    photograph = prepare(image, _SIDE)
    pixels = photograph.pixels
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    colours = np.asarray(small, np.float32)
    grey, highest = colours.mean(axis=2), 255
    if deep:  # its 8 highest bits may be empty
        highest = photograph.highest or 0
        # For a large one some pixels are enough: all of them as floats would take four times its memory.
        some = (
            image
            if image.width * image.height <= DIRECT_PIXELS
            else image.resize((4 * _SIDE, 4 * _SIDE), Image.Resampling.NEAREST)
        )
        values = np.asarray(some).astype(np.float32)
        if image.info.get(WHITE_IS_ZERO):
            values = DEEP - values
        grey = np.asarray(Image.fromarray(values).resize((_SIDE, _SIDE), Image.Resampling.BOX)) / 257
        checksum = zlib.crc32(values.tobytes(), hash(photograph.size) & 0xFFFFFFFF)
    else:
        checksum = zlib.crc32(np.ascontiguousarray(pixels).tobytes(), hash(photograph.size) & 0xFFFFFFFF)
    distance = colours.max(axis=2) - colours.min(axis=2)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return Look(
        size=photograph.size,
        bits=16 if deep else 8,
        highest=highest,
        mean=float(grey.mean()),
        deviation=float(grey.std()),
        dark=float((grey <= _DARK).mean()),
        light=float((grey >= _LIGHT).mean()),
        sharpness=float(np.abs(laplacian).mean()),
        has_colour=float(distance.mean()) > _COLOUR,
        is_grey=float(np.quantile(distance, 1 - _SPECKS)) <= _GREY and float(distance.mean()) <= _COLOUR,
        checksum=checksum,
        descriptor=descriptor(grey * (DEEP / max(highest, 1)) if deep else grey),
    )
