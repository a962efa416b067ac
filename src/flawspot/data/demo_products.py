"""Draws synthetic products: good parts under a camera, different for every seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]


@dataclass
class Scene:
    """A part on its background, before light, lens and sensor.

    Attributes:
        part: (H, W, 3) colour of the part's surface, about 0..1.
        ground: (H, W, 3) colour of the background.
        cover: (H, W) share of a pixel that the part covers, 0..1.
        edge: (H, W) distance to the part's border in pixels, positive inside; for a texture, to the picture's border.
    """

    part: Array
    ground: Array
    cover: Array
    edge: Array


def grid(size: int) -> tuple[Array, Array]:
    """Rows and columns of pixel centres, in pixels from the centre of the picture."""
    axis = np.arange(size, dtype=np.float32) - (size - 1) / 2
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return rows, columns


def smooth_noise(generator: np.random.Generator, size: int, cells: int) -> Array:
    """(size, size) noise of about -1..1 that varies over 1 / cells of the picture."""
    coarse = generator.uniform(-1, 1, (cells + 3, cells + 3)).astype(np.float32)
    margin = max(size // cells, 1)
    enlarged = Image.fromarray(coarse).resize((size + 2 * margin, size + 2 * margin), Image.Resampling.BICUBIC)
    return np.asarray(enlarged, np.float32)[margin : margin + size, margin : margin + size]


def soft(distance: Array, width: float = 0.7) -> Array:
    """0 outside, 1 inside, with a smooth step of `width` pixels to either side of the border, as a lens draws an
    edge."""
    t = np.clip(distance / (2 * width) + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _pose(generator: np.random.Generator, size: int, shift: float, turn: float) -> tuple[Array, Array]:
    """Coordinates fixed to a part that is a little off centre and rotated, in units of half the picture."""
    rows, columns = grid(size)
    angle = generator.normal(0, turn)
    dy, dx = generator.normal(0, shift, 2)
    y, x = rows / (size / 2) - dy, columns / (size / 2) - dx
    return np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x, np.sin(angle) * y + np.cos(angle) * x


def _coloured(brightness: Array, colour: tuple[float, float, float]) -> Array:
    return (brightness[:, :, None] * np.array(colour, np.float32)).astype(np.float32)


def fabric(generator: np.random.Generator, size: int) -> Scene:
    """A plain weave that fills the picture: threads of uneven thickness, tone and course."""
    v, u = _pose(generator, size, 0.2, 0.03)
    threads = 34 * generator.normal(1, 0.03)
    u = (u + 0.012 * smooth_noise(generator, size, 5)) * threads / 2
    v = (v + 0.012 * smooth_noise(generator, size, 5)) * threads / 2
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    tones = generator.normal(1, 0.08, (2, 512)).astype(np.float32)
    warp = np.sqrt(np.abs(np.sin(np.pi * u))) * tones[0, column % 512]
    weft = np.sqrt(np.abs(np.sin(np.pi * v))) * tones[1, row % 512]
    # Where the warp is on top it arches over the weft, and vice versa.
    over = (column + row) % 2 == 0
    arch = 0.75 + 0.25 * np.where(over, np.abs(np.sin(np.pi * v)), np.abs(np.sin(np.pi * u)))
    brightness = 0.18 + 0.62 * np.where(over, warp, 0.92 * weft) * arch
    brightness = brightness * (1 + 0.05 * smooth_noise(generator, size, 40))
    dye = 1 + 0.04 * smooth_noise(generator, size, 3)
    rows, columns = grid(size)
    edge = size / 2 - np.maximum(np.abs(rows), np.abs(columns))
    ground = _coloured(0.32 + 0.06 * smooth_noise(generator, size, 30), (0.96, 0.97, 1.0))
    cover = np.ones((size, size), np.float32)
    return Scene(_coloured(brightness * dye, (0.62, 0.72, 0.88)), ground, cover, edge)


def washer(generator: np.random.Generator, size: int) -> Scene:
    """A turned metal ring on a rubber belt: concentric grooves, chamfers, and a highlight that follows the light."""
    y, x = _pose(generator, size, 0.03, 0.2)
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    inner, outer = 0.30 + generator.normal(0, 0.004), 0.74 + generator.normal(0, 0.004)
    edge = np.minimum(radius - inner, outer - radius) * size / 2
    grooves = np.interp(radius, np.linspace(0, 1.5, 400), generator.normal(0, 1, 400)).astype(np.float32)
    patches = smooth_noise(generator, size, 24)
    lamp = generator.normal(0.6, 0.25)
    highlight = np.abs(np.cos(angle - lamp)) ** 3
    brightness = 0.46 + 0.22 * highlight + (0.035 + 0.03 * highlight) * grooves + 0.02 * patches
    # The chamfers catch the light on the side that faces the lamp.
    chamfer = soft(5.0 - edge, 1.0) * np.cos(angle - lamp - np.where(radius > 0.52, 0, np.pi))
    brightness = brightness + 0.16 * chamfer
    belt = 0.17 + 0.03 * smooth_noise(generator, size, 60) + 0.02 * smooth_noise(generator, size, 9)
    return Scene(_coloured(brightness, (1.0, 0.98, 0.94)), _coloured(belt, (0.85, 0.95, 1.0)), soft(edge), edge)


def keycap(generator: np.random.Generator, size: int) -> Scene:
    """A moulded key of grained plastic with a dished top and a printed sign, on light card."""
    y, x = _pose(generator, size, 0.03, 0.03)

    def rounded(half: float, corner: float) -> Array:
        dy, dx = np.abs(y) - half + corner, np.abs(x) - half + corner
        outside = np.hypot(np.maximum(dy, 0), np.maximum(dx, 0)) + np.minimum(np.maximum(dy, dx), 0)
        return ((corner - outside) * size / 2).astype(np.float32)

    edge, top = rounded(0.76, 0.14), rounded(0.54, 0.16)
    grain = 0.018 * smooth_noise(generator, size, 90) + 0.012 * smooth_noise(generator, size, 45)
    # Slopes lit from above, so each of the four sides has its own tone.
    slope = 0.27 + 0.10 * np.where(np.abs(y) > np.abs(x), -np.sign(y), -0.4 * np.sign(x))
    dish = 0.36 - 0.05 * y + 0.03 * (x * x + y * y)
    brightness = slope + (dish - slope) * soft(top, 1.5) + 0.06 * soft(2.0 - np.abs(top), 1.0) + grain
    part = _coloured(brightness, (0.80, 0.86, 1.0))
    # The sign: a ring open to the right, and a bar.
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    ring = np.minimum(0.045 - np.abs(radius - 0.24), (np.abs(angle) - 0.5) * radius)
    bar = np.minimum(0.04 - np.abs(y - 0.0), 0.13 - np.abs(x - 0.02))
    ink = soft(np.maximum(ring, bar) * size / 2) * (0.9 + 0.06 * smooth_noise(generator, size, 30))
    part = part + ink[:, :, None] * (np.array([0.88, 0.86, 0.80], np.float32) - part)
    card = 0.68 + 0.02 * smooth_noise(generator, size, 50) + 0.02 * smooth_noise(generator, size, 6)
    # A soft shadow to the lower right.
    shadow = 0.22 * soft(np.roll(edge, (size // 40, size // 40), (0, 1)), 5.0)
    return Scene(part, _coloured(card - shadow, (1.0, 0.97, 0.92)), soft(edge), edge)


PRODUCTS: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "fabric": fabric,
    "washer": washer,
    "keycap": keycap,
}
