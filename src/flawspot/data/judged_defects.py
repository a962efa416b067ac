"""Defects for comparing trained detectors. The family differs from `flawspot.data.pasted` and from what any method is
trained on, so that no detector is judged by what it has learned.

There are seven kinds: a *chip* (a polygon of another texture), a *crack* (branching hairlines), a *fibre* with its
shadow, a *discolouration* whose shape is thresholded noise of several octaves (after Zavrtanik et al., DRAEM, ICCV
2021), a piece of another photograph *blended* in by its gradients (after Schlueter et al., NSA, ECCV 2022, and Perez et
al., Poisson image editing, 2003), a place of other *contrast*, and a faint *print*. Sizes are log-uniform from 1 to 20
% of the photograph's shorter side. Contrasts range from barely visible to plain. Real defects are different. The result
shows which of several detectors finds more, not how much a line will find.
these says which of several detectors finds more, not how much a line will find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.data.defect_shapes import closed, crack_cover, fibre_cover, noise, polygon_cover, print_cover
from flawspot.data.gradient_blending import blended
from flawspot.data.pasted import Photograph, part_of, within
from flawspot.data.reading import at_centres

SIZES = (0.01, 0.20)
"""Size of a defect as a share of the photograph's shorter side: log-uniform."""
CONTRAST = (14.0, 110.0)
"""Largest difference from the background, in grey levels: log-uniform."""
VISIBLE = 10
"""A pixel belongs to the mask from this many grey levels of change in the channel that changes most."""
KINDS = ("chip", "crack", "fibre", "discolouration", "blended", "contrast", "print")

_UNIT = 224
"""Widths of lines and edges are in pixels of a photograph whose shorter side has this many."""
_PART_SIDE = 512
"""Longest side of the copy in which the part is located."""
_LEAST = 4.0
"""Least pixels of the mask, in a photograph of `_UNIT`. A smaller defect is made again."""
_TRIES = 20
_GREY = 2.0
"""Photographs whose channels differ by less than this on average, in grey levels, have no colour. Nor do their
defects."""

Values = NDArray[np.float32]


@dataclass(frozen=True)
class JudgedDefect:
    """A photograph with a defect.

    Attributes:
        image: (H, W), visibly changed pixels.
        mask: (H, W), where it was visibly changed.
        kind: one of `KINDS`.
    """

    image: Photograph
    mask: NDArray[np.bool_]
    kind: str


@dataclass(frozen=True)
class _Window:
    """The window of a photograph that changes, and what is drawn there.

    Attributes:
        pixels: (h, w, 3), the unchanged pixels.
        size: size of the defect in pixels.
        scale: pixels of the photograph for one of `_UNIT`.
        contrast: in grey levels.
        grey: whether the photograph has no colour.
    """

    pixels: Values
    size: float
    scale: float
    contrast: float
    grey: bool


def place_candidates(image: Photograph, where: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.bool_], int]:
    """Where the middle of a defect may be, in a copy that is smaller by the returned factor; see `part_of`.

    Args:
        image: (H, W, 3) uint8 RGB.
        where: (H', W') over the photograph, the allowed places; None: anywhere on the part.
    """
    scale = max(max(image.shape[:2]) // _PART_SIDE, 1)
    part = part_of(np.ascontiguousarray(image[scale // 2 :: scale, scale // 2 :: scale]))
    return within(part, None if where is None else at_centres(where, (part.shape[0], part.shape[1]))), scale


def judged_defect(
    image: Photograph,
    seed: int,
    other: Photograph | None = None,
    *,
    kind: str | None = None,
    where: NDArray[np.bool_] | None = None,
    places: tuple[NDArray[np.bool_], int] | None = None,
) -> JudgedDefect:
    """Draw one defect on a photograph.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        seed: decides kind, place, size, tone and everything else. The same seed gives the same bits.
        other: another good photograph, of any size, for a blended piece; None: the same photograph.
        kind: one of `KINDS`; None: chosen by the seed.
        where: (H', W') over the photograph, where the middle of a defect may be; None: anywhere on the part.
        places: the result of `place_candidates` for this photograph and `where`, to reuse it for several defects.

    Returns:
        The mask has at least one pixel. Outside of it no pixel is changed by `VISIBLE` or more.
    """
    generator = np.random.default_rng([seed, 0x6A756467])
    candidates, step = place_candidates(image, where) if places is None else places
    side = min(image.shape[:2])
    scale = max(side / _UNIT, 1 / 4)
    grey = bool(np.ptp(image[::step, ::step].astype(np.int16), axis=2).mean() < _GREY)
    chosen = KINDS[int(generator.integers(len(KINDS)))] if kind is None else kind
    for attempt in range(_TRIES):
        # An invisible defect is made again elsewhere, in the end with the highest contrast.
        size = side * _log_uniform(generator, *SIZES)
        contrast = _log_uniform(generator, *CONTRAST) if attempt < _TRIES // 2 else CONTRAST[1]
        row, column = divmod(int(generator.choice(np.flatnonzero(candidates))), candidates.shape[1])
        box = _box(image, row * step + step // 2, column * step + step // 2, _reach(chosen, size, scale))
        window = _Window(image[box].astype(np.float32), size, scale, contrast, grey)
        changed = np.clip(np.rint(_changed(chosen, window, image if other is None else other, generator)), 0, 255)
        visible = np.abs(changed - window.pixels).max(axis=2) >= VISIBLE
        if np.count_nonzero(visible) >= max(_LEAST * scale**2, 1):
            break
        if attempt == _TRIES // 2:
            chosen = "chip"
    else:
        return _inverted(image, candidates, step, generator, scale)
    result, mask = image.copy(), np.zeros(image.shape[:2], np.bool_)
    result[box] = changed.astype(np.uint8)
    mask[box] = closed(visible, max(round(scale), 1))
    return JudgedDefect(result, mask, chosen)


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


def _reach(kind: str, size: float, scale: float) -> float:
    """Half the side of a defect's window, in pixels."""
    return (1.5 if kind in ("crack", "fibre") else 0.75) * size + 4 * scale


def _box(image: Photograph, row: int, column: int, reach: float) -> tuple[slice, slice]:
    """The window around a pixel, cut off at the photograph's border."""
    height, width = image.shape[:2]
    half = math.ceil(reach)
    top, left = max(row - half, 0), max(column - half, 0)
    return slice(top, min(row + half + 1, height)), slice(left, min(column + half + 1, width))


def _changed(kind: str, window: _Window, other: Photograph, generator: np.random.Generator) -> Values:
    """The window's pixels with the defect, before they are rounded."""
    pixels, contrast = window.pixels, window.contrast
    shape = (pixels.shape[0], pixels.shape[1])
    if kind == "blended":
        return _blended(window, other, generator)
    if kind == "chip":
        cover = polygon_cover(shape, generator, window.size, window.scale)
        texture = noise(shape, generator, max(window.size / 4, 2.0), octaves=3) - np.float32(0.5)
        filled = _mean(pixels) + _tone(window, generator) + contrast * texture[:, :, None]
        return _over(pixels, cover, filled)
    if kind == "crack":
        cover = crack_cover(shape, generator, window.size, window.scale)
        return pixels + cover[:, :, None] * _tone(window, generator)
    if kind == "fibre":
        cover, shadow = fibre_cover(shape, generator, window.size, window.scale)
        shaded = pixels - shadow[:, :, None] * np.float32(0.4 * contrast)
        return _over(shaded, cover, _mean(pixels) + _tone(window, generator))
    if kind == "discolouration":
        shaped = noise(shape, generator, max(window.size / 2, 2.0), octaves=4)
        near = polygon_cover(shape, generator, window.size, window.scale, soft=window.size / 8)
        cover = near * np.clip(8 * (shaped - np.float32(np.quantile(shaped, 0.45))), 0, 1)
        return np.asarray(pixels + cover[:, :, None] * _tone(window, generator))
    if kind == "contrast":
        cover = polygon_cover(shape, generator, window.size, window.scale, soft=window.size / 10)
        return _over(pixels, cover, _other_contrast(window, generator))
    cover = print_cover(shape, generator, window.size, window.scale)
    return pixels + cover[:, :, None] * _tone(window, generator)


def _blended(window: _Window, other: Photograph, generator: np.random.Generator) -> Values:
    """A piece of the other photograph, with its gradients and the tone of its new place."""
    pixels = window.pixels
    height, width = pixels.shape[0], pixels.shape[1]
    tall, wide = (min(max(round(window.size * generator.uniform(0.6, 1.2)), 3), side) for side in (height, width))
    tall, wide = min(tall, other.shape[0]), min(wide, other.shape[1])
    from_row = int(generator.integers(other.shape[0] - tall + 1))
    from_column = int(generator.integers(other.shape[1] - wide + 1))
    piece = other[from_row : from_row + tall, from_column : from_column + wide].astype(np.float32)
    if generator.random() < 0.5:
        piece = piece[:, ::-1]
    if generator.random() < 0.5:
        piece = piece[::-1]
    if window.grey:
        piece = np.repeat(piece.mean(axis=2, keepdims=True), 3, axis=2)
    top, left = (height - tall) // 2, (width - wide) // 2
    changed = pixels.copy()
    place = changed[top : top + tall, left : left + wide]
    place[:] = blended(place, np.ascontiguousarray(piece))
    return changed


def _other_contrast(window: _Window, generator: np.random.Generator) -> Values:
    """The pixels with another gamma, or with more or less contrast around their mean."""
    pixels = window.pixels
    if generator.random() < 0.5:
        exponent = np.float32(math.exp(generator.choice([-1, 1]) * window.contrast / 100))
        return np.asarray(np.float32(255) * (np.clip(pixels, 0, 255) / np.float32(255)) ** exponent)
    spread = max(float(pixels.std()), 1.0)
    factor = np.float32(max(1 + generator.choice([-1, 1]) * window.contrast / (2 * spread), 0.0))
    return np.asarray(_mean(pixels) + factor * (pixels - _mean(pixels)))


def _tone(window: _Window, generator: np.random.Generator) -> Values:
    """The largest change of each of the three channels, in grey levels, towards the side with room."""
    level = float(window.pixels.mean())
    sign = 1 if generator.random() < (255 - level) / 255 else -1
    shares = np.ones(3) if window.grey else generator.uniform(0.3, 1.0, 3)
    return np.asarray(sign * window.contrast * shares / shares.max(), np.float32)


def _mean(pixels: Values) -> Values:
    return np.asarray(pixels.mean(axis=(0, 1), keepdims=True))


def _over(below: Values, cover: Values, above: Values) -> Values:
    return np.asarray(below + cover[:, :, None] * (above - below))


def _inverted(
    image: Photograph, candidates: NDArray[np.bool_], step: int, generator: np.random.Generator, scale: float
) -> JudgedDefect:
    """The last resort if nothing became visible: a small square with inverted pixels."""
    row, column = divmod(int(generator.choice(np.flatnonzero(candidates))), candidates.shape[1])
    box = _box(image, row * step, column * step, 2 * scale)
    result, mask = image.copy(), np.zeros(image.shape[:2], np.bool_)
    result[box] = np.where(image[box] < 128, 255, 0)
    mask[box] = True
    return JudgedDefect(result, mask, "chip")
