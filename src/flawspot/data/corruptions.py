"""Varies photographs as a worse camera, lens, lamp or fixture would: seven corruptions at five severities.

Lengths are in pixels of a photograph whose shorter side has 224, and grow with the photograph. A severity thus means
the same at any resolution. The severities are ours. The idea of graded corruptions is by Hendrycks and Dietterich
(Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, ICLR 2019, arXiv 1903.12261).

No global random generator is used. The seed decides the direction of a shift, the sign of a rotation or of a change of
brightness, and the noise. It does not depend on the severity, so the severities of one photograph are steps in one
direction. Give each photograph its own seed, see `image_seed`.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ConfigurationError, DataError

Photograph = NDArray[np.uint8]
Mask = NDArray[np.bool_]

REFERENCE_SIDE = 224

BLUR_SIGMA = (0.5, 1.0, 1.5, 2.25, 3.5)
"""Standard deviation of a Gaussian, in pixels of a 224-pixel side, as for a lens out of focus."""

NOISE_SIGMA = (4.0, 8.0, 13.0, 20.0, 30.0)
"""Standard deviation at mid-grey, in grey levels of 255. Half of its variance grows with the light, and half is
constant (Foi et al., IEEE Transactions on Image Processing, 2008). The grain is one pixel of a 224-pixel side. Finer
noise would vanish when the photograph is reduced to the detector's size."""

JPEG_QUALITY = (60, 40, 25, 15, 8)
"""Quality on libjpeg's scale, at the photograph's own resolution, with colours at half of it."""

BRIGHTNESS_STOPS = (0.2, 0.4, 0.65, 1.0, 1.5)
"""Change of the light in stops, up or down by the seed: 1 doubles or halves it. Applied in linear light (sRGB)."""

CONTRAST_FACTOR = (0.85, 0.7, 0.55, 0.4, 0.25)
"""Remaining share of every pixel's distance from the photograph's mean, as with haze or a dirty lens."""

SHIFT_PIXELS = (2.0, 4.0, 8.0, 14.0, 22.0)
"""Distance in pixels of a 224-pixel side, in a random direction. It is rounded to whole pixels of the photograph."""

ROTATION_DEGREES = (1.0, 2.0, 3.0, 5.0, 8.0)
"""Angle around the centre, with a random sign."""


def corrupt(image: Photograph, name: str, severity: int, seed: int) -> Photograph:
    """Apply one corruption to a photograph.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: seed of this photograph, 0 or more.

    Returns:
        A new array of the same shape. Places outside the photograph that a shift or rotation brings in are mirrored at
        its border.

    Raises:
        ConfigurationError: an unknown corruption, or a severity outside 1..5.
        DataError: not an (H, W, 3) uint8 array.
    """
    level = _level(name, severity)
    _check(image)
    return np.array(_APPLY[name](image, level, _generator(name, seed)), order="C")  # Pillow's arrays are read-only


def corrupt_mask(mask: Mask, name: str, severity: int, seed: int) -> Mask:
    """The mask of a photograph after `corrupt` with the same arguments. It is moved if the corruption moves pixels.

    Args:
        mask: (H, W) bool, of the photograph's size.
        name, severity, seed: as for the photograph.

    Returns:
        A new (H, W) array. Places brought in from outside are mirrored as in the photograph, with any defects there.

    Raises:
        ConfigurationError, DataError: as for `corrupt`.
    """
    level = _level(name, severity)
    _check_mask(mask)
    return _moved(mask.astype(np.uint8), name, level, seed).astype(np.bool_)


def corrupt_all(image: Photograph, severities: Mapping[str, float], seed: int) -> Photograph:
    """Apply several corruptions to a photograph, in the order of their causes: fixture, lamp, dirt, lens, sensor, file.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        severities: severity of each corruption, 0 to 5. Whole numbers give the result of `corrupt`. Between them the
            level is interpolated, and 0 changes nothing.
        seed: seed of this photograph, 0 or more.

    Raises:
        ConfigurationError, DataError: as for `corrupt`.
    """
    _check(image)
    found = image
    for name, level in _levels(severities):
        found = _APPLY[name](found, level, _generator(name, seed))
    return np.array(found, order="C")


def corrupt_mask_all(mask: Mask, severities: Mapping[str, float], seed: int) -> Mask:
    """The mask of a photograph after `corrupt_all` with the same arguments; see `corrupt_mask`."""
    _check_mask(mask)
    pixels = mask.astype(np.uint8)
    for name, level in _levels(severities):
        pixels = _moved(pixels, name, level, seed)
    return pixels.astype(np.bool_)


def image_seed(seed: int, image: str) -> int:
    """A photograph's own seed, from the run's seed and the photograph's name. It is the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{image}".encode(errors="surrogatepass")).digest()[:8], "little")


def _level(name: str, severity: int) -> float:
    if name not in _LEVELS:
        raise ConfigurationError(f"unknown corruption {name!r}: choose one of {', '.join(CORRUPTIONS)}")
    if not isinstance(severity, int) or isinstance(severity, bool) or not 1 <= severity <= 5:
        raise ConfigurationError(f"severity {severity!r} of {name} is not one of 1, 2, 3, 4, 5")
    level: float = _LEVELS[name][severity - 1]
    return level


def _levels(severities: Mapping[str, float]) -> list[tuple[str, float]]:
    """The corruptions with an effect, with their levels, in the order of their causes."""
    found = []
    for name, severity in severities.items():
        if name not in _LEVELS:
            raise ConfigurationError(f"unknown corruption {name!r}: choose one of {', '.join(CORRUPTIONS)}")
        if isinstance(severity, bool) or not 0 <= severity <= WORST:
            raise ConfigurationError(f"severity {severity!r} of {name} is not within 0 to {WORST}")
        steps = (_NOTHING[name], *_LEVELS[name])
        below = min(int(severity), WORST - 1)
        part = severity - below
        if severity > 0:
            # Exact at whole severities, where one of the two summands is zero.
            found.append((name, steps[below] * (1 - part) + steps[below + 1] * part))
    return sorted(found, key=lambda pair: _ORDER.index(pair[0]))


def _check(image: Photograph) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DataError(f"only an (H, W, 3) uint8 photograph can be corrupted, not {image.shape} of {image.dtype}")


def _check_mask(mask: Mask) -> None:
    if mask.ndim != 2 or not mask.size:
        raise DataError(f"a mask has the shape (H, W), not {mask.shape}")


def _moved(pixels: NDArray[np.uint8], name: str, level: float, seed: int) -> NDArray[np.uint8]:
    if name == "shift":
        return _shift(pixels, level, _generator(name, seed))
    if name == "rotation":
        return _rotate(pixels, level, _generator(name, seed), Image.Resampling.NEAREST)
    return pixels


def _generator(name: str, seed: int) -> np.random.Generator:
    # With the name, so that the direction of a shift and the sign of a rotation are independent.
    return np.random.default_rng([seed, *name.encode()])


def _scale(image: NDArray[np.uint8]) -> float:
    """The number of pixels of `image` for one pixel of a 224-pixel side."""
    height, width = image.shape[:2]
    side: int = min(height, width)
    return side / REFERENCE_SIDE


def _blur(image: Photograph, level: float, _: np.random.Generator) -> Photograph:
    # Pillow's GaussianBlur is not used, because its boxes have no effect below half a pixel.
    sigma = level * _scale(image)
    reach = math.ceil(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    values = image.astype(np.float32)
    for axis in (0, 1):
        border = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.moveaxis(np.pad(values, border, mode="symmetric"), axis, 0)
        length = image.shape[axis]
        blurred = sum(weight * padded[k : k + length] for k, weight in enumerate(weights))
        values = np.moveaxis(np.asarray(blurred), 0, axis)
    return _to_levels(values)


def _noise(image: Photograph, level: float, generator: np.random.Generator) -> Photograph:
    height, width = image.shape[:2]
    grain = max(_scale(image), 1.0)
    rows, columns = math.ceil(height / grain), math.ceil(width / grain)
    noise = generator.standard_normal((rows, columns, 3), np.float32)
    row = (np.arange(height) / grain).astype(np.intp)
    column = (np.arange(width) / grain).astype(np.intp)
    values = image.astype(np.float32)
    deviation = level * np.sqrt(0.5 + 0.5 * values / 127.5)
    return _to_levels(values + deviation * noise[row[:, None], column])


def _jpeg(image: Photograph, level: float, _: np.random.Generator) -> Photograph:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(level), subsampling="4:2:0")
    with Image.open(file) as compressed:
        return np.asarray(compressed.convert("RGB"))


def _brightness(image: Photograph, level: float, generator: np.random.Generator) -> Photograph:
    factor = 2.0 ** (level * _sign(generator))
    value = np.arange(256) / 255
    # To linear light and back (IEC 61966-2-1).
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * factor
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return _to_levels(255 * value)[image]


def _contrast(image: Photograph, level: float, _: np.random.Generator) -> Photograph:
    mean = float(image.mean())
    return _to_levels(mean + level * (np.arange(256) - mean))[image]


def _turn(image: Photograph, level: float, generator: np.random.Generator) -> Photograph:
    return _rotate(image, level, generator, Image.Resampling.BILINEAR)


def _shift(pixels: NDArray[np.uint8], level: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    direction, distance = generator.uniform(0, 2 * math.pi), level * _scale(pixels)
    down, right = round(distance * math.sin(direction)), round(distance * math.cos(direction))
    padded = _mirrored(pixels, max(abs(down), abs(right)))
    top, left = (len(padded) - height) // 2 - down, (padded.shape[1] - width) // 2 - right
    return padded[top : top + height, left : left + width]


def _rotate(
    pixels: NDArray[np.uint8], level: float, generator: np.random.Generator, resampling: Image.Resampling
) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    # The corners move the farthest, along a chord.
    border = math.ceil(math.hypot(height, width) * math.sin(math.radians(level) / 2)) + 2
    turned = Image.fromarray(_mirrored(pixels, border)).rotate(level * _sign(generator), resampling)
    return np.asarray(turned)[border : border + height, border : border + width]


def _mirrored(pixels: NDArray[np.uint8], border: int) -> NDArray[np.uint8]:
    return np.pad(pixels, [(border, border), (border, border)] + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")


def _sign(generator: np.random.Generator) -> int:
    return 1 if generator.random() < 0.5 else -1


def _to_levels(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


_LEVELS: dict[str, tuple[float, ...]] = {
    "blur": BLUR_SIGMA,
    "noise": NOISE_SIGMA,
    "jpeg": JPEG_QUALITY,
    "brightness": BRIGHTNESS_STOPS,
    "contrast": CONTRAST_FACTOR,
    "shift": SHIFT_PIXELS,
    "rotation": ROTATION_DEGREES,
}

_APPLY: dict[str, Callable[[Photograph, float, np.random.Generator], Photograph]] = {
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "brightness": _brightness,
    "contrast": _contrast,
    "shift": _shift,
    "rotation": _turn,
}

_NOTHING = {"blur": 0.0, "noise": 0.0, "jpeg": 100.0, "brightness": 0.0, "contrast": 1.0, "shift": 0.0, "rotation": 0.0}
"""The level of severity 0."""

_ORDER = ("shift", "rotation", "brightness", "contrast", "blur", "noise", "jpeg")

WORST = 5

CORRUPTIONS = tuple(_LEVELS)
"""The names that `corrupt` knows."""
