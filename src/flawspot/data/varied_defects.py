"""Pastes defects of many kinds into photographs of good parts, with their masks, for training a network.

There are eight kinds: spots, scratches, pieces from elsewhere (after Li et al., CutPaste, CVPR 2021), bends, smears,
stains, dents and missing parts. Their sizes are log-uniform, and they are placed where the photograph has contrast.
Half of the photographs are first varied as good parts vary: a little in light, and shifted by a few pixels.

`flawspot.data.pasted` has three other kinds, which are for comparing thresholds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from flawspot.data.varied_shapes import Photograph, Window, blob, smooth_noise, stroke

FAMILY = 1
"""Increased when the same seed gives other defects."""
BASE = 448
"""Sizes below are in pixels of a photograph of which the network sees a square with this many; they scale with other
sizes."""
MOST = 4
"""Most defects in one photograph."""
VISIBLE = 10
"""Least difference of a defect's pixel, in grey levels."""
_CELL = 4
"""Side in pixels of the cells in which contrast is measured."""

Weights = NDArray[np.float64]


def paste_defects(
    image: Photograph,
    seed: list[int],
    *,
    other: Photograph | None = None,
    unit: float = 1.0,
    most: int = MOST,
    where: NDArray[np.bool_] | None = None,
) -> tuple[Photograph, NDArray[np.bool_]]:
    """A photograph with defects.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        seed: decides everything.
        other: another photograph, from which pieces may come.
        unit: pixels for one of `BASE`.
        most: the largest number of defects; the least is one.
        where: (H, W), the allowed places of their middles; None: anywhere.

    Returns:
        A new (H, W, 3) uint8, and the (H, W) mask of visibly changed pixels. The mask may be empty. A photograph of
        less than `_CELL` pixels in height or width has no room for a defect.
    """
    if min(image.shape[:2]) < _CELL:
        return image.copy(), np.zeros(image.shape[:2], np.bool_)
    generator = np.random.default_rng(seed)
    good = vary(image, generator, unit) if generator.random() < 0.5 else image
    canvas = Canvas(good.astype(np.float32), good, image if other is None else other, _places(good, where), unit)
    for _ in range(1 + int(generator.integers(most))):
        KINDS[int(generator.choice(len(KINDS), p=SHARES))](canvas, generator)
    changed = np.clip(np.rint(canvas.pixels), 0, 255).astype(np.uint8)
    difference = np.abs(changed.astype(np.int16) - good).max(axis=2)
    mask = Image.fromarray((difference >= VISIBLE).astype(np.uint8) * 255)
    closed = mask.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3))
    return changed, np.asarray(closed) > 0


def vary(image: Photograph, generator: np.random.Generator, unit: float = 1.0) -> Photograph:
    """The photograph varied as another good one: light within 5 %, tint, a shift within 6 pixels of `BASE`."""
    reach = max(round(6 * unit), 1)
    down, across = (int(step) for step in generator.integers(-reach, reach + 1, 2))
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    moved = padded[reach + down : reach + down + height, reach + across : reach + across + width]
    lit = moved * np.float32(generator.uniform(0.95, 1.05)) + generator.normal(0, 2, 3).astype(np.float32)
    varied: Photograph = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return varied


def _places(image: Photograph, where: NDArray[np.bool_] | None) -> Weights:
    """(H / `_CELL`, W / `_CELL`) probabilities, summing to one: high where there is contrast, low elsewhere."""
    height, width = (side // _CELL for side in image.shape[:2])
    grey = image[: height * _CELL, : width * _CELL].mean(axis=2, dtype=np.float32)
    cells = grey.reshape(height, _CELL, width, _CELL)
    mean = cells.mean(axis=(1, 3))
    contrast = cells.std(axis=(1, 3)) + np.abs(mean - _blurred(mean, 16)) / 2
    seen = _blurred(contrast, 3).astype(np.float64)
    weights = seen / max(float(seen.mean()), 1e-9) + 0.25
    if where is not None:
        rows, columns = (np.arange(count) * _CELL + _CELL // 2 for count in (height, width))
        allowed = weights * where[rows][:, columns]
        weights = allowed if allowed.any() else weights
    return np.asarray(weights / weights.sum())


def _blurred(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth by a Gaussian. Places beyond the border do not count."""
    for axis in (0, 1):
        places = np.arange(values.shape[axis])
        weights = np.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2).astype(np.float32)
        weights /= weights.sum(axis=1, keepdims=True)
        values = weights @ values if axis == 0 else values @ weights.T
    return values


class Canvas:
    """A photograph while it is being changed.

    Attributes:
        pixels: (H, W, 3) float32, its present pixels.
        good: (H, W, 3) uint8, its original pixels.
        other: another photograph.
        unit: pixels for one of `BASE`.
    """

    def __init__(
        self, pixels: NDArray[np.float32], good: Photograph, other: Photograph, places: Weights, unit: float
    ) -> None:
        self.pixels, self.good, self.other, self.unit = pixels, good, other, unit
        self._places = places

    def place(self, generator: np.random.Generator) -> tuple[float, float]:
        """(row, column) of a point, in pixels."""
        cell = int(generator.choice(self._places.size, p=self._places.ravel()))
        row, column = divmod(cell, self._places.shape[1])
        return (row + generator.uniform()) * _CELL, (column + generator.uniform()) * _CELL

    def size(self, generator: np.random.Generator, low: float, high: float) -> float:
        """A log-uniform size, converted from pixels of `BASE` to pixels of this photograph; at least one."""
        return max(math.exp(generator.uniform(math.log(low), math.log(high))) * self.unit, 1.0)

    def blob(self, generator: np.random.Generator, radius: float) -> tuple[Window, NDArray[np.float32]]:
        """The window and coverage of an irregular shape."""
        return blob(generator, self.place(generator), radius, self.good.shape[:2])

    def lay(self, window: Window, cover: NDArray[np.float32], colour: NDArray[np.floating]) -> None:
        """Blend `colour`, (3,) or (h, w, 3), over the pixels of a window by the coverage `cover` (h, w)."""
        part = self.pixels[window]
        part += cover[:, :, None] * (colour - part)

    def colour(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """A colour (3,) that is in the photograph, or nearly so, or a grey."""
        height, width = self.good.shape[:2]
        found = self.good[generator.integers(height), generator.integers(width)].astype(np.float64)
        which = generator.random()
        if which < 0.4:
            found = found + generator.normal(0, 40, 3)
        elif which < 0.7:
            found = np.full(3, generator.uniform(0, 255))
        return np.asarray(np.clip(found, 0, 255))


def _tone(canvas: Canvas, generator: np.random.Generator, window: Window, of_photograph: float) -> NDArray[np.floating]:
    """A spot: a colour, or the present pixels made brighter or darker."""
    if generator.random() < of_photograph:
        return canvas.colour(generator)
    step = float(generator.choice([-1, 1]) * generator.uniform(15, 110))
    return np.asarray(np.clip(canvas.pixels[window] + np.float32(step), 0, 255))


def _spot(canvas: Canvas, generator: np.random.Generator) -> None:
    window, cover = canvas.blob(generator, canvas.size(generator, 2, 40))
    colour = _tone(canvas, generator, window, 0.5)
    if generator.random() < 0.5:
        colour = colour + generator.normal(0, generator.uniform(0, 25), cover.shape)[:, :, None]
    canvas.lay(window, cover * np.float32(generator.uniform(0.3, 1)), colour)


def _scratch(canvas: Canvas, generator: np.random.Generator) -> None:
    length, width = canvas.size(generator, 10, 200), canvas.size(generator, 1.2, 9)
    window, cover = stroke(generator, canvas.place(generator), length, width, canvas.good.shape[:2])
    canvas.lay(window, cover * np.float32(generator.uniform(0.3, 1)), _tone(canvas, generator, window, 0.4))


def _piece(canvas: Canvas, generator: np.random.Generator) -> None:
    """A piece from elsewhere in this or another photograph, mirrored and perhaps in another tone."""
    window, cover = canvas.blob(generator, canvas.size(generator, 3, 45))
    source = canvas.good if generator.random() < 0.5 else canvas.other
    height, width = cover.shape
    if source.shape[0] < height or source.shape[1] < width:
        source = canvas.good
    middle = canvas.place(generator)
    top, left = (
        int(np.clip(at - length / 2, 0, side - length))
        for at, length, side in zip(middle, cover.shape, source.shape[:2], strict=True)
    )
    piece = source[top : top + height, left : left + width].astype(np.float32)
    piece = piece[:: int(generator.choice([-1, 1])), :: int(generator.choice([-1, 1]))]
    if height == width and generator.random() < 0.5:
        piece = piece.transpose(1, 0, 2)
    if generator.random() < 0.4:
        tinted = piece * generator.uniform(0.7, 1.3) + generator.normal(0, 12, 3)
        piece = np.clip(tinted, 0, 255).astype(np.float32)
    canvas.lay(window, cover * np.float32(generator.uniform(0.6, 1)), piece)


def _bend(canvas: Canvas, generator: np.random.Generator) -> None:
    """A bend: the present pixels, pushed aside or rotated."""
    radius = canvas.size(generator, 5, 45)
    window, cover = canvas.blob(generator, radius)
    soft = _blurred(cover, max(0.15 * radius, 0.7))
    height, width = cover.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    if generator.random() < 0.5:
        angle, reach = generator.uniform(0, 2 * math.pi), radius * generator.uniform(0.25, 0.9)
        down, across = reach * math.sin(angle) * soft, reach * math.cos(angle) * soft
    else:
        turn = float(generator.choice([-1, 1]) * generator.uniform(0.5, 1.6)) * soft
        dy, dx = rows - height / 2, columns - width / 2
        down = dy * np.cos(turn) - dx * np.sin(turn) - dy
        across = dy * np.sin(turn) + dx * np.cos(turn) - dx
    canvas.pixels[window] = _sampled(canvas.pixels[window], rows + down, columns + across)


def _sampled(part: NDArray[np.float32], rows: NDArray[np.floating], columns: NDArray[np.floating]) -> NDArray[Any]:
    """(h, w, 3) sampled between its pixels, bilinear; the border is repeated."""
    height, width = part.shape[:2]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (rows - top)[:, :, None], (columns - left)[:, :, None]
    above = part[top, left] * (1 - across) + part[top, right] * across
    below = part[bottom, left] * (1 - across) + part[bottom, right] * across
    return np.asarray(above * (1 - down) + below * down)


def _smear(canvas: Canvas, generator: np.random.Generator) -> None:
    """A smear: the present pixels, drawn out in one direction."""
    window, cover = canvas.blob(generator, canvas.size(generator, 4, 40))
    reach, angle = canvas.size(generator, 2, 12), generator.uniform(0, math.pi)
    part = canvas.pixels[window]
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    steps = np.linspace(-reach, reach, 9)
    drawn = sum(_sampled(part, rows + step * math.sin(angle), columns + step * math.cos(angle)) for step in steps) / 9
    canvas.lay(window, cover, np.asarray(drawn))


def _stain(canvas: Canvas, generator: np.random.Generator) -> None:
    """A stain: a patchy area that is darker or has another colour."""
    window, cover = canvas.blob(generator, canvas.size(generator, 8, 60))
    part = canvas.pixels[window]
    patches = smooth_noise(generator, canvas.size(generator, 5, 56), cover.shape)
    if generator.random() < 0.5:
        cover = cover * np.clip(0.5 + 2 * patches, 0, 1)
    if generator.random() < 0.5:
        colour = part * (1 - generator.uniform(0.1, 0.6) * generator.uniform(0.4, 1, 3))
    else:
        colour = np.clip(canvas.colour(generator) + 30 * patches[:, :, None], 0, 255)
    canvas.lay(window, cover * np.float32(generator.uniform(0.3, 1)), colour)


def _dent(canvas: Canvas, generator: np.random.Generator) -> None:
    """A dent: dark towards the light and bright away from it."""
    radius = canvas.size(generator, 2, 18)
    window, cover = canvas.blob(generator, radius)
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in cover.shape)
    angle = generator.uniform(0, 2 * math.pi)
    slope = (rows[:, None] * math.sin(angle) + columns * math.cos(angle)) / radius
    shade = np.clip(slope, -1, 1) * generator.uniform(25, 110)
    canvas.pixels[window] += (cover * shade)[:, :, None].astype(np.float32)


def _missing(canvas: Canvas, generator: np.random.Generator) -> None:
    """A missing part, replaced by its surroundings."""
    window, cover = canvas.blob(generator, canvas.size(generator, 4, 30))
    part = canvas.pixels[window]
    border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    around = border[generator.integers(len(border))] if generator.random() < 0.7 else np.median(border, axis=0)
    canvas.lay(window, cover, around + generator.normal(0, 3, part.shape))


KINDS = (_spot, _scratch, _piece, _bend, _smear, _stain, _dent, _missing)
SHARES = (0.18, 0.2, 0.18, 0.14, 0.06, 0.12, 0.06, 0.06)
"""Frequency of each kind."""
