"""What an AVIF file claims (ISO/IEC 23008-12; AV1, 5.3 to 5.5), before libavif sees it: see `file_checks`.

The container says how large the picture is, and the coded data say it again. A decoder makes room for the latter before
anybody compares, so this is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.boxes import boxes
from flawspot.runtime.file_checks import file_size

MAX_AVIF_BYTES = 64 << 20
"""Pillow reads an AVIF as a whole."""
MAX_ITEMS = 1_000
MAX_UNITS = 10_000
"""Pieces of the coded data of one picture."""
MAX_FRAMES = 8
"""Of one picture; a still one has one, or a few that refine it."""
BYTES_PER_CODED_PIXEL = 18
"""Of memory: planes of 16 bits with what the decoder keeps beside them, and two copies as colours."""

_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"})
_SEQUENCE, _FRAME_HEADER, _FRAME, _TILE_LIST = 1, 3, 6, 8


def check_avif(file: IO[bytes]) -> float:
    """Look at every coded picture in the file.

    Returns:
        Bytes of memory that the decoder takes beside the picture itself.

    Raises:
        ImageError: it is no AVIF but HEIC or something else; it holds a film; there are too many pieces, or too large
            ones.
    """
    file.seek(0)
    _check_brands(file.read(4096))
    if file_size(file) > MAX_AVIF_BYTES:
        raise ImageError(f"the AVIF has more than {MAX_AVIF_BYTES:,} bytes: save it as PNG or JPEG")
    file.seek(0)
    data = file.read()
    items = _Items(data)
    for kind, begin, end in boxes(data):
        if kind == b"moov":
            raise ImageError("the AVIF holds a film: save one picture of it")
        if kind == b"meta":
            items.read(begin + 4, end)
    coded = [_largest(items.content(item)) for item in items.pictures()]
    if not coded:
        raise ImageError("the AVIF holds no picture: it is damaged; copy it again")
    return float(BYTES_PER_CODED_PIXEL * max(max(coded), items.canvas))


def _check_brands(start: bytes) -> None:
    size = int.from_bytes(start[:4], "big")
    brands = {start[i : i + 4] for i in (8, *range(16, min(size, len(start)), 4))}
    if brands & {b"avif", b"avis"}:
        return
    if brands & _HEIF:
        raise ImageError("it is a HEIC file, which is not read: save it as JPEG or PNG")
    raise ImageError("it is a film or another file of boxes, no AVIF picture: save it as PNG or JPEG")


@dataclass
class _Items:
    """The items of a file: their kinds and where they lie."""

    data: bytes
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    inside: tuple[int, int] = (0, 0)
    canvas: int = 0

    def read(self, begin: int, end: int) -> None:
        for kind, at, stop in boxes(self.data, begin, end):
            if kind == b"iinf":
                self._read_kinds(at, stop)
            elif kind == b"iloc":
                self._read_extents(_Numbers(self.data, at, stop))
            elif kind == b"idat":
                self.inside = (at, stop)
            elif kind == b"iprp":
                self._read_sizes(at, stop)

    def pictures(self) -> Iterator[int]:
        if len(self.kinds) > MAX_ITEMS or len(self.extents) > MAX_ITEMS:
            raise ImageError(f"the AVIF has more than {MAX_ITEMS:,} items: save it again")
        return (item for item, kind in self.kinds.items() if kind == b"av01")

    def content(self, item: int) -> bytes:
        parts = []
        left = len(self.data)
        for method, offset, length in self.extents.get(item, ()):
            base, stop = self.inside if method == 1 else (0, len(self.data))
            part = self.data[base + offset : min(stop, base + offset + length) if length else stop]
            left -= len(part)
            if left < 0 or method > 1:
                raise ImageError("the items of the AVIF do not lie within the file: it is damaged; copy it again")
            parts.append(part)
        return b"".join(parts)

    def _read_sizes(self, begin: int, end: int) -> None:
        for kind, at, stop in boxes(self.data, begin, end):
            if kind == b"ipco":
                for inner, where, _ in boxes(self.data, at, stop):
                    if inner == b"ispe":
                        numbers = _Numbers(self.data, where + 4, stop)
                        self.canvas = max(self.canvas, numbers.next(4) * numbers.next(4))

    def _read_kinds(self, begin: int, end: int) -> None:
        first = begin + (6 if not self.data[begin] else 8)
        for kind, at, stop in boxes(self.data, first, end):
            if kind == b"infe":
                numbers = _Numbers(self.data, at, stop)
                version = numbers.next(4) >> 24
                item = numbers.next(2 if version <= 2 else 4)
                numbers.next(2)
                self.kinds[item] = numbers.next(4).to_bytes(4, "big")

    def _read_extents(self, numbers: _Numbers) -> None:
        version = numbers.next(4) >> 24
        sizes = numbers.next(2)
        offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        wide = 2 if version < 2 else 4
        for _ in range(numbers.next(wide)):
            item = numbers.next(wide)
            method = numbers.next(2) & 15 if version in (1, 2) else 0
            numbers.next(2)
            base = numbers.next(base_size)
            extents = []
            for _ in range(numbers.next(2)):
                numbers.next(index_size if version in (1, 2) else 0)
                extents.append((method, base + numbers.next(offset_size), numbers.next(length_size)))
                if len(extents) > MAX_ITEMS:
                    raise ImageError("a picture of the AVIF lies in too many pieces: save it again")
            self.extents[item] = extents
            if len(self.extents) > MAX_ITEMS:
                raise ImageError(f"the AVIF has more than {MAX_ITEMS:,} items: save it again")


class _Numbers:
    """Whole numbers, one after the other."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self._data, self._at, self._end = data, begin, end

    def next(self, size: int) -> int:
        """Of `size` bytes.

        Raises:
            ImageError: the box ends.
        """
        if self._at + size > self._end:
            raise ImageError("a box of the AVIF ends too early: it is damaged; copy it again")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")


def _largest(coded: bytes) -> int:
    """Pixels of the largest frame that the coded data of one picture announce."""
    at = frames = largest = 0
    for count in range(MAX_UNITS + 1):
        if at >= len(coded):
            break
        if count == MAX_UNITS:
            raise ImageError(f"a picture of the AVIF has more than {MAX_UNITS:,} pieces: save it again")
        kind, has_size = coded[at] >> 3 & 15, coded[at] & 2
        at += 2 if coded[at] & 4 else 1
        size, at = _leb128(coded, at) if has_size else (len(coded) - at, at)
        if kind == _SEQUENCE:
            largest = max(largest, _sequence_pixels(coded[at : at + size]))
        frames += kind in (_FRAME, _FRAME_HEADER)
        if frames > MAX_FRAMES or kind == _TILE_LIST:
            raise ImageError(f"a picture of the AVIF has more than {MAX_FRAMES} frames: save it again")
        at += size
    return largest


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for i, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << (7 * i)
        if not byte & 128:
            return value, at + i + 1
    raise ImageError("the coded picture of the AVIF is damaged: copy it again")


class _Bits:
    """Whole numbers of so many bits, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:256], "big"), 8 * len(data[:256])

    def next(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ImageError("the coded picture of the AVIF ends too early: it is damaged; copy it again")
        return self._value >> self._left & ((1 << count) - 1)


def _sequence_pixels(header: bytes) -> int:
    """Width times height of the largest frame (AV1 specification, 5.5.1)."""
    bits = _Bits(header)
    bits.next(4)
    if bits.next(1):  # a still picture's short form
        bits.next(5)
    else:
        _skip_operating_points(bits)
    wide, high = bits.next(4) + 1, bits.next(4) + 1
    return (bits.next(wide) + 1) * (bits.next(high) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay = 0
    if bits.next(1):  # timing
        bits.next(64)
        if bits.next(1):
            zeros = 0
            while not bits.next(1):
                zeros += 1
            bits.next(min(zeros, 32))
        if bits.next(1):
            delay = bits.next(5) + 1
            bits.next(42)
    has_display_delay = bits.next(1)
    for _ in range(bits.next(5) + 1):
        bits.next(12)
        if bits.next(5) > 7:
            bits.next(1)
        if delay and bits.next(1):
            bits.next(2 * delay + 1)
        if has_display_delay and bits.next(1):
            bits.next(4)
