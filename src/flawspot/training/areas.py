"""Areas of a photograph as users give them: pictures of masks, corners of polygons, arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from flawspot.data.reading import at_centres
from flawspot.errors import ConfigurationError, ImageError
from flawspot.runtime.images import read_image
from flawspot.runtime.regions import photograph_mask
from flawspot.texts import shortened

Size = tuple[int, int]
Area = str | os.PathLike[str] | Sequence[tuple[float, float]] | NDArray[np.bool_]
"""A picture of a mask; corners of a polygon, ``"10,20 300,20 300,200"`` or pairs; an array (H, W)."""

_CORNERS = re.compile(r"[\d\s.,;+-]+")
_ASPECT = 0.02
"""Largest relative difference between the proportions of a mask and of the photographs."""
_GREY = 127
_GIVE = "give a picture of a mask, an array (H, W), or corners such as 10,20 300,20 300,200"


def as_areas(given: Area | Sequence[Area] | None) -> tuple[Area, ...]:
    """One or several given areas as a tuple."""
    if given is None:
        return ()
    if isinstance(given, str | os.PathLike | np.ndarray):
        return (given,)
    try:
        found = tuple(given)
    except TypeError:
        raise ConfigurationError(f"a region {given!r}: {_GIVE}") from None
    return (found,) if found and _is_polygon(found) else found  # type: ignore[return-value]


def _is_polygon(area: object) -> bool:
    """Whether `area` consists of pairs of numbers. Truth values and grey levels belong to masks."""
    if isinstance(area, str | os.PathLike) or (isinstance(area, np.ndarray) and area.dtype in (np.bool_, np.uint8)):
        return False
    try:
        corners = np.asarray(area, np.float64)
    except (TypeError, ValueError):
        return False
    return corners.ndim == 2 and corners.shape[1] == 2


def covered(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) on a raster of `shape`. A cell is set if any of its pixels is, so that small areas remain."""
    height, width = shape
    enlarged = at_centres(mask, (max(mask.shape[0], height), max(mask.shape[1], width)))
    return photograph_mask(enlarged, (width, height))


def mask_of(area: Area, usual: Size, name: str) -> NDArray[np.bool_]:
    """(H, W) over a whole photograph."""
    if isinstance(area, np.ndarray) and area.ndim == 2 and area.size and not _is_polygon(area):
        return _fitting(area > (_GREY if area.dtype == np.uint8 else 0), usual, f"the mask of {name}")
    if isinstance(area, str) and _CORNERS.fullmatch(area) and not _exists(area):
        return _polygon(_corners(area, name), usual, name)
    if isinstance(area, str | os.PathLike) and os.fspath(area) != "":
        return _from_file(Path(area), usual, name)
    if _is_polygon(area):
        return _polygon([(float(x), float(y)) for x, y in np.asarray(area, np.float64)], usual, name)
    raise ConfigurationError(f"{name} {shortened(repr(area))}: {_GIVE}")


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # not a valid name of a file
        return False


def _corners(text: str, name: str) -> list[tuple[float, float]]:
    try:
        numbers = [[float(part) for part in pair.split(",") if part] for pair in text.replace(";", " ").split()]
        return [(x, y) for x, y in numbers]
    except ValueError:
        raise ConfigurationError(
            f"{name} {shortened(text)!r}: give corners as X,Y X,Y X,Y in pixels of the photograph"
        ) from None


def _from_file(path: Path, usual: Size, name: str) -> NDArray[np.bool_]:
    if not _exists(str(path)):
        shown = shortened(str(path))
        raise ConfigurationError(f"{name} {shown}: no such file, and no corners such as 10,20 300,20 300,200")
    try:
        values = read_image(path).max(axis=2)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    if values.max() <= _GREY:
        raise ConfigurationError(
            f"{name} {path}: white marks the area, and the brightest pixel of this mask is {values.max()} of 255"
        )
    if values.min() > _GREY:
        raise ConfigurationError(
            f"{name} {path}: this mask is white everywhere: make black what does not belong to the area"
        )
    return _fitting(values > _GREY, usual, f"{name} {path}")


def _fitting(mask: NDArray[np.bool_], usual: Size, name: str) -> NDArray[np.bool_]:
    height, width = mask.shape
    if abs(width * usual[1] / (height * usual[0]) - 1) > _ASPECT:
        raise ConfigurationError(
            f"{name} has {width} x {height} pixels, another shape than photographs of {usual[0]} x {usual[1]}: draw it "
            "on one of them"
        )
    return mask


def _polygon(corners: Sequence[tuple[float, float]], usual: Size, name: str) -> NDArray[np.bool_]:
    """The mask of a polygon with corners in pixels of the photograph. Two corners give an upright rectangle."""
    if len(corners) < 2:
        raise ConfigurationError(f"{name} has {len(corners)} corners: give two of a rectangle, or three and more")
    if not np.isfinite(corners).all() or np.abs(corners).max() > 1e6:
        raise ConfigurationError(f"{name} has corners that lie on no photograph")
    drawn = Image.new("1", usual)
    draw = ImageDraw.Draw(drawn)
    if len(corners) == 2:
        (left, top), (right, bottom) = np.min(corners, 0), np.max(corners, 0)
        draw.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), fill=1)
    else:
        draw.polygon([(x, y) for x, y in corners], fill=1)
    mask = np.asarray(drawn, np.bool_)
    if not mask.any():
        raise ConfigurationError(f"{name} lies outside of the photographs, which have {usual[0]} x {usual[1]} pixels")
    return mask
