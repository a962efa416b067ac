"""Checks what a GIF claims before its first frame, before Pillow reads it; see `file_checks`. Only that frame is
read."""

from __future__ import annotations

from typing import IO

from flawspot.errors import ImageError
from flawspot.runtime.file_checks import MAX_OTHER_BYTES

MAX_BLOCKS = 100_000
"""Most pieces of comments and other extensions before the first frame, of at most 255 bytes each."""
MAX_GIF_PIXELS = 100_000_000
"""Most pixels of its screen: Pillow makes a background of that size while it opens the file."""


def check_gif(file: IO[bytes]) -> None:
    """Find the first frame, and check sizes.

    Raises:
        ImageError: the screen is too large, the frame does not lie in it, or there is too much before it.
    """
    file.seek(0)
    header = file.read(13)
    if len(header) < 13:
        return  # damaged, as the decoder will report
    width, height = int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
    if width * height > MAX_GIF_PIXELS:
        raise ImageError(f"the GIF is {width} x {height} pixels, above the limit of {MAX_GIF_PIXELS:,}: shrink it")
    if header[10] & 128:
        file.seek(3 << ((header[10] & 7) + 1), 1)
    blocks = skipped = 0
    while True:
        kind = file.read(1)
        if kind == b",":
            frame = file.read(8)
            left, top, across, down = (int.from_bytes(frame[i : i + 2], "little") for i in range(0, 8, 2))
            if left + across > width or top + down > height:
                raise ImageError("the first frame of the GIF does not lie within its screen: save it again")
            return
        if kind != b"!" or not file.read(1):
            return  # damaged, or the end
        while True:
            length = file.read(1)
            blocks += 1
            if not length or not length[0]:
                break
            skipped += length[0]
            file.seek(length[0], 1)
            if blocks > MAX_BLOCKS or skipped > MAX_OTHER_BYTES:
                raise ImageError(f"the GIF has over {MAX_BLOCKS:,} pieces of comments: save it without them")
