"""The boxes that JPEG 2000, AVIF and HEIC files are made of (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

from flawspot.errors import ImageError

MAX_BOXES = 10_000
"""Most boxes in one file at one level."""


def boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box from `begin` to `end`. Stops where the data are damaged.

    Raises:
        ImageError: there are more than `MAX_BOXES`.
    """
    end = len(data) if end is None else end
    for count in range(MAX_BOXES + 1):
        if begin + 8 > end:
            return
        if count == MAX_BOXES:
            raise ImageError(f"the file has more than {MAX_BOXES:,} boxes: save it again")
        size, kind, head = int.from_bytes(data[begin : begin + 4], "big"), data[begin + 4 : begin + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[begin + 8 : begin + 16], "big"), 16
        stop = end if size == 0 else begin + size
        if stop < begin + head or stop > end:
            return
        yield kind, begin + head, stop
        begin = stop
