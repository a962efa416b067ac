"""TIFF files as cameras and editors write them: planes, white as zero, thumbnails first, compressions of others."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ImageError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.images import read_image

RNG = np.random.default_rng(0)
RGB8, RGB16 = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8), RNG.integers(0, 65536, (5, 7, 3), dtype=np.uint16)
GREY16 = RGB16[:, :, 0]


def page(pixels, at, order, last, planar=1, photometric=None, subfile=0, compression=1):
    """One directory and its pixels, to stand at byte `at`."""
    whole = pixels if pixels.ndim == 3 else pixels[:, :, None]
    height, width, channels = whole.shape
    stored = whole.astype(whole.dtype.newbyteorder(order))
    planes = [stored[:, :, c].tobytes() for c in range(channels)] if planar == 2 else [stored.tobytes()]
    if compression == 8:
        planes = [zlib.compress(plane) for plane in planes]
    planes = [plane + b"\0" * (len(plane) % 2) for plane in planes]
    begin = at + 2 + 12 * 11 + 4
    starts = [begin + sum(map(len, planes[:i])) for i in range(len(planes))]
    colours = 2 if channels == 3 else 1
    tags = [(254, "I", [subfile]), (256, "I", [width]), (257, "I", [height])]
    tags += [(258, "H", [8 * whole.itemsize] * channels), (259, "H", [compression])]
    tags += [(262, "H", [colours if photometric is None else photometric]), (273, "I", starts)]
    tags += [(277, "H", [channels]), (278, "I", [height]), (279, "I", [len(p) for p in planes]), (284, "H", [planar])]
    data, table = b"".join(planes), b""
    for number, kind, values in tags:
        field = struct.pack(order + kind * len(values), *values)
        if len(field) > 4:
            field, data = struct.pack(order + "I", begin + len(data)), data + field + b"\0" * (len(field) % 2)
        table += struct.pack(order + "HHI", number, {"H": 3, "I": 4}[kind], len(values)) + field.ljust(4, b"\0")
    following = 0 if last else begin + len(data)
    return struct.pack(order + "H", len(tags)) + table + struct.pack(order + "I", following) + data


def tiff(*pages, order="<"):
    """A file of pages, each given as (pixels, settings)."""
    file = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    for index, (pixels, settings) in enumerate(pages):
        file += page(pixels, len(file), order, index == len(pages) - 1, **settings)
    return file


def eight_bits(pixels):
    scaled = pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return scaled if scaled.ndim == 3 else np.repeat(scaled[:, :, None], 3, 2)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("pixels", "settings", "expected"),
    [
        (RGB8, {"planar": 2}, RGB8),
        (RGB8, {"planar": 2, "compression": 8}, RGB8),
        (RGB16, {"planar": 2, "compression": 8}, RGB16),
        (RGB8[:, :, 0], {"photometric": 0}, 255 - RGB8[:, :, 0]),
        (GREY16, {"photometric": 0}, 65535 - GREY16),
        (GREY16, {"photometric": 0, "compression": 8}, 65535 - GREY16),
        (RGB16, {"planar": 2}, RGB16),
    ],
)
def test_pixels_are_read_rightly_or_refused_by_name(tmp_path, order, pixels, settings, expected):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((pixels, settings), order=order))
    try:
        read = read_image(path)
    except ImageError as error:
        assert "which is not read: save it with" in str(error)
        assert pixels.dtype == np.uint16
        assert order == ">" or (settings == {"planar": 2})
    else:
        # Pillow drops the lower byte of 16-bit colours.
        assert np.abs(read.astype(int) - eight_bits(expected)).max() <= (pixels is RGB16)


def test_inverted_sixteen_bits_are_inverted_when_large_too(tmp_path):
    pixels = np.full((1600, 1400), 60000, np.uint16)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((pixels, {"photometric": 0})))
    assert read_image(path).max() < 30


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("thumbnails", [0, 1, 2])
def test_thumbnails_before_the_picture_are_passed_over(tmp_path, order, thumbnails):
    pages = [(RGB8[:2, :2], {"subfile": 1})] * thumbnails + [(RGB8, {}), (RGB8[:1], {})]
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(*pages, order=order))
    np.testing.assert_array_equal(read_image(path), RGB8)


def test_nothing_but_thumbnails_is_read_as_it_is(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((RGB8[:2, :2], {"subfile": 1})))
    assert read_image(path).shape == (2, 2, 3)


def test_a_bomb_behind_a_thumbnail_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    file = bytearray(tiff((RGB8[:2, :2], {"subfile": 1}), (RGB8, {})))
    second = file.index(struct.pack("<HHII", 256, 4, 1, 7))
    file[second + 8 : second + 12] = struct.pack("<I", 2_000_000)
    path.write_bytes(file)
    with pytest.raises(ImageError, match="2000000 x 5 pixels"):
        read_image(path)


def test_a_chain_that_never_ends(tmp_path):
    path = tmp_path / "a.tif"
    file = bytearray(tiff((RGB8[:2, :2], {"subfile": 1})))
    file[8 + 2 + 12 * 11 : 8 + 2 + 12 * 11 + 4] = struct.pack("<I", 8)
    path.write_bytes(file)
    assert read_image(path).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("number", "name"), [(34712, "JPEG 2000"), (50002, "JPEG XL"), (34887, "LERC"), (65000, "a proprietary method")]
)
def test_compressions_that_are_not_read_are_named_and_not_called_damage(tmp_path, number, name):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((RGB8, {"compression": number})))
    with pytest.raises(ImageError, match=rf"{name} \(number {number}\), which is not read: save it") as caught:
        read_image(path)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.int8])
def test_what_is_said_of_integers_is_right(tiny_model, tiny_manifest, dtype):
    """4095 is white, also after what the message says."""
    detector = flawspot.load(assemble(tiny_model, tiny_manifest))
    x = np.full((8, 8), 100 if dtype is np.int8 else 4095, dtype)
    with pytest.raises(ImageError, match=r"by its actual range.*astype alone wraps") as caught:
        detector.predict(x)
    assert "(x * (255 / 4095)).round().astype(np.uint8)" in str(caught.value)
    if dtype is not np.int8:
        assert detector.predict((x * (255 / 4095)).round().astype(np.uint8)).score == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "PPM"])
def test_photographs_as_bytes_and_file_objects(tiny_model, tiny_manifest, kind):
    detector = flawspot.load(assemble(tiny_model, tiny_manifest))
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (150, 0, 0)).save(file, kind)
    expected = 150 if kind != "JPEG" else pytest.approx(150, abs=3)
    assert detector.predict(file.getvalue()).score == expected
    assert detector.predict(bytearray(file.getvalue())).score == expected
    file.seek(0)
    assert detector.predict(file).score == expected
