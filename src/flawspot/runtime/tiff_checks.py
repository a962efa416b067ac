"""What the first directory of a TIFF claims, before libtiff sees it: see `file_checks`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.file_checks import file_size

MAX_TAGS = 1_000
"""In the directory of a TIFF."""
MAX_PIECES = 100_000
"""Strips or tiles of a TIFF."""
MAX_TILE_PIXELS = 1 << 24
MAX_TAG_BYTES = 16 << 20
"""Of all tags of a TIFF together."""
MAX_FRACTIONS = 64
"""Of a tag that holds fractions, which Pillow makes objects of."""

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Of a value, by its type (TIFF 6.0, section 2)."""
_FRACTIONS = (5, 10)
_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_TABLES = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}
_COUNTS = (279, 325)


@dataclass(frozen=True)
class _Tag:
    """One entry of the directory: `values` of type `kind`, and the `field` that holds or points to them."""

    number: int
    kind: int
    values: int
    field: bytes


def check_tiff(file: IO[bytes]) -> None:
    """Look at the first directory: how many tags, strips and tiles, how large a tile, and what the pieces take.

    Raises:
        ImageError: more than any camera or editor writes.
    """
    file.seek(0)
    start = file.read(16)
    order = "<" if start[:2] == b"II" else ">"
    big = len(start) == 16 and start[2:4] in (b"+\0", b"\0+")
    if len(start) < (16 if big else 8):
        return
    sides = {_WIDTH: 0, _LENGTH: 0, _TILE_WIDTH: 0, _TILE_LENGTH: 0}
    claimed = 0
    for tag in _directory(file, start, order, big):
        what = _TABLES.get(tag.number)
        if what is not None and tag.values > MAX_PIECES:
            raise ImageError(f"the TIFF has {tag.values:,} {what}, more than any camera writes: save it again")
        claimed += tag.values * _BYTES.get(tag.kind, 1)
        if claimed > MAX_TAG_BYTES or (tag.kind in _FRACTIONS and tag.values > MAX_FRACTIONS):
            raise ImageError(
                f"tags of the TIFF, such as tag {tag.number}, claim over {MAX_TAG_BYTES:,} bytes or {MAX_FRACTIONS} "
                "fractions: save it without them"
            )
        if tag.number in sides:
            sides[tag.number] = next(iter(_values(file, tag, order, big)), 0)
        if tag.number in _COUNTS and sum(_values(file, tag, order, big)) > 2 * file_size(file):
            raise ImageError("the strips or tiles of the TIFF take more bytes than the file has: save it again")
    _check_tiles(sides)


def _check_tiles(sides: dict[int, int]) -> None:
    width, length = sides[_TILE_WIDTH], sides[_TILE_LENGTH]
    # A tile's side is a multiple of 16, so that it may be larger than the picture, but not by much.
    too_wide = width > max(sides[_WIDTH], 240) + 16 or length > max(sides[_LENGTH], 240) + 16
    if width * length > MAX_TILE_PIXELS or ((width or length) and too_wide):
        raise ImageError(f"the TIFF has tiles of {width} x {length} pixels: save it with smaller tiles, or strips")


def _directory(file: IO[bytes], start: bytes, order: str, big: bool) -> Iterator[_Tag]:
    offset = struct.unpack_from(order + "Q", start, 8)[0] if big else struct.unpack_from(order + "I", start, 4)[0]
    count_format, entry_format = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    if offset >= file_size(file):
        return
    file.seek(offset)
    counted = file.read(struct.calcsize(order + count_format))
    if len(counted) < struct.calcsize(order + count_format):
        return
    count = struct.unpack(order + count_format, counted)[0]
    if count > MAX_TAGS:
        raise ImageError(f"the TIFF has {count:,} tags, more than any camera writes: save it again")
    entry = struct.calcsize(order + entry_format)
    table = file.read(entry * count)
    for index in range(len(table) // entry):
        yield _Tag(*struct.unpack_from(order + entry_format, table, entry * index))


def _values(file: IO[bytes], tag: _Tag, order: str, big: bool) -> Iterator[int]:
    """The whole numbers that a tag holds; none of other types, and what there is of those that the file cuts off."""
    layout = {3: "H", 4: "I", 16: "Q"}.get(tag.kind)
    if layout is None:
        return
    size = struct.calcsize(layout) * tag.values
    data = tag.field
    if size > len(tag.field):
        file.seek(struct.unpack(order + ("Q" if big else "I"), tag.field)[0])
        data = file.read(size)
    width = struct.calcsize(layout)
    for place in range(0, min(size, len(data)) - width + 1, width):
        yield struct.unpack_from(order + layout, data, place)[0]
