"""Defects on synthetic products. Each changes a scene in place and gives the exact pixels that it changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flawspot.data.demo_products import Array, Scene, grid, smooth_noise, soft

VISIBLE = 0.05
"""Coverage by a defect from which on a pixel belongs to it."""


def _between(generator: np.random.Generator, low: float, high: float) -> float:
    """A size in pixels, log-uniform: small defects are as frequent as large ones, as on a real line."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _place(scene: Scene, generator: np.random.Generator, inside: float) -> tuple[float, float]:
    """A random point on the part at least `inside` pixels from its border: (row, column) from the centre."""
    deepest = float(scene.edge.max())
    candidates = np.flatnonzero(scene.edge > min(inside, 0.7 * deepest))
    size = len(scene.edge)
    row, column = divmod(int(generator.choice(candidates)), size)
    return row - (size - 1) / 2, column - (size - 1) / 2


def _stroke(scene: Scene, generator: np.random.Generator, length: float, width: float, bend: float) -> Array:
    """Coverage (H, W) of a curved stroke on the part; lengths in pixels, `bend` in radians over the whole length."""
    size = len(scene.edge)
    row, column = _place(scene, generator, width + 2)
    direction = generator.uniform(0, 2 * np.pi)
    steps = max(int(length), 2)
    headings = direction + bend * np.linspace(-0.5, 0.5, steps)
    rows, columns = grid(size)
    nearest = np.full((size, size), np.inf, np.float32)
    path_row, path_column = row, column
    for heading in headings:
        path_row, path_column = path_row + np.sin(heading), path_column + np.cos(heading)
        # Only pixels in a window around the point can be nearer.
        reach = int(width) + 4
        top, left = int(path_row + size / 2) - reach, int(path_column + size / 2) - reach
        window = np.s_[max(top, 0) : max(top + 2 * reach, 0), max(left, 0) : max(left + 2 * reach, 0)]
        distance = np.hypot(rows[window] - path_row, columns[window] - path_column)
        nearest[window] = np.minimum(nearest[window], distance)
    coverage: Array = np.where(scene.edge > 0, soft(width / 2 - nearest, 0.5), 0)
    return coverage


def _blob(scene: Scene, generator: np.random.Generator, radius: float, centre: tuple[float, float]) -> Array:
    """Signed distance, in pixels, of an irregular round shape; positive inside."""
    rows, columns = grid(len(scene.edge))
    row, column = centre
    dy, dx = rows - row, columns - column
    angle = np.arctan2(dy, dx)
    outline = 1 + sum(
        generator.normal(0, 0.22 / k) * np.cos(k * angle + generator.uniform(0, 2 * np.pi)) for k in range(1, 6)
    )
    stretch = generator.uniform(0.7, 1.4)
    return np.asarray(radius * outline - np.hypot(dy * stretch, dx / stretch), np.float32)


def _blend(scene: Scene, coverage: Array, colour: Array) -> NDArray[np.bool_]:
    """Paint `colour`, (H, W, 3) or (3,), over the part. Pixels beside the part are not changed."""
    coverage = np.where((coverage > VISIBLE) & (scene.cover > VISIBLE), coverage, 0).astype(np.float32)
    scene.part += coverage[:, :, None] * (colour - scene.part)
    return coverage > 0


def scratch(scene: Scene, generator: np.random.Generator, scale: float) -> NDArray[np.bool_]:
    """A thin line, lighter or darker than the surface, and sometimes barely visible."""
    coverage = _stroke(
        scene,
        generator,
        scale * _between(generator, 24, 130),
        scale * _between(generator, 2.5, 12.0),
        generator.normal(0, 0.5),
    )
    contrast = generator.choice([-1, 1]) * generator.uniform(0.10, 0.28)
    return _blend(scene, coverage * generator.uniform(0.6, 1.0), np.clip(scene.part + np.float32(contrast), 0.02, 1))


def stain(scene: Scene, generator: np.random.Generator, scale: float) -> NDArray[np.bool_]:
    """A mottled, translucent patch of another tone, darker where it dried last: oil, ink, water."""
    radius = scale * _between(generator, 10, 36)
    distance = _blob(scene, generator, radius, _place(scene, generator, radius / 2))
    size = len(scene.edge)
    ragged = distance + scale * 2 * smooth_noise(generator, size, 24)
    tint = generator.uniform(0.15, 0.50) * generator.uniform(0.5, 1.0, 3).astype(np.float32)
    mottle = 1 + 0.7 * smooth_noise(generator, size, 40) + 0.6 * soft(2 * scale - ragged, 2 * scale)
    stained = scene.part * (1 - tint * np.clip(mottle, 0.2, 1.8)[:, :, None])
    return _blend(scene, soft(ragged, 1.5 * scale), stained.astype(np.float32))


def chip(scene: Scene, generator: np.random.Generator, scale: float) -> NDArray[np.bool_]:
    """Missing material: a piece broken off the border with a rough rim; in a texture, a worn place."""
    radius = scale * _between(generator, 7, 26)
    at_border = np.abs(scene.edge) < 1
    is_object = scene.cover.min() < 1
    if is_object and at_border.any():
        size = len(scene.edge)
        row, column = divmod(int(generator.choice(np.flatnonzero(at_border))), size)
        centre = (row - (size - 1) / 2, column - (size - 1) / 2)
    else:
        radius *= 1.3
        centre = _place(scene, generator, radius + 2)
    distance = _blob(scene, generator, radius, centre) + smooth_noise(generator, len(scene.edge), 40)
    gone = np.where(scene.cover > VISIBLE, soft(distance), 0)
    if not is_object:
        gone = gone * np.float32(generator.uniform(0.3, 0.7))
    gone = np.where(gone > VISIBLE, gone, 0).astype(np.float32)
    rim = soft(distance + 1.5 * scale) * scene.cover
    touched = _blend(scene, rim, scene.part * np.float32(0.6 if is_object else 0.85))
    scene.cover *= 1 - gone
    return touched | (gone > 0)


def fibre(scene: Scene, generator: np.random.Generator, scale: float) -> NDArray[np.bool_]:
    """A foreign hair or thread."""
    coverage = _stroke(
        scene,
        generator,
        scale * _between(generator, 30, 160),
        scale * _between(generator, 2.0, 7.0),
        generator.normal(0, 3.0),
    )
    tone = generator.choice([0.10, 0.85])
    colour = np.clip(tone * generator.uniform(0.85, 1.15, 3), 0, 1).astype(np.float32)
    return _blend(scene, coverage * generator.uniform(0.3, 0.7), colour)


def pit(scene: Scene, generator: np.random.Generator, scale: float) -> NDArray[np.bool_]:
    """A tiny dent: dark towards the light, bright away from it."""
    radius = scale * _between(generator, 2.5, 9)
    row, column = centre = _place(scene, generator, radius + 2)
    coverage = soft(_blob(scene, generator, radius, centre), 0.6)
    rows, columns = grid(len(scene.edge))
    across = np.clip(((rows - row) + (columns - column)) / (2 * radius), -1, 1)
    shaded = scene.part * (0.72 + 0.45 * across)[:, :, None].astype(np.float32)
    return _blend(scene, coverage, shaded)


DEFECTS: dict[str, Callable[[Scene, np.random.Generator, float], NDArray[np.bool_]]] = {
    "scratch": scratch,
    "stain": stain,
    "chip": chip,
    "fibre": fibre,
    "pit": pit,
}
