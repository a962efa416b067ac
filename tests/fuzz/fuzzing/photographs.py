"""Photographs of every format that is read, small, and mutations of them."""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, features

from flawspot.runtime.libtiff import quieten
from fuzzing.bytes import LARGE_NUMBERS, NUMBERS, mutated

WIDTH, HEIGHT = 56, 40
_SIZES = (
    (100_000, 1000), (1000, 100_000), (1, 10**8), (10_000, 10_000), (2**31 - 1, 1), (16_383, 6_000), (65_500, 1_500),
    (0, 0), (65_535, 65_535), (3_000, 3_000), (9_000, 9_000), (1, 64), (8_000, 200),
)  # fmt: skip


@functools.cache
def seeds() -> dict[str, bytes]:
    """Photographs that are right, by a name that begins with their format."""
    quieten()
    generator = np.random.default_rng(0)
    colour = Image.fromarray(generator.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    grey = colour.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    bits, alpha, palette = grey.convert("1"), colour.convert("RGBA"), colour.convert("P")
    exif = Image.Exif()
    exif[0x112], exif[0x10F] = 6, "x" * 200
    more: dict[str, Any] = {"save_all": True, "append_images": [colour] * 3}
    found: dict[str, bytes] = {}

    def add(name: str, image: Image.Image, **options: Any) -> None:
        out = io.BytesIO()
        image.save(out, name.split()[0], **options)
        found[name] = out.getvalue()

    modes = {"colour": colour, "grey": grey, "palette": palette, "bits": bits, "alpha": alpha}
    for name, image in {**modes, "16": deep, "grey alpha": grey.convert("LA")}.items():
        add(f"PNG {name}", image)
    add("PNG exif", colour, exif=exif, icc_profile=b"x" * 500)
    add("PNG frames", colour, **more)
    add("JPEG colour", colour)
    add("JPEG grey", grey)
    add("JPEG progressive", colour, progressive=True, exif=exif)
    add("JPEG CMYK", colour.convert("CMYK"))
    add("JPEG profile", colour, icc_profile=b"y" * 70_000)
    add("MPO", colour, **more)
    for name, image in modes.items():
        add(f"BMP {name}", image)
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd", "webp"):
        if name == "raw" or features.check("libtiff"):
            try:
                add(f"TIFF {name}", colour, compression=None if name == "raw" else name)
            except (OSError, RuntimeError, ValueError):  # not built in
                continue
    for name in ("group3", "group4"):
        add(f"TIFF {name}", bits, compression=name)
    for name, image in {
        "16": deep,
        "CMYK": colour.convert("CMYK"),
        "LAB": colour.convert("LAB"),
        "palette": palette,
    }.items():
        add(f"TIFF {name}", image)
    add("TIFF float", Image.fromarray(np.asarray(grey).astype(np.float32)))
    add("TIFF 32", Image.fromarray(np.asarray(grey).astype(np.int32)))
    add("TIFF frames", colour, **more)
    add("TIFF big", colour, big_tiff=True)
    add("TIFF exif", colour, exif=exif)
    add("WEBP colour", colour)
    add("WEBP lossless", colour, lossless=True)
    add("WEBP alpha", alpha, exif=exif)
    add("WEBP frames", colour, **more)
    add("GIF", colour)
    add("GIF frames", palette, **more)
    if features.check("jpg_2000"):
        for name, options in {"": {}, " tiles": {"tile_size": (32, 32)}, " stream": {"no_jp2": True}}.items():
            add(f"JPEG2000{name}", colour, **options)
        add("JPEG2000 precincts", grey, precinct_size=(32, 32), codeblock_size=(16, 16), quality_layers=[20, 5])
        add("JPEG2000 16", deep)
    if features.check("avif"):
        add("AVIF", colour, speed=10)
        add("AVIF alpha", alpha, speed=10, subsampling="4:4:4")
    found.update(_netpbm(colour, grey))
    return found


def _netpbm(colour: Image.Image, grey: Image.Image) -> dict[str, bytes]:
    size = f"{WIDTH} {HEIGHT}".encode()
    numbers = b" ".join(b"%d" % value for value in np.asarray(colour).ravel())
    return {
        "PPM colour": b"P6 " + size + b" 255\n" + colour.tobytes(),
        "PPM grey": b"P5 " + size + b" 255\n" + grey.tobytes(),
        "PPM bits": b"P4 " + size + b"\n" + grey.convert("1").tobytes(),
        "PPM text": b"P3 " + size + b" 255\n" + numbers,
        "PPM text bits": b"P1 " + size + b"\n" + b"01" * (WIDTH * HEIGHT // 2),
        "PPM 100": b"P5 " + size + b" 100\n" + bytes(value % 101 for value in grey.tobytes()),
        "PPM 1000": b"P6 # a comment\n" + size + b" 1000\n" + bytes(WIDTH * HEIGHT * 6),
        "PPM 4095": b"P5 " + size + b" 4095\n" + bytes(WIDTH * HEIGHT * 2),
    }


def case(name: str, rng: random.Random) -> bytes:
    """A mutation of the seed of that name; a checksum that a decoder looks at first is often right again."""
    data = seeds()[name]
    kind = rng.random()
    if kind < 0.08:
        data = resized(name, data, *rng.choice(_SIZES))
    elif kind < 0.2 and name.startswith("TIFF"):
        data = _tag_changed(data, rng)
    if kind > 0.06:
        data = mutated(data, rng, tuple(seeds().values()))
    return with_checksums(data) if name.startswith("PNG") and rng.random() < 0.7 else data


def resized(name: str, data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its header."""
    new = bytearray(data)
    form = name.split()[0]
    if form == "PNG":
        new[16:24] = struct.pack(">II", width, height)
    elif form == "BMP":
        new[18:26] = struct.pack("<ii", width, height)
    elif form in ("JPEG", "MPO"):
        start = max(new.find(b"\xff\xc0"), new.find(b"\xff\xc2"))
        new[start + 5 : start + 9] = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
    elif form == "TIFF":
        for place, tag in _tags(data):
            if tag in (256, 257, 278):
                new[place + 2 : place + 12] = struct.pack("<HII", 4, 1, width if tag == 256 else height)
    elif form == "WEBP":
        start = new.find(b"VP8X")
        if start > 0:
            new[start + 12 : start + 18] = (
                struct.pack("<I", width & 0xFFFFFF)[:3] + struct.pack("<I", height & 0xFFFFFF)[:3]
            )
        start = new.find(b"VP8 ")
        if start > 0:
            new[start + 14 : start + 18] = struct.pack("<HH", width & 16_383, height & 16_383)
    elif form == "GIF":
        new[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    elif form == "JPEG2000":
        start = new.find(b"\xff\x51")
        new[start + 6 : start + 14] = struct.pack(">II", width, height)
        start = new.find(b"ihdr")
        if start > 0:
            new[start + 4 : start + 12] = struct.pack(">II", height, width)
    elif form == "AVIF":
        start = new.find(b"ispe")
        new[start + 8 : start + 16] = struct.pack(">II", width, height)
    elif form == "PPM":
        new[:] = data.replace(f"{WIDTH} {HEIGHT}".encode(), f"{width} {height}".encode(), 1)
    return bytes(new)


def _tags(data: bytes) -> list[tuple[int, int]]:
    """Where each entry of a little-endian TIFF's directory lies, and its tag."""
    start = struct.unpack_from("<I", data, 4)[0]
    if data[2] != 42 or start + 2 > len(data):
        return []
    count = struct.unpack_from("<H", data, start)[0]
    places = [start + 2 + 12 * index for index in range(count) if start + 14 + 12 * index <= len(data)]
    return [(place, struct.unpack_from("<H", data, place)[0]) for place in places]


def _tag_changed(data: bytes, rng: random.Random) -> bytes:
    new = bytearray(data)
    tags = _tags(data)
    if tags:
        place, _ = rng.choice(tags)
        layout, offset = rng.choice((("<H", 0), ("<H", 2), ("<I", 4), ("<I", 8)))
        value = rng.choice((*NUMBERS, *LARGE_NUMBERS, 32_773, 34_712, 50_000)) & (1 << 8 * struct.calcsize(layout)) - 1
        struct.pack_into(layout, new, place + offset, value)
    return bytes(new)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have right checksums, so that what is in them reaches the decoder."""
    new, place = bytearray(data), 8
    while place + 12 <= len(new):
        end = place + 8 + struct.unpack_from(">I", new, place)[0]
        if end + 4 > len(new):
            break
        struct.pack_into(">I", new, end, zlib.crc32(new[place + 4 : end]))
        place = end + 4
    return bytes(new)
