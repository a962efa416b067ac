"""Reading large JPEGs at reduced size: an approximation that has to be asked for.

The decoder leaves out the high frequencies of each block of 8 x 8 pixels before it computes any pixel, and so has a
quarter, a sixteenth or a sixty-fourth of the pixels to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from flawspot.runtime.images import MAX_FILE_BYTES, MAX_PIXELS, decode, to_rgb

REDUCTION = 4
"""How many times the size that it is resized to a reduced JPEG keeps at least; see `read_reduced`."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A photograph as it was decoded, perhaps reduced.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        size: (width, height) of the photograph itself, upright; a multiple of W and H.
        path: the file that it was read from; None for one from memory.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    path: Path | None = None

    def full(self) -> NDArray[np.uint8]:
        """The pixels at the photograph's own size, for looking at: interpolated where it was reduced."""
        if self.pixels.shape[1::-1] == self.size:
            return self.pixels
        return np.array(Image.fromarray(self.pixels).resize(self.size, Image.Resampling.BILINEAR))


def read_reduced(
    path: Path, input_size: int, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_FILE_BYTES
) -> Decoded:
    """Read a photograph as `read_image`, a large JPEG at a half, a quarter or an eighth of its size.

    To leave out frequencies is not quite what antialiasing does. So it is done only where width and height are
    divisible and the result keeps `REDUCTION` times `input_size` in both. Resized to `input_size`, photographs then
    differ by at most 2 of 255 grey levels from those read in full, as measured; nothing promises it for every image:
    pure noise or a fine grating differs by up to 3.

    Args:
        path: of any format; all but JPEG are read in full.
        input_size: to which side the photograph is going to be resized.
        max_pixels, max_bytes: as for `read_image`, before the reduction.

    Raises:
        ImageError: as `read_image`.
    """

    def convert(image: Image.Image) -> Decoded:
        factor = _reduce(image, REDUCTION * input_size)
        pixels = to_rgb(image)
        return Decoded(pixels, (pixels.shape[1] * factor, pixels.shape[0] * factor), Path(path))

    return decode(Path(path), convert, max_pixels, max_bytes)


def _reduce(image: Image.Image, at_least: int) -> int:
    """Tell the decoder of a JPEG, before it begins, to reduce it as far as `at_least` pixels remain: by what factor."""
    width, height = image.size
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        for factor in (8, 4, 2):
            # Pixels that the factor does not divide would be stretched, and shift all others.
            if width % factor == height % factor == 0 and min(width, height) >= factor * at_least:
                image.draft(None, (width // factor, height // factor))
                return width // image.size[0]
    return 1
