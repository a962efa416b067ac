"""Photographs of a hundred megapixels, as large as may be and larger; they take a while to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzzing.handmade import HandMade
from fuzzing.hostile_photographs import bmp, png
from fuzzing.limits import ACCEPTED, REFUSED

_SIDE = 10_000


def cases() -> Iterator[HandMade]:
    """All of them."""
    for name, options in {
        "colour": {},
        "1 bit": {"bits": 1, "colour": 0},
        "16 bits": {"bits": 16, "colour": 0},
        "16 bits, colour and alpha": {"bits": 16, "colour": 6},
        "alpha": {"colour": 6},
        "palette": {"colour": 3},
    }.items():
        yield _case(f"PNG, {name}", lambda path, o=options: path.write_bytes(png(_SIDE, _SIDE, **o)))
    black = np.zeros((_SIDE, _SIDE), np.uint8)
    for name, kind, compression, right in (
        ("LZW", "u1", "tiff_lzw", ACCEPTED),
        ("group 4", "bool", "group4", ACCEPTED),
        ("16 bits", "u2", "tiff_adobe_deflate", ACCEPTED),
        ("32 bits", "i4", "tiff_adobe_deflate", ""),
    ):
        yield _saved(
            f"TIFF, {name}", lambda k=kind: Image.fromarray(black.astype(k)), "TIFF", right, compression=compression
        )
    yield _saved("TIFF, CMYK", lambda: _new("CMYK"), "TIFF", "", compression="tiff_adobe_deflate")
    yield _saved("JPEG", lambda: _new("RGB"), "JPEG", ACCEPTED, quality=1)
    yield _saved("JPEG, CMYK", lambda: _new("CMYK"), "JPEG", ACCEPTED, quality=1)
    yield _saved("JPEG, progressive", lambda: _new("RGB"), "JPEG", REFUSED, quality=1, progressive=True)
    for mode in ("RGB", "RGBA"):
        options: dict[str, Any] = {"lossless": True, "method": 0, "quality": 0}
        yield _saved(f"WebP, {mode}", lambda m=mode: Image.new(m, (16_383, 6_100)), "WEBP", REFUSED, **options)
    yield _saved("BMP, palette", lambda: _new("P"), "BMP", ACCEPTED)
    row = b"\xff\x00" * 39 + bytes([_SIDE - 39 * 255, 0]) + b"\0\0"
    yield _case("BMP, runs", lambda path: path.write_bytes(bmp(_SIDE, _SIDE, row * _SIDE + b"\0\1")), REFUSED)
    yield _case("PGM of 100", lambda path: path.write_bytes(b"P5 10000 10000 100\n" + bytes(_SIDE**2)))


def _new(mode: str) -> Image.Image:
    return Image.new(mode, (_SIDE, _SIDE))


def _saved(name: str, make: Callable[[], Image.Image], form: str, right: str, **options: Any) -> HandMade:
    return _case(name, lambda path: make().save(path, form, **options), right)


def _case(name: str, write: Callable[[Path], object], right: str = ACCEPTED) -> HandMade:
    return HandMade(f"100 MP: {name}", "photograph", lambda path, _: write(path) and None, right, slow=True)
