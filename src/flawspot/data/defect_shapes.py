"""Shapes of defects as coverage in [0, 1]: polygons, cracks, fibres, prints, and their noise.

All are around the middle of a window (h, w), are made from a random generator, and have lengths in pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Cover = NDArray[np.float32]
Shape = tuple[int, int]
Points = list[tuple[float, float]]

_FINE = 3
"""Lines and polygons are drawn this many times larger and then shrunk, for smooth edges."""
_LARGEST = 4096
"""Side of a window, in pixels, from which on they are drawn directly."""


def noise(shape: Shape, generator: np.random.Generator, cell: float, *, octaves: int) -> Cover:
    """(h, w) in [0, 1]: value noise of several octaves, that is, random numbers on a grid with smooth values between.

    Args:
        shape: shape of the window.
        generator: generator of the numbers.
        cell: spacing of the coarsest grid, in pixels.
        octaves: number of grids. Each is twice as fine and half as strong as the one before.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        grid = generator.random((math.ceil(height / step) + 3, math.ceil(width / step) + 3), np.float32)
        offset = generator.uniform(0, 1, 2)
        box = (float(offset[0]), float(offset[1]), float(offset[0]) + width / step, float(offset[1]) + height / step)
        fine = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=box)
        total += np.asarray(fine, np.float32) * np.float32(0.5**octave)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - np.float32(low)) / np.float32(max(high - low, 1e-6)))


def polygon_cover(
    shape: Shape, generator: np.random.Generator, size: float, scale: float, *, soft: float = 0.0
) -> Cover:
    """A polygon of 4 to 9 corners, irregular and longer than wide.

    Args:
        shape: shape of the window.
        generator: generator of the corners.
        size: length of its longer axis.
        scale: pixels of the photograph for one of 224.
        soft: standard deviation of the Gaussian over its edge; at least a third of `scale`.
    """
    count = int(generator.integers(4, 10))
    angles = np.sort(2 * math.pi * (np.arange(count) + generator.uniform(-0.35, 0.35, count)) / count)
    radii = size / 2 * generator.uniform(0.55, 1.0, count)
    narrow, turn = generator.uniform(0.4, 1.0), generator.uniform(0, math.pi)
    x, y = radii * np.cos(angles), narrow * radii * np.sin(angles)
    row, column = _middle(shape)
    xs = column + x * math.cos(turn) - y * math.sin(turn)
    ys = row + x * math.sin(turn) + y * math.cos(turn)
    corners = list(zip(xs.tolist(), ys.tolist(), strict=True))
    return _drawn(shape, [(corners, 0.0)], max(soft, scale / 3))


def crack_cover(shape: Shape, generator: np.random.Generator, size: float, scale: float) -> Cover:
    """A winding, branching hairline, up to twice as long as `size` from end to end."""
    row, column = _middle(shape)
    heading = float(generator.uniform(0, 2 * math.pi))
    length = 2 * size
    start = (column - length / 2 * math.cos(heading), row - length / 2 * math.sin(heading))
    lines: list[tuple[Points, float]] = []
    waiting = [(start, heading, length, scale * float(generator.uniform(0.7, 1.8)))]
    while waiting and len(lines) < 12:
        (x, y), direction, left, thick = waiting.pop(0)
        points: Points = [(x, y)]
        step = max(left / 12, scale)
        for _ in range(max(int(left / step), 2)):
            direction += float(generator.normal(0, 0.35))
            x, y = x + step * math.cos(direction), y + step * math.sin(direction)
            points.append((x, y))
            if generator.random() < 0.12:
                aside = direction + float(generator.choice([-1, 1]) * generator.uniform(0.4, 1.1))
                waiting.append(((x, y), aside, left * float(generator.uniform(0.2, 0.5)), 0.7 * thick))
        lines.append((points, thick))
    return _drawn(shape, lines, scale / 4)


def fibre_cover(shape: Shape, generator: np.random.Generator, size: float, scale: float) -> tuple[Cover, Cover]:
    """A bent thread up to 2.5 times as long as `size`, with its shadow."""
    row, column = _middle(shape)
    # Five control points around the middle, and their Bezier curve.
    controls = np.array([column, row]) + size * generator.uniform(-0.9, 0.9, (5, 2))
    curve, times = np.repeat(controls[None], 40, axis=0), np.linspace(0, 1, 40)[:, None, None]
    while curve.shape[1] > 1:
        curve = (1 - times) * curve[:, :-1] + times * curve[:, 1:]
    points = [(float(x), float(y)) for x, y in curve[:, 0]]
    thick = scale * float(generator.uniform(0.8, 2.0))
    away = (float(generator.uniform(0.5, 2.0)) * scale, float(generator.uniform(0.5, 2.0)) * scale)
    shifted = [(x + away[0], y + away[1]) for x, y in points]
    return _drawn(shape, [(points, thick)], scale / 4), _drawn(shape, [(shifted, 1.5 * thick)], scale)


def print_cover(shape: Shape, generator: np.random.Generator, size: float, scale: float) -> Cover:
    """A faint print: a grid, dots or rings, cut off by a soft polygon."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    row, column = _middle(shape)
    turn = generator.uniform(0, math.pi)
    along = math.cos(turn) * (columns - column) + math.sin(turn) * (rows - row)
    across = math.cos(turn) * (rows - row) - math.sin(turn) * (columns - column)
    period = max(size / float(generator.uniform(2.0, 6.0)), 2.5 * scale)
    kind = int(generator.integers(3))
    if kind == 0:
        wave = np.maximum(np.cos(2 * math.pi * along / period), np.cos(2 * math.pi * across / period))
    elif kind == 1:
        wave = np.cos(2 * math.pi * along / period) * np.cos(2 * math.pi * across / period)
    else:
        wave = np.cos(2 * math.pi * np.hypot(along, across) / period)
    near = polygon_cover(shape, generator, size, scale, soft=size / 12)
    return np.asarray(near * np.clip(2 * wave, 0, 1), np.float32)


def closed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Morphological closing with a square of 2 `radius` + 1 pixels: it fills gaps up to twice the radius."""
    grown = np.pad(mask, 2 * radius)
    grown = _extreme(grown, radius, np.logical_or, outside=False)
    grown = _extreme(grown, radius, np.logical_and, outside=True)
    return np.asarray(grown[2 * radius : -2 * radius, 2 * radius : -2 * radius])


def _extreme(mask: NDArray[np.bool_], radius: int, reduce: np.ufunc, *, outside: bool) -> NDArray[np.bool_]:
    for axis in (0, 1):
        edges = [(radius, radius) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(mask, edges, constant_values=outside)
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=axis)
        mask = np.asarray(reduce.reduce(views, axis=-1))
    return mask


def _middle(shape: Shape) -> tuple[float, float]:
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2


def _drawn(shape: Shape, lines: list[tuple[Points, float]], soft: float) -> Cover:
    """Lines of a thickness, or filled polygons for thickness 0, with a Gaussian over their edges."""
    height, width = shape
    fine = _FINE if max(shape) <= _LARGEST // _FINE else 1
    picture = Image.new("L", (fine * width, fine * height))
    pen = ImageDraw.Draw(picture)
    for points, thick in lines:
        # A pixel's centre has half-integer coordinates.
        scaled = [(fine * (x + 0.5), fine * (y + 0.5)) for x, y in points]
        if thick == 0:
            pen.polygon(scaled, fill=255)
        else:
            pen.line(scaled, fill=255, width=max(round(fine * thick), 1), joint="curve")
    if fine > 1:
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(soft)), np.float32) / np.float32(255)
