"""Checks what the file of a photograph claims before a decoder reads it.

A few bytes can ask a decoder for minutes of work or gigabytes of memory: thousands of scans, millions of chunks, strips
or tiles. Their number is read from the file's own structure, in limited time linear in it. Structures that no camera or
editor writes are refused by name. Damaged files are left to the decoder, which reports them.
"""

from __future__ import annotations

import os
import re
import struct
from typing import IO

from flawspot.errors import ImageError

MAX_SCANS = 100
"""Most scans of a JPEG; progressive ones have about ten."""
MAX_SEGMENTS = 5_000
"""Most marker segments of a JPEG; a colour profile takes at most 255 of them."""
MAX_CHUNKS = 100_000
"""Most chunks of a PNG; writers put as little as 8 KiB of pixels into one."""
MAX_OTHER_CHUNKS = 1_000
"""Most chunks without pixels in a PNG or WebP."""
MAX_OTHER_BYTES = 32 << 20
"""Most bytes that are not pixels in a JPEG, PNG or WebP, in total."""
MAX_EXIF_BYTES = 1 << 16
"""Most bytes of EXIF data: one segment of a JPEG holds as many. Its directory can name the same bytes thousands of
times."""
MAX_WEBP_BYTES = 64 << 20
"""File size limit, because Pillow reads a WebP as a whole."""
MAX_PLAIN_PIXELS = 2_000_000
"""Most pixels of a PPM whose numbers are written as text."""
MAX_TEXT_BYTES = 16
"""Most bytes for each of these numbers."""
MAX_COMMENTS = 1_000
"""Most comments between them. Pillow copies the rest of a megabyte for each."""
MAX_RLE_PIXELS = 4_000_000
"""Most pixels of a run-length coded BMP, as decoding it is slow."""
MAX_HEADER = 1 << 16
"""Bytes in which the header of a PPM must end, comments included."""

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
"""Markers of a frame (ITU T.81, B.1.1.3)."""
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""In the coded pixels of a JPEG 0xFF is followed by 0x00 or a restart marker (ITU T.81, B.1.1)."""


def check_jpeg(file: IO[bytes]) -> bool:
    """Count scans and segments, and the bytes of segments.

    Returns:
        Whether the decoder must keep the coefficients of the whole picture. It must if the picture is progressive, or
        if its components come in separate scans.

    Raises:
        ImageError: there are more than `MAX_SCANS`, `MAX_SEGMENTS`, `MAX_OTHER_BYTES` or `MAX_EXIF_BYTES`.
    """
    size = file_size(file)
    scans = segments = others = exif = components = 0
    buffered = False
    position = 2
    while position < size:
        file.seek(position)
        marker = file.read(10)
        if len(marker) < 4:
            break  # damaged, or the end
        code = marker[1]
        segments += 1
        if segments > MAX_SEGMENTS:
            raise ImageError(f"the JPEG has more than {MAX_SEGMENTS} segments, which no camera writes: save it again")
        if marker[0] != 0xFF or code in (0x00, 0xFF):  # fill bytes, or bytes that the decoder skips
            position = _next_marker(file, position, size)
            continue
        if code == 0xD9:
            break
        if code == 0x01 or 0xD0 <= code <= 0xD7:  # a marker without content
            position += 2
            continue
        length = int.from_bytes(marker[2:4], "big")
        position += 2 + max(length, 2)
        others += length
        if code == 0xE1 and marker[4:] == b"Exif\0\0":
            exif += length
        if code in _FRAMES:
            components = marker[9] if len(marker) == 10 else 0
            buffered = buffered or code in _PROGRESSIVE
        if code == 0xDA:
            scans += 1
            buffered = buffered or scans > 1 or marker[4] != components
            position = _next_marker(file, position, size)
        if scans > MAX_SCANS:
            raise ImageError(f"the JPEG has more than {MAX_SCANS} scans, which no camera writes: save it again")
        _check_others("JPEG", others, exif)
    return buffered


def _next_marker(file: IO[bytes], position: int, size: int) -> int:
    """Position of the next marker with a segment, after coded pixels or other bytes."""
    file.seek(position)
    carried = b""
    while position < size:
        read = file.read(1 << 20)
        if not read:
            break
        found = _MARKER.search(carried + read)
        if found is not None:
            return position - len(carried) + found.start()
        position += len(read)
        carried = read[-1:] if read.endswith(b"\xff") else b""
    return size


def _check_others(kind: str, others: int, exif: int) -> None:
    if others > MAX_OTHER_BYTES:
        raise ImageError(f"the {kind} holds over {MAX_OTHER_BYTES:,} bytes that are not pixels: save it without them")
    if exif > MAX_EXIF_BYTES:
        raise ImageError(f"the EXIF data of the {kind} have more than {MAX_EXIF_BYTES:,} bytes: save it without them")


def check_png(file: IO[bytes]) -> None:
    """Count the chunks, and check the length of those without pixels.

    Raises:
        ImageError: there are too many, or they are too long.
    """
    _check_chunks(file, 8, "PNG", ">I4s", 12, (b"IDAT", b"fdAT"), end=b"IEND", length_first=True)


def check_webp(file: IO[bytes]) -> None:
    """Do as `check_png` for a RIFF file.

    Raises:
        ImageError: there are too many chunks, or the chunks without pixels or the whole file are too long.
    """
    if file_size(file) > MAX_WEBP_BYTES:
        raise ImageError(f"the WebP has more than {MAX_WEBP_BYTES:,} bytes: save it as PNG or JPEG")
    _check_chunks(file, 12, "WebP", "<4sI", 8, (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"), end=None, length_first=False)


def _check_chunks(
    file: IO[bytes],
    position: int,
    kind: str,
    layout: str,
    overhead: int,
    of_pixels: tuple[bytes, ...],
    *,
    end: bytes | None,
    length_first: bool,
) -> None:
    size = file_size(file)
    chunks = others = other_bytes = exif = 0
    while position + 8 <= size:
        file.seek(position)
        one, two = struct.unpack(layout, file.read(8))
        length, name = (one, two) if length_first else (two, one)
        if name == end:
            return
        chunks += 1
        if name not in of_pixels:
            others += 1
            other_bytes += length
            exif += length if name in (b"eXIf", b"EXIF") else 0
            _check_others(kind, other_bytes, exif)
        if chunks > MAX_CHUNKS or others > MAX_OTHER_CHUNKS:
            raise ImageError(f"the {kind} has too many chunks, more than any camera writes: save it again")
        position += overhead + length + (0 if length_first else length % 2)


def check_bmp(file: IO[bytes]) -> None:
    """Check size and compression.

    Raises:
        ImageError: it is run-length coded and large.
    """
    file.seek(14)
    header = file.read(20)
    if len(header) == 20 and struct.unpack_from("<I", header)[0] >= 20:
        width, height = struct.unpack_from("<ii", header, 4)
        compression = struct.unpack_from("<I", header, 16)[0]
        pixels, rows = abs(width * height), abs(height)
        # A run takes two bytes for at least one pixel, and a row ends with two more.
        if compression in (1, 2) and (pixels > MAX_RLE_PIXELS or file_size(file) > 2 * pixels + 4 * rows + (1 << 16)):
            raise ImageError(
                f"the BMP is run-length coded, and larger than {MAX_RLE_PIXELS:,} pixels or than its pixels can be: "
                "save it as PNG or uncompressed"
            )


def check_ppm(file: IO[bytes]) -> None:
    """Check the header.

    Raises:
        ImageError: it does not end early enough; or the numbers are text and there are many of them, or much text
            between them.
    """
    file.seek(0)
    header = ppm_header(file.read(MAX_HEADER))
    if header is None:
        raise ImageError(f"the header of the PPM is not complete within {MAX_HEADER:,} bytes: save it again")
    kind, width, height, _, begin = header
    if kind not in b"P1 P2 P3".split():
        return
    if width * height > MAX_PLAIN_PIXELS:
        raise ImageError(
            f"the PPM is written as text and larger than {MAX_PLAIN_PIXELS:,} pixels: save it in the binary form"
        )
    file.seek(begin)
    text = file.read(MAX_TEXT_BYTES * (3 if kind == b"P3" else 1) * width * height + MAX_HEADER)
    if file.read(1) or text.count(b"#") > MAX_COMMENTS:
        raise ImageError("the PPM holds more text than its numbers need: save it in the binary form")


def ppm_header(start: bytes) -> tuple[bytes, int, int, int, int] | None:
    """Kind, width, height, largest value and header length of a PPM; None if the header is incomplete."""
    words: list[bytes] = []
    position = 0
    wanted = 3 if start[:2] in (b"P1", b"P4") else 4
    while len(words) < wanted:
        if position >= len(start):
            return None
        character = start[position : position + 1]
        if character == b"#":
            ends = [e for e in (start.find(b"\n", position), start.find(b"\r", position)) if e >= 0]
            if not ends:
                return None
            position = min(ends)
        elif character.isspace():
            position += 1
        else:
            begin = position
            while position < len(start) and not start[position : position + 1].isspace():
                position += 1
            if position == len(start):
                return None
            words.append(start[begin:position])
    numbers = words[1:]
    if not all(number.isdigit() and len(number) <= 10 for number in numbers):
        return None
    width, height, *rest = map(int, numbers)
    return words[0], width, height, rest[0] if rest else 1, position + 1


def file_size(file: IO[bytes]) -> int:
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size
