"""Splits a stream of pictures, such as ``cat *.jpg`` or a film as pictures, into its pictures.

The end of a picture is found by its own structure. Searching for the beginning of the next one would fail, because a
thumbnail within the picture begins the same way.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.decoding import MAX_FILE_BYTES

_BLOCK = 1 << 16
_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_NETPBM = re.compile(rb"P[56](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,5})\s")
_NETPBM_HEADER = 512
_TEXT = re.compile(rb"(?!P[1-6]\s)[\t\n\r\x20-\x7e\x80-\xff]+")
"""A beginning that no picture has, except for picture formats that are text."""


def split_pictures(stream: IO[bytes]) -> Iterator[bytes | ImageError]:
    """Yield the bytes of each picture as soon as it is complete.

    JPEG, PNG, WebP, BMP and binary PGM and PPM may follow each other in any order. For other formats, such as TIFF, the
    whole rest is one picture. A picture that is cut off or too long is yielded as an error, and is the last.
    """
    reader = _Reader(stream)
    while reader.peek(1):
        try:
            yield reader.take(_length(reader))
        except ImageError as error:
            yield error
            return


class _Reader:
    """Bytes of a stream that can be read ahead."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._held = bytearray()

    def peek(self, length: int) -> bytes:
        """The next `length` bytes, or as many as there are."""
        return self.at(0, length)

    def at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on, or as many as there are."""
        if offset + length > MAX_FILE_BYTES:
            raise ImageError(f"a picture of the stream has more than {MAX_FILE_BYTES:,} bytes")
        while len(self._held) < offset + length:
            # Everything that a camera has sent so far is taken at once, if the stream can tell how much it is.
            read = getattr(self._stream, "read1", self._stream.read)
            more = read(_BLOCK)
            if not more:
                break
            self._held += more
        return bytes(self._held[offset : offset + length])

    def find(self, pattern: bytes, begin: int) -> int:
        """The position of `pattern` at or after `begin`.

        Raises:
            ImageError: the pattern does not occur.
        """
        while True:
            place = self._held.find(pattern, begin)
            if place >= 0:
                return place
            begin = max(len(self._held) - len(pattern) + 1, begin)
            if not self.at(len(self._held), 1):
                raise ImageError("the stream breaks off within a picture")

    def take(self, length: int) -> bytes:
        """The next `length` bytes.

        Raises:
            ImageError: there are fewer.
        """
        taken = self.peek(length)
        if len(taken) < length:
            raise ImageError("the stream breaks off within a picture")
        del self._held[:length]
        return taken

    def rest(self) -> int:
        """The number of bytes to the end."""
        while self.at(len(self._held), 1):
            pass
        return len(self._held)


def _length(reader: _Reader) -> int:
    """The length in bytes of the picture that begins here."""
    start = reader.peek(14)
    if not start.startswith(_JPEG) and _TEXT.fullmatch(start):
        raise ImageError("the stream holds text and no pictures: for names of photographs, one a line, give --list -")
    if start.startswith(_JPEG):
        return _jpeg(reader)
    if start.startswith(_PNG):
        return _png(reader)
    if start[:2] == b"BM" and len(start) == 14:
        return max(int(struct.unpack_from("<I", start, 2)[0]), 14)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        size = int(struct.unpack_from("<I", start, 4)[0])
        return 8 + size + size % 2
    if start[:2] in (b"P5", b"P6"):
        header = _NETPBM.match(reader.peek(_NETPBM_HEADER))
        if header:
            width, height, largest = map(int, header.groups())
            return header.end() + width * height * (3 if start[:2] == b"P6" else 1) * (2 if largest > 255 else 1)
    return reader.rest()


def _png(reader: _Reader) -> int:
    place = len(_PNG)
    while True:
        chunk = reader.at(place, 8)
        if len(chunk) < 8:
            raise ImageError("the stream breaks off within a picture")
        place += 12 + int(struct.unpack_from(">I", chunk)[0])
        if chunk[4:] == b"IEND":
            return place


def _jpeg(reader: _Reader) -> int:
    """Segments give their length. After a scan's header, the next marker that does not belong to the scan is
    searched."""
    place = 2
    while True:
        place = reader.find(b"\xff", place)
        marker = reader.at(place + 1, 1)
        if not marker:
            raise ImageError("the stream breaks off within a picture")
        if marker == b"\xd9":
            return place + 2
        if marker == b"\xff":  # fill bytes
            place += 1
        elif marker[0] == 0 or 0xD0 <= marker[0] <= 0xD7 or marker[0] == 1:  # stuffing, restarts: within a scan
            place += 2
        else:
            length = reader.at(place + 2, 2)
            place += 2 + (int.from_bytes(length, "big") if len(length) == 2 else 2)
