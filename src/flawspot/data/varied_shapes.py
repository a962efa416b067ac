"""Shapes of pasted defects, as the coverage of each pixel in a window around them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Photograph = NDArray[np.uint8]
Window = tuple[slice, slice]
"""Rows and columns of a photograph."""
_FINER = 4
"""Strokes are drawn this many times finer than pixels, in each direction."""


def window_around(top: float, bottom: float, left: float, right: float, shape: tuple[int, ...]) -> Window:
    """The window of a photograph of `shape` (H, W) within these limits, at least 2 x 2."""
    ends = []
    for first, last, side in ((top, bottom, shape[0]), (left, right, shape[1])):
        begin = min(max(math.floor(first), 0), side - 2)
        ends.append(slice(begin, min(max(math.ceil(last), begin + 2), side)))
    return ends[0], ends[1]


def blob(
    generator: np.random.Generator, middle: tuple[float, float], radius: float, shape: tuple[int, ...]
) -> tuple[Window, NDArray[np.float32]]:
    """An irregular round shape, stretched up to 2.5 times. Its edge is one pixel wide or, sometimes, soft.

    Returns:
        A window (h, w) of a photograph of `shape`, and (h, w) in [0, 1].
    """
    reach = 2.2 * radius + 3
    row, column = middle
    window = window_around(row - reach, row + reach + 1, column - reach, column + reach + 1, shape)
    rows, columns = (np.arange(part.start, part.stop, dtype=np.float32) for part in window)
    dy, dx = (rows - row)[:, None], (columns - column)[None]
    angle, stretch = generator.uniform(0, math.pi), math.exp(generator.uniform(0, math.log(2.5)) / 2)
    along = (dy * math.cos(angle) + dx * math.sin(angle)) * stretch
    across = (dx * math.cos(angle) - dy * math.sin(angle)) / stretch
    heading = np.arctan2(along, across)
    outline = np.ones_like(heading)
    for k in range(1, 6):
        outline += np.float32(generator.normal(0, 0.25 / k)) * np.cos(k * heading + generator.uniform(0, 2 * math.pi))
    soft = generator.uniform(0.5, 1.5) + (radius * generator.uniform(0, 0.4) if generator.random() < 0.3 else 0)
    inside = radius * outline - np.hypot(along, across)
    return window, np.clip(0.5 + inside / (2 * soft), 0, 1).astype(np.float32)


def stroke(
    generator: np.random.Generator, middle: tuple[float, float], length: float, width: float, shape: tuple[int, ...]
) -> tuple[Window, NDArray[np.float32]]:
    """A line that bends and wavers.

    Args:
        generator: generator of its course.
        middle: (row, column) of its middle.
        length, width: in pixels.
        shape: shape of the photograph.

    Returns:
        As for `blob`.
    """
    steps = max(int(length), 2)
    tremble = math.exp(generator.uniform(math.log(0.002), math.log(0.15)))
    headings = generator.uniform(0, 2 * math.pi) + np.cumsum(generator.normal(0, tremble, steps))
    headings += np.linspace(-0.5, 0.5, steps) * generator.normal(0, 1)
    rows, columns = np.cumsum(np.sin(headings)), np.cumsum(np.cos(headings))
    rows += middle[0] - rows.mean()
    columns += middle[1] - columns.mean()
    reach = width + 2
    window = window_around(
        float(rows.min()) - reach,
        float(rows.max()) + reach,
        float(columns.min()) - reach,
        float(columns.max()) + reach,
        shape,
    )
    size = tuple(part.stop - part.start for part in window)
    drawn = Image.new("L", (size[1] * _FINER, size[0] * _FINER))
    points = np.stack([columns - window[1].start, rows - window[0].start], axis=1) * _FINER
    thickness = max(round(width * _FINER), 1)
    ImageDraw.Draw(drawn).line([tuple(point) for point in points.tolist()], fill=255, width=thickness, joint="curve")
    cover = np.asarray(drawn.resize((size[1], size[0]), Image.Resampling.BOX), np.float32) / np.float32(255)
    return window, cover


def smooth_noise(generator: np.random.Generator, scale: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(H, W) noise of mean 0 and a deviation below 1 that varies over `scale` pixels."""
    height, width = (max(math.ceil(side / scale) + 3, 4) for side in shape)
    values = generator.standard_normal((height, width)).astype(np.float32)
    large = Image.fromarray(values, "F").resize(
        (max(round(width * scale), shape[1]), max(round(height * scale), shape[0])), Image.Resampling.BICUBIC
    )
    return np.asarray(large)[: shape[0], : shape[1]]
