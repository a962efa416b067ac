"""Pastes defects on photographs of good parts, to estimate the recall of a threshold before there is a real defect.

There are three kinds: a piece from elsewhere in the photograph (after Li et al., CutPaste, CVPR 2021), a thin scratch,
and a spot of another tone. They are placed on the part. Real defects are different. The result shows which of two
thresholds finds more, not how much a line will find.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Photograph = NDArray[np.uint8]

SIZES = (0.03, 0.15)
"""Size of a defect as a share of the photograph's shorter side: log-uniform."""
CONTRAST = (25.0, 90.0)
"""Difference of scratches and spots from the background, in grey levels."""
_BACKGROUND = 20.0
"""A pixel within this many grey levels of the border's colour does not belong to the part."""


def paste_defect(image: Photograph, seed: int, where: NDArray[np.bool_] | None = None) -> Photograph:
    """Paste one defect on a photograph.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        seed: decides kind, place, size and tone.
        where: (H, W), the allowed places of its middle; None: anywhere.

    Returns:
        A new array of the same shape.
    """
    generator = np.random.default_rng(seed)
    side = min(image.shape[:2])
    size = max(side * math.exp(generator.uniform(math.log(SIZES[0]), math.log(SIZES[1]))), 3.0)
    row, column = _place(image, generator, where)
    kind = int(generator.integers(3))
    if kind == 0:
        return _piece(image, generator, row, column, size)
    cover = _scratch(image, generator, row, column, size) if kind == 1 else _spot(image, generator, row, column, size)
    tone = generator.choice([-1, 1]) * generator.uniform(CONTRAST[0], CONTRAST[1]) * generator.uniform(0.5, 1, 3)
    changed: Photograph = np.clip(np.rint(image + cover[:, :, None] * tone), 0, 255).astype(np.uint8)
    return changed


def _place(
    image: Photograph, generator: np.random.Generator, where: NDArray[np.bool_] | None = None
) -> tuple[int, int]:
    """A random pixel of the part, within `where` if it is given."""
    chosen = int(generator.choice(np.flatnonzero(within(part_of(image), where))))
    return chosen // image.shape[1], chosen % image.shape[1]


def within(is_part: NDArray[np.bool_], where: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Pixels where both are true; if there are none, `where` alone; if `where` is empty, the part."""
    if where is None or not where.any():
        return is_part
    both: NDArray[np.bool_] = is_part & where
    return both if both.any() else where


def part_of(image: Photograph) -> NDArray[np.bool_]:
    """(H, W) mask of the part, found by the colour of the photograph's border. It is True everywhere if no background
    can be distinguished.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    is_part = np.abs(image.astype(np.float32) - np.median(border, axis=0)).max(axis=2) > _BACKGROUND
    if not 0.05 < is_part.mean() < 0.95:
        is_part = np.ones(image.shape[:2], np.bool_)
    return np.asarray(is_part)


def _piece(image: Photograph, generator: np.random.Generator, row: int, column: int, size: float) -> Photograph:
    """A rectangle from another place of the part, turned, with soft edges."""
    height, width = image.shape[:2]
    ratio = math.exp(generator.uniform(-1, 1) * math.log(2.5))
    tall = int(np.clip(round(size * ratio), 3, height))
    wide = int(np.clip(round(size / ratio), 3, width))
    from_row, from_column = _place(image, generator)
    top, left = (
        int(np.clip(a - b // 2, 0, c - b)) for a, b, c in ((from_row, tall, height), (from_column, wide, width))
    )
    piece = Image.fromarray(np.ascontiguousarray(image[top : top + tall, left : left + wide]))
    angle = float(generator.uniform(0, 360))
    cover = Image.new("L", piece.size, 255).rotate(angle, expand=True).filter(ImageFilter.GaussianBlur(1))
    turned = piece.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    changed = Image.fromarray(image)
    changed.paste(turned, (column - turned.width // 2, row - turned.height // 2), cover)
    return np.array(changed)


def _scratch(
    image: Photograph, generator: np.random.Generator, row: int, column: int, size: float
) -> NDArray[np.float32]:
    """Coverage (H, W) in [0, 1] of a bent line, three times as long as `size`."""
    height, width = image.shape[:2]
    heading, bend = generator.uniform(0, 2 * math.pi), generator.normal(0, 0.6)
    steps = np.linspace(-0.5, 0.5, 12)
    angles = heading + bend * steps
    xs = column + np.cumsum(np.cos(angles)) * 3 * size / len(steps)
    ys = row + np.cumsum(np.sin(angles)) * 3 * size / len(steps)
    drawn = Image.new("L", (width, height))
    thickness = max(round(size * generator.uniform(0.05, 0.2)), 1)
    ImageDraw.Draw(drawn).line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=255, width=thickness)
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / np.float32(255)


def _spot(image: Photograph, generator: np.random.Generator, row: int, column: int, size: float) -> NDArray[np.float32]:
    """Coverage (H, W) in [0, 1] of an irregular round shape."""
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    dy, dx = (rows - row).astype(np.float32), (columns - column).astype(np.float32)
    angle = np.arctan2(dy, dx)
    outline = np.ones_like(angle)
    for k in range(1, 5):
        outline += generator.normal(0, 0.2 / k) * np.cos(k * angle + generator.uniform(0, 2 * math.pi))
    distance = size / 2 * np.maximum(outline, 0.3) - np.hypot(dy, dx)
    cover: NDArray[np.float32] = np.clip(distance / 1.5 + 0.5, 0, 1).astype(np.float32)
    return cover
