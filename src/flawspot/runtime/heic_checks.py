"""Checks what a HEIC file claims (ISO/IEC 23008-12; ITU-T H.265, 7.3) before libheif reads it; see `avif_checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.items import Bits, Items, items_in

MAX_HEIC_BYTES = 64 << 20
"""File size limit, because the plug-in reads a HEIC as a whole."""
MAX_UNITS = 10_000
"""Most pieces of the coded data of one picture."""
MAX_FRAMES = 8
BYTES_PER_CODED_PIXEL, BYTES_PER_PIXEL = 12, 6
"""Bytes of memory for each pixel, as in `avif_checks`."""

_PARAMETERS, _FIRST_NOT_CODED = 33, 32
"""Types of units: the parameters of a sequence. Types below the second number are coded pictures."""


def check_heic(file: IO[bytes]) -> float:
    """Check every coded picture in the file.

    Returns:
        Bytes of memory that the decoder takes besides the picture itself.

    Raises:
        ImageError: it holds a film, no picture, or too many pieces.
    """
    items = items_in(file, "HEIC", MAX_HEIC_BYTES)
    length_size, largest = _described(items)
    pictures = [items.content(item) for item in items.pictures(b"hvc1")]
    if not pictures or not largest:
        raise ImageError("the HEIC holds no picture: it is damaged; copy it again")
    for coded in pictures:
        frames = 0
        for unit in _units(coded, length_size):
            kind = unit[0] >> 1 & 63
            if kind == _PARAMETERS:
                largest = max(largest, _pixels(unit))
            frames += kind < _FIRST_NOT_CODED and len(unit) > 2 and unit[2] >> 7
        if frames > MAX_FRAMES:
            raise ImageError(f"a picture of the HEIC has more than {MAX_FRAMES} frames: save it again")
    return float(BYTES_PER_CODED_PIXEL * largest + BYTES_PER_PIXEL * items.canvas)


def _described(items: Items) -> tuple[int, int]:
    """The number of bytes in a unit's length, and the pixels of the largest picture that the parameters announce."""
    length_size, largest = 4, 0
    for kind, begin, end in items.properties:
        if kind != b"hvcC" or end < begin + 23:
            continue
        length_size = min(length_size, (items.data[begin + 21] & 3) + 1)
        at = begin + 23
        for _ in range(items.data[begin + 22]):
            count = int.from_bytes(items.data[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                size = int.from_bytes(items.data[at : at + 2], "big")
                unit = items.data[at + 2 : min(at + 2 + size, end)]
                at += 2 + size
                if len(unit) > 2 and unit[0] >> 1 & 63 == _PARAMETERS:
                    largest = max(largest, _pixels(unit))
                if at >= end:
                    break
    return length_size, largest


def _units(coded: bytes, length_size: int) -> Iterator[bytes]:
    at = 0
    for _ in range(MAX_UNITS):
        if at + length_size >= len(coded):
            return
        size = int.from_bytes(coded[at : at + length_size], "big")
        unit = coded[at + length_size : at + length_size + size]
        at += length_size + size
        if unit:
            yield unit
    raise ImageError(f"a picture of the HEIC has more than {MAX_UNITS:,} pieces: save it again")


def _pixels(unit: bytes) -> int:
    """Width times height that the parameters of a sequence announce (H.265, 7.3.2.2)."""
    bits = Bits(unit[2:512].replace(b"\0\0\x03", b"\0\0"))
    bits.next(4)
    layers = bits.next(3)
    bits.next(1)
    bits.next(96)
    present = [(bits.next(1), bits.next(1)) for _ in range(layers)]
    bits.next(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.next(88 * profile + 8 * level)
    _golomb(bits)
    if _golomb(bits) == 3:
        bits.next(1)
    return _golomb(bits) * _golomb(bits)


def _golomb(bits: Bits) -> int:
    """A number that begins with as many zeros as it has bits beside the first."""
    zeros = 0
    while not bits.next(1):
        zeros += 1
    return (1 << zeros) - 1 + bits.next(zeros)
