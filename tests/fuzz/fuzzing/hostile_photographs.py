"""Photographs made by hand that ask for memory or time, without megapixels by the hundred."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzzing.handmade import HandMade
from fuzzing.limits import ACCEPTED, REFUSED


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A black PNG, made row by row."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes((width * channels * bits + 7) // 8 + 1)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + header + extra + palette + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], rest: bytes = b"") -> bytes:
    """A little-endian TIFF with these entries (tag, type, count, value) in its directory, and `rest` behind it."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + rest


def bmp(width: int, height: int, data: bytes, *, compression: int = 1) -> bytes:
    """A BMP of 8 bits with a palette."""
    begin = 54 + 1024
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", begin + len(data), 0, 0, begin) + sizes + bytes(1024) + data


def cases() -> Iterator[HandMade]:
    """All of them."""
    for name, make, right, message in (*_png(), *_tiff(), *_others()):
        yield _case(name, make, right, message)


def _case(name: str, make: Callable[[], bytes], right: str, message: str) -> HandMade:
    def write(path: Path, tiny: Path) -> None:
        path.write_bytes(make())

    return HandMade(f"photograph: {name}", "photograph", write, right, message, slow=any(map(name.__contains__, _SLOW)))


_SLOW = (
    "frames",
    "1 x 10000000",
    "10 MB",
    "15 MB",
    "12 MP",
    "as large as",
    "large maximum",
    "MB",
    "not pixels",
    "spaces",
)
"""Parts of the names of those that take a second or more to make or to try."""


Made = tuple[str, Callable[[], bytes], str, str]


def _png() -> Iterator[Made]:
    yield "PNG of 20,000 x 20,000", lambda: png(20_000, 20_000, bits=1, colour=0), REFUSED, "above the limit"
    for width, height in ((1, 10_000), (10_000, 1), (1, 1_000_000), (1_000_000, 1), (1, 10_000_000)):
        yield f"PNG of {width} x {height}", lambda w=width, h=height: png(w, h), REFUSED, "one side over"
    yield "PNG of 1 x 1", lambda: png(1, 1), REFUSED, "not inspected"
    yield "PNG of 64 x 1", lambda: png(64, 1), REFUSED, "not inspected"
    for name, extra, right in (
        ("a profile of 400 MB", lambda: chunk(b"iCCP", b"a\0\0" + packed(400 << 20)), ""),
        ("a text of 400 MB", lambda: chunk(b"zTXt", b"a\0\0" + packed(400 << 20)), ""),
        ("an international text of 400 MB", lambda: chunk(b"iTXt", b"a\0\1\0\0\0" + packed(400 << 20)), ""),
        ("a thousand texts of 1 MB", lambda: _many(1000, b"zTXt", b"\0\0" + packed(1 << 20)), REFUSED),
        ("900 texts of 1 MB", lambda: _many(900, b"zTXt", b"\0\0" + packed(1 << 20)), ""),
        ("a text of 100 MB, not packed", lambda: chunk(b"tEXt", b"a\0" + bytes(100 << 20)), REFUSED),
        ("a chunk of 100 MB", lambda: chunk(b"abCd", bytes(100 << 20)), REFUSED),
        ("50 chunks of 10 MB", lambda: chunk(b"abCd", bytes(10 << 20)) * 50, ""),
        ("tags that all are the same 10 MB", lambda: chunk(b"eXIf", exif(5000, 10 << 20)), ""),
        ("tags in a text", lambda: chunk(b"zTXt", b"Raw profile type exif\0\0" + raw_profile()), ""),
        ("EXIF of 50 MB", lambda: chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + bytes(50 << 20)), REFUSED),
        ("two million chunks", lambda: chunk(b"abCd", b"") * 2_000_000, REFUSED),
        ("300,000 texts", lambda: _many(300_000, b"tEXt", b"\0v"), REFUSED),
    ):
        yield f"PNG with {name}", lambda e=extra: png(64, 64, extra=e()), right, ""


def exif(tags: int, size: int) -> bytes:
    """EXIF data of `size` bytes whose tags all claim most of it."""
    each = size - 12 * tags - 64
    table = b"".join(struct.pack("<HHII", 1000 + index, 7, each, 14 + 12 * tags) for index in range(tags))
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", tags) + table + bytes(4)).ljust(size, b"\0")


def raw_profile() -> bytes:
    """As ImageMagick writes EXIF into a PNG: hexadecimal digits in a text, here packed."""
    digits = (b"Exif\0\0" + exif(20_000, 480_000)).hex().encode()
    return zlib.compress(b"\nexif\n  480000\n" + digits, 9)


def packed(size: int) -> bytes:
    """That many zeros, deflated."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def _many(count: int, kind: bytes, content: bytes) -> bytes:
    return b"".join(chunk(kind, b"k%d" % index + content) for index in range(count))


def _tiff() -> Iterator[Made]:
    grey = ((258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1))
    tags = tuple((300 + i % 60_000, 1, 0xFFFFFFF0, 8) for i in range(65_535))
    yield "TIFF of 65,535 tags", lambda: tiff(*tags), REFUSED, "tags"
    strips = ((256, 4, 1, 100), (257, 4, 1, 100), *grey, (259, 3, 1, 1), (278, 4, 1, 1))
    yield (
        "TIFF of 20 million strips",
        lambda: tiff(*strips, (273, 4, 20_000_000, 200), (279, 4, 20_000_000, 200), rest=bytes(90_000_000)),
        REFUSED,
        "strips",
    )
    tiles = ((256, 4, 1, 9000), (257, 4, 1, 9000), *grey, (259, 3, 1, 1), (322, 4, 1, 1), (323, 4, 1, 1))
    yield (
        "TIFF of 5 million tiles",
        lambda: tiff(*tiles, (324, 4, 5_000_000, 400), (325, 4, 5_000_000, 400), rest=bytes(40_000_000)),
        REFUSED,
        "tiles",
    )
    shared = tuple((1000 + i, 7, 15 << 20, 12_400) for i in range(900))
    yield "TIFF of tags that all are the same 15 MB", lambda: _grey_tiff(shared), REFUSED, ""
    yield "TIFF of a tag of 7 million numbers", lambda: _grey_tiff(((1000, 3, 7 << 20, 12_400),)), "", ""
    for side in (2**31 - 16, 60_000, 30_000, 23_000, 4_000):
        yield (
            f"TIFF of one tile of {side} x {side}",
            lambda s=side - side % 16: _one_tile(s),
            REFUSED if side > 4096 else "",
            "",
        )


def _grey_tiff(more: tuple[tuple[int, int, int, int], ...]) -> bytes:
    tags = ((256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 12_400))
    return tiff(*tags, (277, 3, 1, 1), (278, 4, 1, 100), (279, 4, 1, 10_000), *more, rest=bytes(16 << 20))


def _one_tile(side: int) -> bytes:
    data = packed(min(side * side, 1 << 29))
    return tiff(
        (256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), (259, 3, 1, 8),
        (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 400), (325, 4, 1, len(data)), rest=bytes(266) + data,
    )  # fmt: skip


def _others() -> Iterator[Made]:
    yield "JPEG of 2,000 scans", scans, REFUSED, "scans"
    yield "JPEG of a million segments", lambda: b"\xff\xd8" + b"\xff\xe5\0\2" * 10**6 + b"\xff\xd9", REFUSED, "segments"
    noise = b"\xff\xe5\xff\xff" + bytes(65_533)
    yield "JPEG of 4,900 long segments", lambda: jpeg()[:2] + noise * 4_900 + jpeg()[2:], "", ""
    yield "JPEG of tags that all are the same", lambda: with_exif(exif(2_600, 65_500)), "", ""
    yield "JPEG of EXIF in many pieces", lambda: with_exif(exif(20_000, 1_000_000)), "", ""
    yield "WebP of 400 MB that are not pixels", lambda: webp(b"abcd", 15 << 20, 27), "", ""
    yield "WebP of 400 MB of frames", lambda: webp(b"ANMF", 15 << 20, 27), "", ""
    for form in ("WEBP", "PNG"):
        yield f"{form} of 40 frames", lambda f=form: frames(f), ACCEPTED, ""
    yield "PPM of 100 of 12 MP", lambda: b"P5 4000 3000 100\n" + bytes(12_000_000), ACCEPTED, ""
    yield "PPM of 254 of 12 MP", lambda: b"P6 4000 3000 254\n" + bytes(36_000_000), ACCEPTED, ""
    yield "PPM as text of 12 MP", lambda: b"P3 4000 3000 255\n" + b"0 " * 36_000_000, REFUSED, "text"
    yield "PBM as text of 100 MP", lambda: b"P1 10000 10000\n" + b"0" * 100_000_000, REFUSED, "text"
    yield "PGM with comments", lambda: b"P2 4000 3000 255\n" + b"#a\n" * 3_000_000 + b"0 " * 12_000_000, REFUSED, "text"
    yield "PGM with comments, small", lambda: b"P2 9 9 255\n" + b"#a\n" * 3_000_000 + b"0 " * 81, "", ""
    yield "PGM with spaces, small", lambda: b"P2 9 9 255\n" + b" " * 30_000_000 + b"0 " * 81, "", ""
    yield "PGM as text, as large as may be", lambda: b"P2 1600 1250 255\n" + b"123 " * 2_000_000, ACCEPTED, ""
    yield "PPM as text, as large as may be", lambda: b"P3 1600 1250 255\n" + b"123 " * 6_000_000, ACCEPTED, ""
    yield "PPM as text, large maximum", lambda: b"P3 1600 1250 1000\n" + b"123 " * 6_000_000, ACCEPTED, ""
    yield "PBM as text, as large as may be", lambda: b"P1 1600 1250\n" + b"1 " * 2_000_000, ACCEPTED, ""
    yield "PGM with one long number", lambda: b"P2 1000 1000 255\n" + b"1" * 50_000_000, REFUSED, ""
    yield "PPM with a comment of 200 MB", lambda: b"P6 #" + b"x" * 200_000_000, REFUSED, "header"
    yield "PPM with a number of 10,000 digits", lambda: b"P6 " + b"9" * 10_000 + b" 1 255\n", REFUSED, ""
    yield "BMP of jumps", lambda: bmp(10_000, 10_000, b"\0\2\xff\xff" * 39_500 + b"\0\1"), REFUSED, "run-length"
    yield "BMP of jumps alone, smaller", lambda: bmp(4_000, 4_000, b"\0\2\xff\xff" * 39_500 + b"\0\1"), "", ""
    row = b"\xff\0" * 15 + bytes([4000 - 15 * 255, 0, 0, 0])
    yield "BMP of runs, as large as may be", lambda: bmp(4_000, 1_000, row * 1_000 + b"\0\1"), ACCEPTED, ""
    yield (
        "GIF",
        lambda: b"GIF89a" + struct.pack("<HH", 10_000, 10_000) + bytes(100),
        REFUSED,
        "take the photograph again",
    )
    for name, data in {"nothing": b"", "one byte": b"\x89", "zeros": bytes(1 << 20), "text": b"P6 hello"}.items():
        yield name, lambda d=data: d, REFUSED, ""


def jpeg() -> bytes:
    """A small one."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "JPEG")
    return out.getvalue()


def with_exif(data: bytes) -> bytes:
    """A small JPEG with EXIF data in as many segments as it takes; Pillow puts them together."""
    pieces = [b"Exif\0\0" + data[start : start + 65_500] for start in range(0, len(data), 65_500)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece for piece in pieces)
    return jpeg()[:2] + segments + jpeg()[2:]


def webp(kind: bytes, size: int, count: int) -> bytes:
    """A small WebP with `count` chunks of `size` bytes behind its picture."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "WEBP")
    pixels = out.getvalue()[12:]
    extended = b"VP8X" + struct.pack("<IIHBHB", 10, 0, 63, 0, 63, 0)
    body = b"WEBP" + extended + pixels + (kind + struct.pack("<I", size) + bytes(size)) * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def frames(form: str) -> bytes:
    """40 frames of 4 megapixels."""
    pictures = [Image.new("RGB", (2000, 2000), (index, 0, 0)) for index in range(40)]
    options: dict[str, Any] = {"lossless": True, "method": 0, "quality": 0} if form == "WEBP" else {}
    out = io.BytesIO()
    pictures[0].save(out, form, save_all=True, append_images=pictures[1:], **options)
    return out.getvalue()


def scans() -> bytes:
    """A progressive JPEG of 100 megapixels in 30 KB, with 2,000 scans."""
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(out, "JPEG", progressive=True)
    data = bytearray(out.getvalue())
    start = data.find(b"\xff\xc2")
    data[start + 5 : start + 9] = struct.pack(">HH", 10_000, 10_000)
    scan = bytes(data[data.rfind(b"\xff\xda") : -2])
    return bytes(data[:-2]) + scan[:14] * 2000 + b"\xff\xd9"
