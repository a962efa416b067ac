"""Checks what an AVIF file claims (ISO/IEC 23008-12; AV1, 5.3 to 5.5) before libavif reads it; see `file_checks`.

The size of the picture is given twice, by the container and by the coded data. A decoder allocates memory for the
latter before it compares them, so they are compared here.
"""

from __future__ import annotations

from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.items import Bits, items_in

MAX_AVIF_BYTES = 64 << 20
"""File size limit, because Pillow reads an AVIF as a whole."""
MAX_UNITS = 10_000
"""Most pieces of the coded data of one picture."""
MAX_FRAMES = 8
"""Most frames of one picture. A still one has one, or a few that refine it."""
BYTES_PER_CODED_PIXEL, BYTES_PER_PIXEL = 12, 6
"""Bytes of memory for each pixel. The first counts planes of 16 bits and the decoder's other buffers. The second counts
the picture, which may be assembled from several, as colours."""

_SEQUENCE, _FRAME_HEADER, _FRAME, _TILE_LIST = 1, 3, 6, 8


def check_avif(file: IO[bytes]) -> float:
    """Check every coded picture in the file.

    Returns:
        Bytes of memory that the decoder takes besides the picture itself.

    Raises:
        ImageError: it holds a film, no picture, or too many pieces.
    """
    items = items_in(file, "AVIF", MAX_AVIF_BYTES)
    coded = [_largest(items.content(item)) for item in items.pictures(b"av01")]
    if not coded:
        raise ImageError("the AVIF holds no picture: it is damaged; copy it again")
    return float(BYTES_PER_CODED_PIXEL * max(coded) + BYTES_PER_PIXEL * items.canvas)


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
    """Read a number with seven bits a byte. Returns it and its end."""
    value = 0
    for i, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << (7 * i)
        if not byte & 128:
            return value, at + i + 1
    raise ImageError("the coded picture of the AVIF is damaged: copy it again")


def _sequence_pixels(header: bytes) -> int:
    """Width times height of the largest frame (AV1 specification, 5.5.1)."""
    bits = Bits(header)
    bits.next(4)
    if bits.next(1):  # a still picture's short form
        bits.next(5)
    else:
        _skip_operating_points(bits)
    wide, high = bits.next(4) + 1, bits.next(4) + 1
    return (bits.next(wide) + 1) * (bits.next(high) + 1)


def _skip_operating_points(bits: Bits) -> None:
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
