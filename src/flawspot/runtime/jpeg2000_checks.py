"""Checks what a JPEG 2000 file claims (ISO/IEC 15444-1, annexes A, B and I) before OpenJPEG reads it; see
`file_checks`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.boxes import boxes
from flawspot.runtime.file_checks import file_size

MAX_JPEG2000_BYTES = 256 << 20
"""File size limit, because the file is read as a whole."""
MAX_TILES = 4_096
MAX_PARTS = 20_000
"""Most parts of tiles; a tile may come in several."""
MAX_PACKETS = 1_000_000
"""Limit on quality layers times the precincts of all resolutions and components."""
MAX_COMPONENTS = 4
MIN_BLOCK = 256
"""Least pixels of a code block. The decoder keeps about a kilobyte for each."""
BYTES_PER_SAMPLE = 10
"""Bytes of memory for each sample of a tile: integers, their transform, and data of code blocks."""

_SIZ, _COD, _COC, _POC, _SOT, _SOD = 0x51, 0x52, 0x53, 0x5F, 0x90, 0x93


@dataclass(frozen=True)
class _Size:
    """The contents of the marker SIZ: the picture, its tiles and components."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    components: int
    tiles: int


def check_jpeg2000(file: IO[bytes]) -> float:
    """Check the sizes of picture and tiles, and the number of pieces.

    Returns:
        Bytes of memory that the decoder takes besides the picture itself.

    Raises:
        ImageError: more pieces than any camera or editor writes, sizes that disagree, or coding parameters that change
            from tile to tile.
    """
    if file_size(file) > MAX_JPEG2000_BYTES:
        raise ImageError(f"the JPEG 2000 file has more than {MAX_JPEG2000_BYTES:,} bytes: save it as PNG or JPEG")
    file.seek(0)
    data = file.read()
    begin, told = _codestream(data)
    size, packets, tiles = None, 0, len(data)
    for marker, content, following in _segments(data, begin + 2):
        tiles = following
        if marker == _SIZ:
            size = _size(data, content)
        elif marker in (_COC, _POC):
            raise ImageError("the JPEG 2000 file codes its colours in different ways: save it again, or as PNG")
        elif marker == _COD and size is not None:
            packets = _packets(data, content, size)
        elif marker == _SOT:
            break
    if size is None:
        raise ImageError("the JPEG 2000 file does not say how large it is: it is damaged; copy it again")
    if told is not None and told != (size.width, size.height):
        raise ImageError("the JPEG 2000 file gives two different sizes: it is damaged; copy it again")
    if packets > MAX_PACKETS:
        raise ImageError(f"the JPEG 2000 file has {packets:,} packets, over {MAX_PACKETS:,}: save it again")
    _check_parts(data, tiles)
    samples = min(size.tile_width, size.width) * min(size.tile_height, size.height) * size.components
    return float(BYTES_PER_SAMPLE * samples)


def _codestream(data: bytes) -> tuple[int, tuple[int, int] | None]:
    """The start of the coded data, and the (width, height) in the boxes around it."""
    if data.startswith(b"\xff\x4f"):
        return 0, None
    told = None
    for kind, begin, end in boxes(data):
        if kind == b"jp2h":
            for inner, at, _ in boxes(data, begin, end):
                if inner == b"ihdr":
                    height, width = struct.unpack_from(">II", data.ljust(at + 8, b"\0"), at)
                    told = width, height
        elif kind == b"jp2c":
            return begin, told
    raise ImageError("the JPEG 2000 file holds no picture: it is damaged; copy it again")


def _segments(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start of its content, and start of the next marker, until the first tile or damage."""
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (_SOT, _SOD):
            yield marker, at + 4, at
            return
        if length < 2:
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length


def _size(data: bytes, at: int) -> _Size:
    if at + 36 > len(data):
        raise ImageError("the JPEG 2000 file ends in its header: copy it again")
    _, right, bottom, left, top, across, down, x, y, components = struct.unpack_from(">HIIIIIIIIH", data, at)
    if not (right > left and bottom > top and across and down and x <= left and y <= top):
        raise ImageError("the JPEG 2000 file gives no sizes: it is damaged; copy it again")
    if not 1 <= components <= MAX_COMPONENTS:
        raise ImageError(f"the JPEG 2000 file has {components} channels: save it with one or three")
    tiles = -(-(right - x) // across) * -(-(bottom - y) // down)
    if tiles > MAX_TILES:
        raise ImageError(f"the JPEG 2000 file has {tiles:,} tiles, above the limit of {MAX_TILES:,}: save it again")
    return _Size(right - left, bottom - top, across, down, components, tiles)


def _packets(data: bytes, at: int, size: _Size) -> int:
    """The coding parameters of the whole picture, from the marker COD."""
    if at + 10 > len(data):
        return 0
    style, layers, levels = data[at], int.from_bytes(data[at + 2 : at + 4], "big"), data[at + 5]
    across, down = (data[at + 6] & 15) + 2, (data[at + 7] & 15) + 2
    width, height = min(size.tile_width, size.width), min(size.tile_height, size.height)
    if levels > 32:
        raise ImageError(f"the JPEG 2000 file has {levels} resolutions: it is damaged; copy it again")
    if 1 << (across + down) < MIN_BLOCK:
        raise ImageError(f"the JPEG 2000 file has code blocks of under {MIN_BLOCK} pixels: save it with larger ones")
    precincts = 0
    for level in range(levels + 1):
        sizes = data[at + 10 + level] if style & 1 and at + 10 + level < len(data) else 0xFF
        shrunk = levels - level
        wide, high = -(-width >> shrunk) + 1, -(-height >> shrunk) + 1
        precincts += ((wide >> (sizes & 15)) + 1) * ((high >> (sizes >> 4)) + 1)
    return precincts * layers * size.components * size.tiles


def _check_parts(data: bytes, at: int) -> None:
    """Follow the tile parts: check their number, and that they have no coding parameters of their own."""
    for _ in range(MAX_PARTS):
        if data[at : at + 2] != bytes([0xFF, _SOT]) or at + 12 > len(data):
            return
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        for marker, _, _ in _segments(data, at + 12):
            if marker in (_COD, _COC, _POC):
                raise ImageError("the JPEG 2000 file codes its tiles in different ways: save it again, or as PNG")
        if length < 14:
            return  # it extends to the end, or is damaged
        at += length
    raise ImageError(f"the JPEG 2000 file has more than {MAX_PARTS:,} parts of tiles: save it again")
