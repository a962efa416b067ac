"""What is to be seen of a photograph, as users ask for it, and the view that comes of it once photographs are known."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from flawspot.data.reading import at_centres
from flawspot.errors import ConfigurationError, ImageError
from flawspot.methods.shapes import as_size, check_input_size
from flawspot.runtime.images import read_image
from flawspot.runtime.inspected import MAX_SIDE, Inspected
from flawspot.runtime.view import FITS, MAX_CANVAS, MAX_TILES, View

Size = tuple[int, int]
Area = str | os.PathLike[str] | Sequence[tuple[float, float]] | NDArray[np.bool_]
"""A picture of a mask; corners of a polygon, ``"10,20 300,20 300,200"`` or pairs; an array (H, W)."""

OVERLAP = 0.25
"""Of neighbouring tiles, as a share of a tile."""
MOST_OVERLAP = 0.5
_PAIR = re.compile(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*")
_AUTO = re.compile(r"\s*auto\s*:\s*(\d+)\s*")
_SMALLEST_AUTO = 16
_ASPECT = 0.02
"""By how much the proportions of a mask may differ from those of the photographs."""
_GREY = 127


@dataclass(frozen=True)
class ViewRequest:
    """Checked, but for what depends on the photographs.

    Attributes:
        size: (height, width) of the network's input.
        fit: of `flawspot.runtime.view.FITS`.
        tiles: (rows, columns), or how many pixels of the photographs a tile is to show along each side.
        overlap: of neighbouring tiles, in 0..0.5 of a tile.
        roi, ignore: areas that are inspected, and that are not; no `roi` means everything.
    """

    size: Size
    fit: str
    tiles: tuple[int, int] | int
    overlap: float
    roi: tuple[Area, ...]
    ignore: tuple[Area, ...]

    def resolved(self, sizes: Sequence[Size]) -> View:
        """The view for photographs of these (width, height).

        Raises:
            ConfigurationError: too many tiles or too large a canvas; a region that does not fit, or leaves nothing.
            ImageError: a mask cannot be read.
        """
        usual = usual_size(sizes)
        rows, columns = self._grid(usual)
        down, across = (
            round(self.overlap * side) if count > 1 else 0
            for side, count in zip(self.size, (rows, columns), strict=True)
        )
        view = View(*self.size, self.fit, rows, columns, (down, across), self._inspected(usual))
        if view.canvas[0] * view.canvas[1] > MAX_CANVAS:
            raise ConfigurationError(
                f"{view} make a map of {view.canvas[0]:,} x {view.canvas[1]:,} pixels, more than {MAX_CANVAS:,}: take "
                "fewer tiles or a smaller --input-size"
            )
        for size in sorted(set(sizes)):
            if not view.sees(size):
                raise ConfigurationError(
                    f"nothing of the region is left of photographs of {size[0]} x {size[1]} pixels with --fit "
                    f"{self.fit}: take another fit, or leave these photographs out"
                )
        return view

    def _grid(self, usual: Size) -> tuple[int, int]:
        if not isinstance(self.tiles, int):
            rows, columns = self.tiles
            told = f"{rows} x {columns}"
        else:
            rows, columns = (
                _count(length, shown=self.tiles * side / max(self.size), overlap=self.overlap)
                for length, side in zip(usual[::-1], self.size, strict=True)
            )
            told = f"auto:{self.tiles} of photographs of {usual[0]} x {usual[1]} pixels"
        if rows * columns > MAX_TILES:
            raise ConfigurationError(
                f"tiles {told} are {rows * columns:,} tiles, more than {MAX_TILES}: let each show more"
            )
        return rows, columns

    def _inspected(self, usual: Size) -> Inspected | None:
        if not self.roi and not self.ignore:
            return None
        height, width = (min(side, MAX_SIDE) for side in usual[::-1])
        mask = np.ones((height, width), np.bool_)
        if self.roi:
            mask = np.logical_or.reduce([at_centres(_mask(area, usual, "--roi"), mask.shape) for area in self.roi])
        for area in self.ignore:
            mask &= ~at_centres(_mask(area, usual, "--ignore"), mask.shape)
        if not mask.any():
            raise ConfigurationError("nothing of the photograph is left to inspect: look at --roi and --ignore")
        return None if mask.all() else Inspected.of(mask)


def usual_size(sizes: Sequence[Size]) -> Size:
    """(width, height) that most photographs have."""
    return Counter(sizes).most_common(1)[0][0]


def request_view(
    input_size: int | str | Sequence[int],
    fit: str,
    tiles: str | Sequence[int] | None,
    overlap: float | None,
    roi: Area | Sequence[Area],
    ignore: Area | Sequence[Area],
) -> ViewRequest:
    """Check what was asked for.

    Raises:
        ConfigurationError: names what cannot be.
    """
    size = as_size(_parsed_size(input_size) if isinstance(input_size, str) else input_size)
    check_input_size(size)
    if fit not in FITS:
        raise ConfigurationError(f"unknown fit {fit!r}: the known ones are {', '.join(FITS)}")
    overlap = OVERLAP if overlap is None else overlap
    if not 0 <= overlap <= MOST_OVERLAP:
        raise ConfigurationError(f"tiles cannot overlap by {overlap:g} of a tile: give 0 to {MOST_OVERLAP:g}")
    return ViewRequest(size, fit, _parsed_tiles(tiles), overlap, _areas(roi), _areas(ignore))


def _parsed_size(text: str) -> int | Size:
    if text.strip().isdigit():
        return int(text)
    found = _PAIR.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"input size {text!r}: give a number, or HEIGHTxWIDTH such as 256x512")
    return int(found[1]), int(found[2])


def _parsed_tiles(tiles: str | Sequence[int] | None) -> tuple[int, int] | int:
    wrong = f"tiles {tiles!r}: give ROWSxCOLUMNS such as 2x3, or auto:PIXELS for tiles that show so many pixels"
    if tiles is None:
        return 1, 1
    if isinstance(tiles, str):
        auto, pair = _AUTO.fullmatch(tiles), _PAIR.fullmatch(tiles)
        if auto is not None:
            pixels = int(auto[1])
            if pixels < _SMALLEST_AUTO:
                raise ConfigurationError(f"tiles that show {pixels} pixels: give at least {_SMALLEST_AUTO}")
            return pixels
        if pair is None:
            raise ConfigurationError(wrong)
        tiles = int(pair[1]), int(pair[2])
    counts = tuple(tiles)
    if len(counts) != 2 or min(counts) < 1:
        raise ConfigurationError(wrong)
    return counts[0], counts[1]


def _count(length: int, shown: float, overlap: float) -> int:
    """How many tiles that show so many pixels each cover the length."""
    step = shown * (1 - overlap)
    return max(int(np.ceil((length - shown) / step - 1e-9)) + 1, 1)


def _areas(given: Area | Sequence[Area]) -> tuple[Area, ...]:
    if isinstance(given, str | os.PathLike | np.ndarray):
        return (given,)
    found = tuple(given)
    pairs = all(isinstance(each, Sequence) and not isinstance(each, str) and len(each) == 2 for each in found)
    if found and pairs and all(isinstance(number, int | float) for each in found for number in each):  # type: ignore[union-attr]
        return (found,)  # type: ignore[return-value]  # one polygon
    return found  # type: ignore[return-value]


def _mask(area: Area, usual: Size, name: str) -> NDArray[np.bool_]:
    """(H, W) over a whole photograph."""
    if isinstance(area, np.ndarray):
        mask = area > (_GREY if area.dtype == np.uint8 else 0)
        if mask.ndim != 2:
            raise ConfigurationError(f"{name} is an array of {area.ndim} axes: give a mask (H, W)")
        return _fitting(mask, usual, f"the mask of {name}")
    if isinstance(area, str) and not Path(area).exists() and re.fullmatch(r"[\d\s.,;+-]+", area):
        numbers = [[float(part) for part in pair.split(",") if part] for pair in area.replace(";", " ").split()]
        if any(len(pair) != 2 for pair in numbers):
            raise ConfigurationError(f"{name} {area!r}: give corners as X,Y X,Y X,Y in pixels of the photograph")
        return _polygon([(x, y) for x, y in numbers], usual, name)
    if isinstance(area, str | os.PathLike):
        path = Path(area)
        if not path.exists():
            raise ConfigurationError(f"{name} {area}: no such file, and no corners such as 10,20 300,20 300,200")
        try:
            pixels = read_image(path)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
        return _fitting(pixels.max(axis=2) > _GREY, usual, f"{name} {path}")
    return _polygon([(float(x), float(y)) for x, y in area], usual, name)


def _fitting(mask: NDArray[np.bool_], usual: Size, name: str) -> NDArray[np.bool_]:
    height, width = mask.shape
    if abs(width * usual[1] / (height * usual[0]) - 1) > _ASPECT:
        raise ConfigurationError(
            f"{name} has {width} x {height} pixels, another shape than photographs of {usual[0]} x {usual[1]}: draw it "
            "on one of them"
        )
    return mask


def _polygon(corners: Sequence[tuple[float, float]], usual: Size, name: str) -> NDArray[np.bool_]:
    """Corners in pixels of the photograph; two are those of an upright rectangle."""
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
