"""Checks what the first directory of a TIFF claims before libtiff reads it; see `file_checks`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from PIL import TiffImagePlugin

from flawspot.errors import ImageError
from flawspot.runtime.file_checks import file_size

MAX_TAGS = 1_000
"""Most tags in the directory of a TIFF."""
MAX_PIECES = 100_000
"""Most strips or tiles of a TIFF."""
MAX_TILE_PIXELS = 1 << 24
MAX_PAGES = 16
"""Most pages up to the picture: thumbnails may come before it."""
MAX_TAG_BYTES = 16 << 20
"""Most bytes of all tags of a TIFF together."""
MAX_FRACTIONS = 64
"""Most fractions in a tag. Pillow makes an object of each."""

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type (TIFF 6.0, section 2)."""
_FRACTIONS = (5, 10)
_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_TABLES = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}
_COUNTS = (279, 325)
_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 254, 258, 259, 262, 277, 284
_FIRST_VALUES = {_SUBFILE: 0, _WIDTH: 0, _LENGTH: 0, _TILE_WIDTH: 0, _TILE_LENGTH: 0}
_FIRST_VALUES |= {_BITS: 1, _COMPRESSION: 1, _PHOTOMETRIC: 1, _SAMPLES: 1, _PLANAR: 1}
"""The tags that are read, and their defaults if a tag is missing."""
_WHITE_IS_ZERO = 0
_READ = frozenset(TiffImagePlugin.COMPRESSION_INFO)
_COMPRESSIONS = {
    **dict.fromkeys((33003, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    34887: "LERC",
    34892: "the JPEG of DNG",
}


@dataclass(frozen=True)
class _Tag:
    """One entry of the directory: `values` of type `kind`, and the `field` that holds or points to them."""

    number: int
    kind: int
    values: int
    field: bytes


def check_tiff(file: IO[bytes]) -> None:
    """Check the directories up to that of the picture: the number of tags, strips and tiles, the size of a tile, the
    bytes of the pieces, and whether Pillow reads such pixels correctly.

    Raises:
        ImageError: there is more than any camera or editor writes, or the pixels would be read wrongly or not at all.
    """
    tags: dict[int, int] = {}
    for tags in _pages(file):
        _check_tiles(tags)
    _check_pixels(tags, big_endian=_order(file) == ">")


def picture_page(file: IO[bytes]) -> int:
    """Which page of a TIFF is the picture: the first that is not a thumbnail (NewSubfileType, TIFF 6.0, section 8)."""
    reduced = [tags[_SUBFILE] & 1 for tags in _pages(file)]
    return reduced.index(0) if 0 in reduced else 0


def is_inverted(file: IO[bytes]) -> bool:
    """Whether white is zero in a TIFF with 16 bits, which Pillow does not invert."""
    page, tags = picture_page(file), list(_pages(file))
    return bool(tags) and tags[page][_PHOTOMETRIC] == _WHITE_IS_ZERO and tags[page][_BITS] == 16


def _order(file: IO[bytes]) -> str:
    file.seek(0)
    return "<" if file.read(2) == b"II" else ">"


def _pages(file: IO[bytes]) -> Iterator[dict[int, int]]:
    """The first value of each tag in `_FIRST_VALUES`, for each page up to the first that is not a thumbnail."""
    order = _order(file)
    file.seek(0)
    start = file.read(16)
    big = len(start) == 16 and start[2:4] in (b"+\0", b"\0+")
    if len(start) < (16 if big else 8):
        return
    offset = struct.unpack_from(order + "Q", start, 8)[0] if big else struct.unpack_from(order + "I", start, 4)[0]
    for _ in range(MAX_PAGES):
        entries, following = _directory(file, offset, order, big)
        if not entries:
            return
        tags = _first_values(file, entries, order, big)
        yield tags
        if not tags[_SUBFILE] & 1 or not following:
            return
        offset = following


def _first_values(file: IO[bytes], entries: list[_Tag], order: str, big: bool) -> dict[int, int]:
    found = dict(_FIRST_VALUES)
    claimed = 0
    for tag in entries:
        what = _TABLES.get(tag.number)
        if what is not None and tag.values > MAX_PIECES:
            raise ImageError(f"the TIFF has {tag.values:,} {what}, more than any camera writes: save it again")
        claimed += tag.values * _BYTES.get(tag.kind, 1)
        if claimed > MAX_TAG_BYTES or (tag.kind in _FRACTIONS and tag.values > MAX_FRACTIONS):
            raise ImageError(
                f"tags of the TIFF, such as tag {tag.number}, claim over {MAX_TAG_BYTES:,} bytes or {MAX_FRACTIONS} "
                "fractions: save it without them"
            )
        if tag.number in found:
            found[tag.number] = next(iter(_values(file, tag, order, big)), 0)
        if tag.number in _COUNTS and sum(_values(file, tag, order, big)) > 2 * file_size(file):
            raise ImageError("the strips or tiles of the TIFF take more bytes than the file has: save it again")
    return found


def _check_pixels(tags: dict[int, int], *, big_endian: bool) -> None:
    if not tags:
        return
    compression = tags[_COMPRESSION]
    if compression not in _READ:
        name = _COMPRESSIONS.get(compression, "a proprietary method")
        raise ImageError(
            f"the TIFF is compressed with {name} (number {compression}), which is not read: "
            "save it uncompressed, or with LZW or Deflate"
        )
    deep = tags[_BITS] == 16
    if deep and tags[_PLANAR] == 2 and tags[_SAMPLES] > 1 and compression == 1:
        raise ImageError(
            "the TIFF has 16 bits a channel in separate planes, which is not read: save it with interleaved channels"
        )
    if deep and tags[_PHOTOMETRIC] == _WHITE_IS_ZERO and big_endian:
        raise ImageError(
            "the TIFF has 16 bits, big-endian, and white is zero, which is not read: save it with black as zero"
        )


def _check_tiles(tags: dict[int, int]) -> None:
    width, length = tags[_TILE_WIDTH], tags[_TILE_LENGTH]
    # A tile's side is a multiple of 16, so it may be a little larger than the picture.
    too_wide = width > max(tags[_WIDTH], 240) + 16 or length > max(tags[_LENGTH], 240) + 16
    if width * length > MAX_TILE_PIXELS or ((width or length) and too_wide):
        raise ImageError(f"the TIFF has tiles of {width} x {length} pixels: save it with smaller tiles, or strips")


def _directory(file: IO[bytes], offset: int, order: str, big: bool) -> tuple[list[_Tag], int]:
    """The entries of one directory that are in the file, and the position of the next directory; 0 if there is none."""
    count_format, entry_format, next_format = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    if offset >= file_size(file):
        return [], 0
    file.seek(offset)
    counted = file.read(struct.calcsize(order + count_format))
    if len(counted) < struct.calcsize(order + count_format):
        return [], 0
    count = struct.unpack(order + count_format, counted)[0]
    if count > MAX_TAGS:
        raise ImageError(f"the TIFF has {count:,} tags, more than any camera writes: save it again")
    entry = struct.calcsize(order + entry_format)
    table = file.read(entry * count)
    after = file.read(struct.calcsize(order + next_format))
    following = struct.unpack(order + next_format, after)[0] if len(after) == struct.calcsize(next_format) else 0
    tags = [_Tag(*struct.unpack_from(order + entry_format, table, entry * i)) for i in range(len(table) // entry)]
    return tags, following


def _values(file: IO[bytes], tag: _Tag, order: str, big: bool) -> Iterator[int]:
    """The integers in a tag; none for other types. Integers beyond the end of the file are left out."""
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
