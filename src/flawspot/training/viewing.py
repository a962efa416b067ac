"""The requested view of a photograph, and its resolution into a view once the photographs are known."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawspot.errors import ConfigurationError
from flawspot.methods.shapes import as_size, check_input_size
from flawspot.runtime.inspected import MAX_SIDE, Inspected
from flawspot.runtime.view import FITS, MAX_CANVAS, MAX_TILES, View
from flawspot.texts import shortened
from flawspot.training.areas import Area, Size, as_areas, covered, mask_of

OVERLAP = 0.25
"""Default overlap of neighbouring tiles, as a share of a tile."""
MOST_OVERLAP = 0.5
_PAIR = re.compile(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*")
_AUTO = re.compile(r"\s*auto\s*:\s*(\d{1,6})\s*")
_NUMBER = re.compile(r"\s*\d{1,6}\s*")
_SMALLEST_AUTO = 16


@dataclass(frozen=True)
class ViewRequest:
    """A requested view. It is checked, except for conditions that depend on the photographs.

    Attributes:
        size: (height, width) of the network's input.
        fit: one of `flawspot.runtime.view.FITS`.
        tiles: (rows, columns), or the number of the photograph's pixels that a tile shows along each side.
        overlap: overlap of neighbouring tiles, 0 to 0.5 of a tile.
        roi, ignore: areas that are inspected, and areas that are not. No `roi` means the whole photograph.
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
            mask = np.logical_or.reduce([covered(mask_of(area, usual, "--roi"), mask.shape) for area in self.roi])
        for area in self.ignore:
            mask &= ~covered(mask_of(area, usual, "--ignore"), mask.shape)
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
        ConfigurationError: an invalid value, which the error names.
    """
    try:
        given = as_size(_parsed_size(input_size) if isinstance(input_size, str) else input_size)
        size = operator.index(given[0]), operator.index(given[1])
    except TypeError:
        raise ConfigurationError(f"input size {input_size!r}: give a whole number, or height and width") from None
    check_input_size(size)
    if fit not in FITS:
        raise ConfigurationError(f"unknown fit {fit!r}: the known ones are {', '.join(FITS)}")
    overlap = OVERLAP if overlap is None else overlap
    if not isinstance(overlap, int | float) or not 0 <= overlap <= MOST_OVERLAP:
        raise ConfigurationError(f"tiles cannot overlap by {overlap!r} of a tile: give 0 to {MOST_OVERLAP:g}")
    return ViewRequest(size, fit, _parsed_tiles(tiles), overlap, as_areas(roi), as_areas(ignore))


def _parsed_size(text: str) -> int | Size:
    if _NUMBER.fullmatch(text):
        return int(text)
    found = _PAIR.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"input size {shortened(text)!r}: give a number, or HEIGHTxWIDTH such as 256x512")
    return int(found[1]), int(found[2])


def _parsed_tiles(tiles: str | Sequence[int] | None) -> tuple[int, int] | int:
    shown = shortened(tiles) if isinstance(tiles, str) else tiles
    wrong = f"tiles {shown!r}: give ROWSxCOLUMNS such as 2x3, or auto:PIXELS for tiles that show so many pixels"
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
    try:
        rows, columns = map(operator.index, tiles)
    except (TypeError, ValueError):
        raise ConfigurationError(wrong) from None
    if min(rows, columns) < 1:
        raise ConfigurationError(wrong)
    return rows, columns


def _count(length: int, shown: float, overlap: float) -> int:
    """Number of tiles, each showing `shown` pixels, that cover `length`."""
    step = shown * (1 - overlap)
    return max(int(np.ceil((length - shown) / step - 1e-9)) + 1, 1)
