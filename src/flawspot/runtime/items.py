"""The pictures in AVIF and HEIC files (ISO/IEC 23008-12), and reading the numbers that describe them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.boxes import boxes
from flawspot.runtime.file_checks import file_size

MAX_ITEMS = 1_000


def items_in(file: IO[bytes], kind: str, most: int) -> Items:
    """Read the items of a whole file; see `read_items`.

    Args:
        file: open for reading.
        kind: name of the format, for messages.
        most: the most bytes that the file may have.

    Raises:
        ImageError: the file has more bytes; or as for `read_items`.
    """
    if file_size(file) > most:
        raise ImageError(f"the {kind} has more than {most:,} bytes: save it as PNG or JPEG")
    file.seek(0)
    return read_items(file.read())


def read_items(data: bytes) -> Items:
    """The items of a file.

    Raises:
        ImageError: the file holds a film, or its boxes are damaged or too many.
    """
    items = Items(data)
    for kind, begin, end in boxes(data):
        if kind == b"moov":
            raise ImageError("the file holds a film: save one picture of it")
        if kind == b"meta":
            items.read(begin + 4, end)
    return items


def brands(start: bytes) -> frozenset[bytes]:
    """The brands of a file, four letters each, from its first bytes `start`."""
    size = int.from_bytes(start[:4], "big")
    return frozenset(start[i : i + 4] for i in (8, *range(16, min(size, len(start)), 4)))


@dataclass
class Items:
    """The items of a file: their kinds and places.

    Attributes:
        data: the whole file.
        kinds: four letters for each item.
        extents: method, offset and length of each of its pieces.
        properties: kind, start and end of each property of items, such as sizes and parameters.
        inside: where pieces of method 1 are.
        canvas: pixels of the largest picture in the container.
    """

    data: bytes
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    properties: list[tuple[bytes, int, int]] = field(default_factory=list)
    inside: tuple[int, int] = (0, 0)
    canvas: int = 0

    def read(self, begin: int, end: int) -> None:
        """Read the content of a box ``meta``.

        Raises:
            ImageError: it is damaged, or lists too many items.
        """
        for kind, at, stop in boxes(self.data, begin, end):
            if kind == b"iinf":
                self._read_kinds(at, stop)
            elif kind == b"iloc":
                self._read_extents(Numbers(self.data, at, stop))
            elif kind == b"idat":
                self.inside = (at, stop)
            elif kind == b"iprp":
                self._read_sizes(at, stop)

    def pictures(self, wanted: bytes) -> Iterator[int]:
        """The items of a kind."""
        if len(self.kinds) > MAX_ITEMS or len(self.extents) > MAX_ITEMS:
            raise ImageError(f"the file has more than {MAX_ITEMS:,} items: save it again")
        return (item for item, kind in self.kinds.items() if kind == wanted)

    def content(self, item: int) -> bytes:
        """The coded data of an item.

        Raises:
            ImageError: the data are not within the file.
        """
        parts = []
        left = len(self.data)
        for method, offset, length in self.extents.get(item, ()):
            base, stop = self.inside if method == 1 else (0, len(self.data))
            part = self.data[base + offset : min(stop, base + offset + length) if length else stop]
            left -= len(part)
            if left < 0 or method > 1:
                raise ImageError("the items of the file are not within it: it is damaged; copy it again")
            parts.append(part)
        return b"".join(parts)

    def _read_sizes(self, begin: int, end: int) -> None:
        for kind, at, stop in boxes(self.data, begin, end):
            if kind == b"ipco":
                for inner, where, ended in boxes(self.data, at, stop):
                    self.properties.append((inner, where, ended))
                    if inner == b"ispe":
                        numbers = Numbers(self.data, where + 4, ended)
                        self.canvas = max(self.canvas, numbers.next(4) * numbers.next(4))

    def _read_kinds(self, begin: int, end: int) -> None:
        first = begin + (6 if not self.data[begin] else 8)
        for kind, at, stop in boxes(self.data, first, end):
            if kind == b"infe":
                numbers = Numbers(self.data, at, stop)
                version = numbers.next(4) >> 24
                item = numbers.next(2 if version <= 2 else 4)
                numbers.next(2)
                self.kinds[item] = numbers.next(4).to_bytes(4, "big")

    def _read_extents(self, numbers: Numbers) -> None:
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
                    raise ImageError("a picture of the file is in too many pieces: save it again")
            self.extents[item] = extents
            if len(self.extents) > MAX_ITEMS:
                raise ImageError(f"the file has more than {MAX_ITEMS:,} items: save it again")


class Numbers:
    """Reads whole numbers from bytes in turn."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self._data, self._at, self._end = data, begin, end

    def next(self, size: int) -> int:
        """The next number of `size` bytes.

        Raises:
            ImageError: the box ends.
        """
        if self._at + size > self._end:
            raise ImageError("a box of the file ends too early: it is damaged; copy it again")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")


class Bits:
    """Reads whole numbers from bits in turn."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:256], "big"), 8 * len(data[:256])

    def next(self, count: int) -> int:
        """The next number of `count` bits.

        Raises:
            ImageError: the data end.
        """
        self._left -= count
        if self._left < 0:
            raise ImageError("the coded picture ends too early: it is damaged; copy it again")
        return self._value >> self._left & ((1 << count) - 1)
