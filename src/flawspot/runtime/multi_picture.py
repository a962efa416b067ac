"""JPEG files with several pictures (MPO; CIPA DC-007, Multi-Picture Format). The first is the photograph, unless it is
a thumbnail of another one."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAX_PICTURES = 16
_MAX_TAGS = 100
_MAX_SEGMENTS = 200
"""Most segments before the pixels of a picture."""
_THUMBNAIL = 4
"""A picture with this many times fewer pixels than another one is its thumbnail."""
_HEADER = b"MPF\0"
_ENTRIES = 0xB002
_THUMBNAIL_TYPES = (0x010001, 0x010002)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def photograph_in(file: IO[bytes]) -> IO[bytes]:
    """The file itself if the JPEG's first picture is the photograph, else a view of the picture that is."""
    entries = _entries(file)
    if len(entries) < 2:
        return file
    pixels = [_pixels(file, start) for _, start, _ in entries]
    largest = max(range(len(entries)), key=lambda place: (pixels[place], -place))
    is_thumbnail = entries[0][0] in _THUMBNAIL_TYPES or pixels[largest] >= _THUMBNAIL * pixels[0]
    if largest == 0 or not is_thumbnail:
        return file
    _, start, length = entries[largest]
    return io.BufferedReader(_View(file, start, length))


def _entries(file: IO[bytes]) -> list[tuple[int, int, int]]:
    """Type, first byte and length of each picture; empty if there is no table of them, or a damaged one."""
    for code, position, length in _segments(file, 0):
        if code == 0xE2:
            file.seek(position)
            content = file.read(length)
            if content.startswith(_HEADER):
                try:
                    return list(_table(content[len(_HEADER) :], position + len(_HEADER)))
                except struct.error:
                    return []
    return []


def _table(data: bytes, base: int) -> Iterator[tuple[int, int, int]]:
    """Read the table with the header at `base`, from which offsets are counted; 0 is the offset of the first
    picture."""
    order = "<" if data.startswith(b"II*\0") else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    for place in range(min(struct.unpack_from(order + "H", data, directory)[0], _MAX_TAGS)):
        tag, _, size, where = struct.unpack_from(order + "HHII", data, directory + 2 + 12 * place)
        if tag == _ENTRIES:
            for number in range(min(size // 16, _MAX_PICTURES)):
                attribute, length, start = struct.unpack_from(order + "III", data, where + 16 * number)
                yield attribute & 0xFFFFFF, base + start if start else 0, length
            return


def _pixels(file: IO[bytes], start: int) -> int:
    """Read the size of the picture that begins there; 0 if none does."""
    for code, position, _ in _segments(file, start):
        if code in _FRAMES:
            file.seek(position + 1)
            sides = file.read(4)
            return int.from_bytes(sides[:2], "big") * int.from_bytes(sides[2:], "big")
    return 0


def _segments(file: IO[bytes], start: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, first byte and length of the content of each segment before the pixels."""
    file.seek(start)
    if file.read(2) != b"\xff\xd8":
        return
    position = start + 2
    for _ in range(_MAX_SEGMENTS):
        file.seek(position)
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            return
        length = max(int.from_bytes(marker[2:], "big") - 2, 0)
        yield marker[1], position + 4, length
        position += 4 + length


class _View(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file, self._start, self._length, self._place = file, start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = max(offset + (0, self._place, self._length)[whence], 0)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer)
        self._file.seek(self._start + self._place)
        found = self._file.read(max(min(len(into), self._length - self._place), 0))
        into[: len(found)] = found
        self._place += len(found)
        return len(found)
