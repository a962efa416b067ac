"""Reads photographs for a detector. Large ones are reduced before they enter the graph.

The graph holds several copies of a photograph in float32. For 12 megapixels this takes half a gigabyte, which ONNX
Runtime keeps for the next photograph. So a photograph larger than `DIRECT_PIXELS` is resized by Pillow, strip by strip,
to the size that the graph would resize it to, by the same rule (bilinear, antialiased). Pillow rounds to whole grey
levels twice, and the graph never does. The resized photograph therefore differs by at most one of 255 grey levels.

On request, JPEGs are also decoded at reduced size, which is an approximation. The decoder leaves out the high
frequencies of each block of 8 x 8 pixels before it computes any pixel. It then has to make a quarter, a sixteenth or a
sixty-fourth of the pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from flawspot.errors import ImageError
from flawspot.runtime.decoding import MAX_FILE_BYTES, MAX_PIXELS, Source, check_aspect, damaged, decode
from flawspot.runtime.images import WHITE, colours, highest, to_rgb, upright
from flawspot.runtime.view import View, as_view

DIRECT_PIXELS = 1 << 21
"""Most pixels of a photograph that enters the graph unchanged."""

VIEW_SIDE = 1024
"""Longest side of the small copy of a large photograph, which is kept for pictures."""

REDUCTION = 4
"""A JPEG decoded at reduced size keeps at least this many times the size that it will be resized to."""

_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded photograph, perhaps reduced.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright: the input of the graph.
        size: (width, height) of the original photograph, upright.
        path: the file that it was read from; None if it came from memory.
        highest: its highest value in 16 bits, before conversion to 8; None for other photographs.
        view: (H', W', 3), a copy for drawing if the photograph was reduced; else None.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    path: Path | None = None
    view: NDArray[np.uint8] | None = field(default=None, repr=False)
    highest: int | None = None

    def drawable(self) -> NDArray[np.uint8]:
        """(H, W, 3) for drawing, in the photograph's proportions. It may be smaller than `size`."""
        if self.view is not None:
            return self.view
        return self.pixels


def read_photograph(
    source: Source,
    view: View | int,
    *,
    white: int = WHITE,
    fast_jpeg: bool = False,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_FILE_BYTES,
) -> Decoded:
    """Read a photograph for a detector; see the module for what is reduced.

    With `fast_jpeg` a large JPEG is decoded at a half, a quarter or an eighth of its size. Leaving out frequencies is
    not quite the same as antialiasing. So it is done only if width and height are divisible and the result keeps
    `REDUCTION` times the target size in both directions. The resized photographs then differ by at most 2 of 255 grey
    levels from those read in full, as measured. This is not guaranteed for every image: pure noise or a fine grating
    differs by up to 3.

    Args:
        source: a file's path or its bytes, in any format that `flawspot.runtime.images.read_image` reads.
        view: how the detector sees a photograph, which gives the target size; a number for a square.
        white: the white value of 16 bits, as for `read_image`.
        fast_jpeg: decode large JPEGs at reduced size.
        max_pixels, max_bytes: as for `read_image`, before any reduction.

    Raises:
        ImageError: as for `read_image`.
    """

    path, seen = None if isinstance(source, bytes) else Path(source), as_view(view)

    def convert(image: Image.Image) -> Decoded:
        factor = _reduce(image, seen) if fast_jpeg else 1
        image.load()
        found = _prepared(image, seen, white)
        width, height = found.size
        return dataclasses.replace(found, size=(width * factor, height * factor), path=path)

    return decode(source, convert, max_pixels, max_bytes)


def prepare(image: NDArray[Any] | Image.Image, view: View | int, white: int = WHITE) -> Decoded:
    """Do the same for a photograph in memory, in any form that `flawspot.runtime.images.to_rgb` takes.

    Raises:
        ImageError: as for `to_rgb`, or it has a shape that no camera makes.
    """
    if isinstance(image, Image.Image):
        check_aspect(image.width, image.height)
        if image.width * image.height > DIRECT_PIXELS:
            return _large(image, as_view(view), white)
    pixels, brightest = to_rgb(image, white), highest(image)
    height, width = pixels.shape[:2]
    check_aspect(width, height)
    if height * width <= DIRECT_PIXELS:
        return Decoded(pixels, (width, height), highest=brightest)
    strips = (pixels[top:bottom] for top, bottom in _strips(width, height))
    small, shown = _squeezed(strips, (width, height), as_view(view).reduced((width, height)))
    return Decoded(small, (width, height), view=shown, highest=brightest)


def _large(image: Image.Image, view: View, white: int) -> Decoded:
    try:
        image.load()
        return _prepared(image, view, white)
    except ImageError:
        raise
    except Exception as error:  # as in `decode`
        raise ImageError(damaged(error)) from error


def _prepared(image: Image.Image, view: View, white: int) -> Decoded:
    """Reduce a decoded Pillow image. The pixels of a large one are never unpacked as a whole."""
    if image.width * image.height <= DIRECT_PIXELS:
        pixels = to_rgb(image, white)
        return Decoded(pixels, (pixels.shape[1], pixels.shape[0]), highest=highest(image))
    width, height = image.size
    strips = (colours(image.crop((0, top, width, bottom)), white) for top, bottom in _strips(width, height))
    turned = upright(np.empty((2, 1)), image).shape == (1, 2)
    size = (height, width) if turned else (width, height)
    target = view.reduced(size)
    squeezed = _squeezed(strips, image.size, target[::-1] if turned else target)
    small, shown = (upright(pixels, image) for pixels in squeezed)
    return Decoded(small, size, view=shown, highest=highest(image))


def _strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and end of each strip. All but the last have a multiple of `_view_factor` rows."""
    factor = _view_factor(width, height)
    rows = max(_STRIP_PIXELS // width // factor, 1) * factor
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _view_factor(width: int, height: int) -> int:
    """The factor by which a photograph is first shrunk for the small copy, which then has at least `VIEW_SIDE`
    pixels."""
    return max(max(width, height) // VIEW_SIDE, 1)


def _squeezed(
    strips: Iterator[NDArray[np.uint8]], size: tuple[int, int], target: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Resize the strips of a photograph of `size` to `target`, both (width, height), and make a copy for pictures.

    Pillow resizes rows first and columns afterwards, so rows can be resized strip by strip. The copy for pictures need
    not be exact, so blocks of pixels are averaged first.
    """
    width, height = size
    factor = _view_factor(width, height)
    rows: list[NDArray[np.uint8]] = []
    blocks: list[NDArray[np.uint8]] = []
    for strip in strips:
        rows.append(_resized(strip, (target[0], len(strip))))
        blocks.append(np.array(Image.fromarray(strip).reduce(factor)))
    scale = min(VIEW_SIDE / max(width, height), 1)
    view = _resized(np.concatenate(blocks), (max(round(width * scale), 1), max(round(height * scale), 1)))
    return _resized(np.concatenate(rows), target), view


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def _reduce(image: Image.Image, view: View) -> int:
    """Tell a JPEG's decoder, before it begins, to reduce the picture while enough pixels remain. Returns the factor."""
    width, height = image.size
    # A photograph on its side is turned upright later, so both directions must have enough pixels.
    ways = (view.reduced((width, height)), view.reduced((height, width))[::-1])
    wanted = [REDUCTION * max(sides) for sides in zip(*ways, strict=True)]
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        for factor in (8, 4, 2):
            # If the factor did not divide the size, the border pixels would be stretched and all others shifted.
            enough = width >= factor * wanted[0] and height >= factor * wanted[1]
            if width % factor == height % factor == 0 and enough:
                image.draft(None, (width // factor, height // factor))
                return width // image.size[0]
    return 1
