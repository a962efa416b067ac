"""Scratches and spots of known size and contrast, pasted into a photograph and removed again.

Each is described by the distance to its edge. This gives its antialiased pixels, and whether a place of a map is near
it. Only the pixels around it are changed, so a large photograph costs no more than a small one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.pasted import part_of, within
from flawspot.data.reading import at_centres
from flawspot.runtime.found_sizes import SCRATCH, SPOT

RATIO = 4
"""Ratio of a scratch's length to its width."""
MOST_BENT = 0.6
"""Largest turn of a scratch from end to end, in radians, in either direction."""

_HALF_OCTAVES = sorted({base << octave for base in (2, 3) for octave in range(20)} | {1})
"""1, 2, 3, 4, 6, 8, 12, 16, ...: steps of about the square root of two."""
_FINEST = {SPOT: 0.5, SCRATCH: 0.25}
"""Least width, in the photograph's pixels per pixel of the map."""
_LARGEST = {SPOT: 1 / 8, SCRATCH: 1 / 16}
"""Largest width, as a share of the photograph's shorter side."""
_SMALL, _PARTS = 8, 4
"""Width up to which a defect's edge is drawn with subpixels, and the number of subpixels along each side of a pixel."""
_PART_SIDE = 512
"""Longest side of the copy in which the part is located."""

Photograph = NDArray[np.uint8]


def ladder(kind: str, side: int, map_side: int) -> list[tuple[int, int]]:
    """The lengths and widths to try, ascending, in pixels of the photograph; at least one.

    Args:
        kind: kind of defect.
        side: shorter side of the photograph, in pixels.
        map_side: side of the detector's map. Defects far smaller than one of its pixels cannot be seen.
    """
    low, high = _FINEST[kind] * side / map_side, _LARGEST[kind] * side
    widths = [width for width in _HALF_OCTAVES if low <= width <= high] or [1]
    return [(width * (RATIO if kind == SCRATCH else 1), width) for width in widths]


@dataclass(frozen=True)
class Place:
    """Place and direction of a defect, the same for all sizes and contrasts of a trial.

    Attributes:
        row, column: its centre, in pixels of the photograph.
        angle: direction of a scratch, in radians.
        bend: turn of a scratch from end to end, in radians.
        sign: 1 for brighter than the background, -1 for darker.
    """

    row: float
    column: float
    angle: float
    bend: float
    sign: int


@dataclass(frozen=True)
class Defect:
    """A defect in a photograph.

    Attributes:
        kind: scratch or spot.
        length, width: in pixels of the photograph.
        contrast: in grey levels, above 0.
        place: its place, wholly within the photograph.
    """

    kind: str
    length: int
    width: int
    contrast: float
    place: Place

    def distance(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
        """Distance of points from its edge, in pixels; negative inside. A pixel's centre has half-integer coordinates.

        A spot is a disc. A scratch is everything within half its width of an arc, so its ends are round.
        """
        dy, dx = rows - self.place.row, columns - self.place.column
        if self.kind == SPOT:
            return np.asarray(np.hypot(dx, dy) - self.width / 2)
        cosine, sine = math.cos(self.place.angle), math.sin(self.place.angle)
        along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
        spine, bend = self.length - self.width, abs(self.place.bend)
        if spine * bend < 1e-3:  # straight, or nearly so
            return np.asarray(np.hypot(np.maximum(np.abs(along) - spine / 2, 0), across) - self.width / 2)
        across = across if self.place.bend > 0 else -across
        radius = spine / bend  # radius of the arc; its middle is the place, and its centre lies across
        on_arc = np.abs(np.arctan2(along, radius - across)) <= bend / 2
        to_arc = np.abs(np.hypot(along, across - radius) - radius)
        to_end = np.hypot(np.abs(along) - radius * math.sin(bend / 2), across - radius * (1 - math.cos(bend / 2)))
        return np.asarray(np.where(on_arc, to_arc, to_end) - self.width / 2)


def at(place: Place, kind: str, size: tuple[int, int], contrast: float, shape: tuple[int, ...]) -> Defect:
    """The defect of this (length, width) at `place`, moved inwards if it would extend beyond a photograph (H, W,
    ...)."""
    half = size[0] / 2
    row, column = (
        min(max(centre, half), side - half) if side >= 2 * half else side / 2
        for centre, side in zip((place.row, place.column), shape[:2], strict=True)
    )
    return Defect(kind, *size, contrast, Place(row, column, place.angle, place.bend, place.sign))


def places(
    image: Photograph, generators: list[np.random.Generator], hidden: NDArray[np.bool_] | None = None
) -> list[Place]:
    """A place on the part for each generator; see `flawspot.data.pasted.part_of`.

    Args:
        image: (H, W, 3).
        generators: one for each trial.
        hidden: (H', W') over the photograph, where no defect's centre may be; None: anywhere on the part.
    """
    height, width = image.shape[:2]
    scale = max(max(height, width) // _PART_SIDE, 1)
    part = part_of(np.ascontiguousarray(image[scale // 2 :: scale, scale // 2 :: scale]))
    part = within(part, None if hidden is None else ~at_centres(hidden, (part.shape[0], part.shape[1])))
    found = []
    for generator in generators:
        row, column = divmod(int(generator.choice(np.flatnonzero(part))), part.shape[1])
        down, right = generator.uniform(0, scale, 2)
        angle, bend = generator.uniform(0, math.pi), generator.uniform(-MOST_BENT, MOST_BENT)
        sign = int(generator.choice([-1, 1]))
        centre = min(row * scale + float(down), height), min(column * scale + float(right), width)
        found.append(Place(*centre, float(angle), float(bend), sign))
    return found


@contextlib.contextmanager
def pasted(image: Photograph, defect: Defect) -> Iterator[None]:
    """Paste `defect` into `image` (H, W, 3) in place for a ``with`` block, and restore the image afterwards.

    All three channels change by the contrast, so the background stays visible. If a value would leave 0 to 255 and
    there is more room on the other side, the sign is reversed.
    """
    reach = defect.length / 2 + 2
    (top, bottom), (left, right) = (
        (max(math.floor(centre - reach), 0), min(math.ceil(centre + reach), side))
        for centre, side in zip((defect.place.row, defect.place.column), image.shape[:2], strict=True)
    )
    cover = _cover(defect, top, bottom, left, right)[:, :, None]
    view = image[top:bottom, left:right]
    before = view.copy()
    level = float((before * cover).sum() / max(3 * float(cover.sum()), 1e-6))
    sign, contrast = defect.place.sign, defect.contrast
    if not 0 <= level + sign * contrast <= 255:
        sign = 1 if level < 127.5 else -1
    try:
        view[:] = np.clip(np.rint(before + cover * np.float32(sign * contrast)), 0, 255)
        yield
    finally:
        view[:] = before


def _cover(defect: Defect, top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
    """The coverage of each pixel, in [0, 1]; with subpixels for a small defect, whose edge is curved within a pixel."""
    parts = _PARTS if defect.width <= _SMALL else 1
    rows, columns = np.ogrid[top * parts : bottom * parts, left * parts : right * parts]
    distance = defect.distance((rows + 0.5) / parts, (columns + 0.5) / parts)
    cover = np.clip(0.5 - parts * distance, 0, 1).astype(np.float32)
    return np.asarray(cover.reshape(bottom - top, parts, right - left, parts).mean(axis=(1, 3)))


def excerpt(image: Photograph, defect: Defect, side: int) -> Image.Image:
    """A picture of a defect: a square of the photograph around it, of at most `side` pixels."""
    height, width = image.shape[:2]
    wanted = min(max(round(1.5 * defect.length), min(height, width) // 6), height, width)
    top, left = (
        min(max(round(centre) - wanted // 2, 0), whole - wanted)
        for centre, whole in ((defect.place.row, height), (defect.place.column, width))
    )
    square = Image.fromarray(np.ascontiguousarray(image[top : top + wanted, left : left + wanted]))
    square.thumbnail((side, side))
    return square
