"""MPO files: the first picture is the photograph, unless it is a thumbnail of another."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.decoding import MAX_FILE_BYTES, decode
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import list_images
from flawspot.runtime.reduced import read_photograph


def mpo(*pictures: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    pictures[0].save(file, "MPO", save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


def grey(level: int, width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (level, level, level))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(64, 48), (640, 480)], 1),
        ([(64, 48), (320, 240), (640, 480)], 2),
        ([(640, 480), (64, 48)], 0),
        ([(320, 240), (320, 240)], 0),
        ([(320, 240), (480, 360)], 0),
    ],
)
def test_which_picture_is_the_photograph(tmp_path, sizes, expected):
    """A thumbnail is told by its size: stereo pairs, depths and gain maps are no reason to pass over the first."""
    pictures = [grey(40 * (1 + place), *size) for place, size in enumerate(sizes)]
    (tmp_path / "a.mpo").write_bytes(mpo(*pictures))
    found = read_image(tmp_path / "a.mpo")
    assert (found.shape[1], found.shape[0]) == sizes[expected]
    assert abs(int(found[0, 0, 0]) - 40 * (1 + expected)) <= 2
    assert list_images(tmp_path) == [tmp_path / "a.mpo"]


def test_one_that_says_it_is_a_thumbnail(tmp_path):
    """By its type, however little smaller it is."""
    data = bytearray(mpo(grey(40, 320, 240), grey(200, 400, 300)))
    entry = data.index(b"MPF\0") + 4 + 50  # Pillow writes the table there
    assert data[entry : entry + 4] == struct.pack("<I", 0x030000)
    data[entry : entry + 4] = struct.pack("<I", 0x010001)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert read_image(path).shape == (300, 400, 3)


def test_reduced_and_turned_upright(tmp_path):
    """The picture has an orientation of its own, and is decoded at reduced size as any JPEG."""
    exif = Image.Exif()
    exif[0x0112] = 6
    large = grey(200, 1600, 800)
    large.encoderinfo = {"exif": exif.tobytes()}
    path = tmp_path / "a.jpg"
    path.write_bytes(mpo(grey(40, 160, 80), large))
    found = read_photograph(path, 32, fast_jpeg=True)
    assert found.size in ((800, 1600), (1600, 800))
    assert abs(int(found.pixels[5, 5, 0]) - 200) <= 2


def test_the_limit_of_pixels_is_that_of_the_picture(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(mpo(grey(40, 64, 48), grey(200, 640, 480)))
    with pytest.raises(ImageError, match="640 x 480 pixels, above the limit of 10,000"):
        read_image(path, max_pixels=10_000)


def test_damaged_tables_are_one_line_or_the_first_picture(tmp_path):
    whole, path = mpo(grey(40, 64, 48), grey(200, 640, 480)), tmp_path / "a.jpg"
    generator = np.random.default_rng(0)
    table = whole.index(b"MPF\0")
    for _ in range(200):
        data = bytearray(whole)
        for place in generator.integers(table, table + 90, 3):
            data[place] = generator.integers(0, 256)
        path.write_bytes(data[: generator.integers(table, len(data))])
        try:
            width, height = decode(path, lambda image: image.size, 10**8, MAX_FILE_BYTES)
        except ImageError as error:
            assert "\n" not in str(error)
        else:
            assert (width, height) in ((64, 48), (640, 480))
