"""Binary PGM and PPM files whose largest value is not 255, such as those with 10 or 12 bits from industrial cameras.

Pillow decodes these number by number, which takes a minute for twelve million. The same arithmetic is done on arrays
here.
"""

from __future__ import annotations

from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.file_checks import MAX_HEADER, ppm_header

_ROWS_BYTES = 1 << 22
"""Bytes that are scaled at once."""


def needs_scaling(kind: bytes, largest: int) -> bool:
    """Whether a file of `kind` is binary and has a range that Pillow does not read directly."""
    return (kind == b"P5" and largest not in (255, 65535)) or (kind == b"P6" and largest != 255)


def read_scaled(file: IO[bytes]) -> Image.Image | None:
    """The picture with its values scaled to 0..255, or to 0..65535 for a PGM with more than 8 bits.

    Returns:
        A Pillow image of mode L, I;16 or RGB; None if Pillow reads the file as well.

    Raises:
        ImageError: the file ends too early.
    """
    file.seek(0)
    header = ppm_header(file.read(MAX_HEADER))
    if header is None:
        return None
    kind, width, height, largest, begin = header
    if not needs_scaling(kind, largest) or not 0 < largest < 65536 or not width or not height:
        return None
    file.seek(begin)
    channels = 3 if kind == b"P6" else 1
    stored = np.dtype(np.uint8 if largest < 256 else ">u2")
    # As in Pillow, a PPM then has 8 bits a channel, and a PGM keeps more than 8.
    top, kept = (65535, np.uint16) if channels == 1 and largest > 255 else (255, np.uint8)
    row = width * channels
    pixels: NDArray[np.generic] = np.empty((height, row), kept)
    step = max(_ROWS_BYTES // (row * stored.itemsize), 1)
    for top_row in range(0, height, step):
        rows = min(step, height - top_row)
        data = file.read(rows * row * stored.itemsize)
        if len(data) < rows * row * stored.itemsize:
            raise ImageError("the image is damaged (it ends too early): copy it again, or take the photograph again")
        values = np.frombuffer(data, stored).reshape(rows, row).astype(np.float64)
        pixels[top_row : top_row + rows] = np.minimum(np.rint(values / largest * top), top)
    return Image.fromarray(pixels.reshape(height, width, 3) if channels == 3 else pixels)
