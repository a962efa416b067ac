"""GIF, JPEG 2000, AVIF and HEIC: read where Pillow reads them, and refused by what they claim."""

import importlib.util
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from flawspot.errors import ImageError
from flawspot.runtime import decoding
from flawspot.runtime.avif_checks import BYTES_PER_CODED_PIXEL, BYTES_PER_PIXEL, check_avif
from flawspot.runtime.heic_checks import check_heic
from flawspot.runtime.images import read_image
from flawspot.runtime.jpeg2000_checks import check_jpeg2000

JPEG2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    """Squares of few colours."""
    squares = np.random.default_rng(0).integers(0, 8, (height // 8, width // 8, 3)).astype(np.uint8) * 32
    return np.kron(squares, np.ones((8, 8, 1), np.uint8))


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(ImageError) as error:
        read_image(path, **limits)
    assert str(error.value).isprintable()
    return str(error.value)


def patched(path: Path, place: int, new: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[place : place + len(new)] = new
    path.write_bytes(data)
    return path


def test_a_gif_and_the_first_of_its_frames(tmp_path):
    pixels = np.repeat(picture()[:, :, :1], 3, axis=2)
    first = Image.fromarray(pixels[:, :, 0])
    first.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("L", first.size, 9)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), pixels)


@JPEG2000
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jp2", {}),
        ("a.j2k", {}),
        ("tiles.jp2", {"tile_size": (32, 32)}),
        ("precincts.jp2", {"precinct_size": (64, 64), "codeblock_size": (32, 32)}),
    ],
)
def test_jpeg_2000(tmp_path, name, options):
    np.testing.assert_array_equal(read_image(saved(tmp_path / name, picture(), **options)), picture())


@JPEG2000
def test_jpeg_2000_of_16_bits(tmp_path):
    grey = picture()[:, :, 0].astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.jp2", grey))[:, :, 0], picture()[:, :, 0])


@AVIF
def test_avif(tmp_path):
    read = read_image(saved(tmp_path / "a.avif", picture(), quality=95, subsampling="4:4:4"))
    assert np.abs(read.astype(int) - picture()).mean() < 3


def test_heic_says_what_it_is_and_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    path.write_bytes(struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(100))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "it is a HEIC file, which needs a plug-in: pip install pillow-heif" in refusal(path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert "holds no picture" in refusal(path)
    path.write_bytes(struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"mp41") + bytes(100))
    assert "a film" in refusal(path)


def test_where_pillow_lacks_a_decoder_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding.features, "check", lambda _: False)
    if features.check("jpg_2000"):
        assert "does not read JPEG 2000" in refusal(saved(tmp_path / "a.jp2", picture()))
    if features.check("avif"):
        assert "install Pillow 11.3" in refusal(saved(tmp_path / "a.avif", picture()))


def parameters(width: int, height: int) -> bytes:
    """Those of an HEVC sequence, as far as they are looked at: one layer, colours at half resolution."""

    def golomb(number: int) -> str:
        return f"{number + 1:b}".rjust(2 * (number + 1).bit_length() - 1, "0")

    bits = "0000" + "000" + "1" + "1" * 96 + golomb(0) + golomb(1) + golomb(width) + golomb(height)
    return bytes([33 << 1, 1]) + int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def box(kind: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def heic(width: int, height: int, inside: bytes = b"") -> bytes:
    """The boxes of a HEIC whose container tells of 64 x 64 pixels, with a coded picture that is none."""
    unit = parameters(width, height)
    described = bytes(21) + b"\x03\x01" + struct.pack(">BHH", 33, 1, len(unit)) + unit
    sizes = box(b"ipco", box(b"hvcC", described), box(b"ispe", struct.pack(">III", 0, 64, 64)))
    kinds = box(b"iinf", struct.pack(">IH", 0, 1), box(b"infe", struct.pack(">IHH4s", 2 << 24, 1, 0, b"hvc1")))
    places = struct.pack(">IHHHHHII", 0, 0x4400, 1, 1, 0, 1, 0, 0)  # the rest of the file from its beginning
    coded = struct.pack(">I", len(inside)) + inside if inside else b""
    where = struct.pack(">I4s4sI", 16, b"ftyp", b"heic", 0)
    meta = box(b"meta", bytes(4), kinds, box(b"iloc", places), box(b"iprp", sizes))
    begin = len(where) + len(meta) + 8
    meta = meta.replace(places, struct.pack(">IHHHHHII", 0, 0x4400, 1, 1, 0, 1, begin, len(coded)))
    return where + meta + box(b"mdat", coded)


@pytest.mark.parametrize("inside", [b"", parameters(9000, 8000)])
def test_the_coded_picture_of_a_heic_counts_too(tmp_path, inside):
    path = tmp_path / "a.heic"
    path.write_bytes(heic(800, 600, inside))
    with path.open("rb") as file:
        coded = 9000 * 8000 if inside else 800 * 600
        assert check_heic(file) == BYTES_PER_CODED_PIXEL * coded + BYTES_PER_PIXEL * 64 * 64


# What they claim


def gif(*, screen: tuple[int, int] = (8, 8), frame: tuple[int, int] = (8, 8), before: bytes = b"") -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    return head + before + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00;"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gif(screen=(65535, 65535), before=b"!\xf9\x04\x08\0\0\0\0"), "above the limit"),
        (gif(frame=(60000, 60000)), "does not lie within its screen"),
        (gif(before=b"!\xfe" + b"\x01x" * 150_000 + b"\0"), "pieces of comments"),
        (gif(before=b"!\xfe\xff" + bytes(100)), "damaged"),
        (b"GIF89a", "damaged"),
    ],
    ids=["screen", "frame", "comments", "cut off", "nothing"],
)
def test_gifs_that_no_camera_writes(tmp_path, data, message):
    (tmp_path / "a.gif").write_bytes(data)
    assert message in refusal(tmp_path / "a.gif")


def marker(path: Path, code: int) -> int:
    """Where the content of a marker segment begins."""
    return path.read_bytes().index(bytes([0xFF, code])) + 4


@JPEG2000
@pytest.mark.parametrize(
    ("code", "place", "new", "message"),
    [
        (0x51, 18, struct.pack(">II", 1, 1), "tiles, above the limit"),
        (0x51, 2, struct.pack(">I", 97), "two different sizes"),
        (0x51, 34, struct.pack(">H", 9), "9 channels"),
        (0x52, 6, b"\0\0", "code blocks of under"),
        (0x52, 5, b"\x40", "64 resolutions"),
        (0x52, 2, b"\xff\xff", "packets, over"),
    ],
)
def test_jpeg_2000_files_that_no_camera_writes(tmp_path, code, place, new, message):
    path = saved(tmp_path / "a.jp2", picture(96, 96), precinct_size=(32, 32))
    assert message in refusal(patched(path, marker(path, code) + place, new))


@JPEG2000
def test_tiles_with_coding_parameters_of_their_own(tmp_path):
    path = saved(tmp_path / "a.j2k", picture())
    data = path.read_bytes()
    coding = data[marker(path, 0x52) - 4 : marker(path, 0x52) + 10]
    tile = data.index(b"\xff\x90")
    path.write_bytes(data[: tile + 12] + coding + data[tile + 12 :])
    assert "codes its tiles in different ways" in refusal(path)


@JPEG2000
def test_jpeg_2000_takes_more_memory_than_its_pixels(tmp_path):
    whole, tiles = saved(tmp_path / "a.j2k", picture(480, 640)), tmp_path / "t.j2k"
    saved(tiles, picture(480, 640), tile_size=(64, 64))
    with whole.open("rb") as one, tiles.open("rb") as other:
        assert check_jpeg2000(one) == 10 * 3 * 480 * 640
        assert check_jpeg2000(other) == 10 * 3 * 64 * 64
    assert "more than the" in refusal(whole, max_pixels=480 * 640)
    assert read_image(tiles, max_pixels=480 * 640).shape == (480, 640, 3)


@AVIF
def test_the_coded_picture_counts_and_not_what_the_container_says(tmp_path):
    path = saved(tmp_path / "a.avif", np.zeros((1000, 1000, 3), np.uint8), speed=10)
    place = path.read_bytes().index(b"ispe") + 8
    patched(path, place, struct.pack(">II", 100, 100))
    with path.open("rb") as file:
        assert check_avif(file) == BYTES_PER_CODED_PIXEL * 1000 * 1000 + BYTES_PER_PIXEL * 100 * 100
    assert "decoding this AVIF" in refusal(path, max_pixels=100_000)


@AVIF
def test_avif_films_and_pieces(tmp_path):
    path = saved(tmp_path / "a.avif", picture())
    data = path.read_bytes()
    path.write_bytes(data + struct.pack(">I4s", 8, b"moov"))
    assert "holds a film" in refusal(path)
    path.write_bytes(data + struct.pack(">I4s", 8, b"free") * 20_000)
    assert "boxes" in refusal(path)
    path.write_bytes(data.replace(b"av01", b"mime"))
    assert "holds no picture" in refusal(path)
    frames = tmp_path / "film.avif"
    Image.fromarray(picture()).save(frames, save_all=True, append_images=[Image.new("RGB", (64, 48))] * 2)
    assert "holds a film" in refusal(frames)


@pytest.mark.parametrize("name", ["a.gif", "a.jp2", "a.j2k", "a.avif"])
def test_damage_is_told_in_one_line(tmp_path, name):
    if not features.check({"a.avif": "avif"}.get(name, "jpg_2000")) and name != "a.gif":
        pytest.skip("this Pillow does not read it")
    whole = saved(tmp_path / name, picture()).read_bytes()
    generator = np.random.default_rng(1)
    for turn in range(150):
        data = bytearray(whole)
        for place in [*generator.integers(0, min(300, len(data)), 2), *generator.integers(0, len(data), 2)]:
            data[place] = generator.integers(256)
        (tmp_path / name).write_bytes(data[: generator.integers(1, len(data))] if turn % 5 == 0 else data)
        try:
            assert read_image(tmp_path / name, max_pixels=10**6).shape[2] == 3
        except ImageError as error:
            assert re.fullmatch(r"cannot read .*", str(error))
