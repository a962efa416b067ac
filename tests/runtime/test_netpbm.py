"""Binary PGM and PPM files of unusual ranges, against Pillow's own slow decoder."""

import io
import time

import numpy as np
import pytest
from PIL import PpmImagePlugin

from flawspot.errors import ImageError
from flawspot.runtime import netpbm
from flawspot.runtime.file_checks import ppm_header
from flawspot.runtime.netpbm import read_scaled


def made(kind: bytes, largest: int, width: int = 13, height: int = 7) -> bytes:
    channels = 3 if kind == b"P6" else 1
    values = np.random.default_rng(largest).integers(0, largest + 1, (height, width, channels))
    stored = values.astype(np.uint8 if largest < 256 else ">u2").tobytes()
    return kind + b" # made by a test\n%d %d\n%d\n" % (width, height, largest) + stored


@pytest.mark.parametrize("kind", [b"P5", b"P6"])
@pytest.mark.parametrize("largest", [1, 7, 100, 254, 256, 1000, 1023, 4095, 16383, 65534, 65535])
@pytest.mark.parametrize("rows", [1, 1 << 22])
def test_values_are_those_of_pillow(kind, largest, rows, monkeypatch):
    monkeypatch.setattr(netpbm, "_ROWS_BYTES", rows)
    data = made(kind, largest)
    expected = np.asarray(PpmImagePlugin.PpmImageFile(io.BytesIO(data)))
    found = read_scaled(io.BytesIO(data))
    if kind == b"P5" and largest == 65535:
        assert found is None  # Pillow reads it as it is
    else:
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize(
    "data",
    [
        made(b"P5", 255),
        made(b"P6", 255),
        b"P2 1 1 9 5 ",
        b"P5 3 3 0\n123456789",
        b"P5 3 3",
        b"P5 0 3 9\n",
        b"P5 x 3 9\n",
    ],
)
def test_others_are_left_to_pillow(data):
    assert read_scaled(io.BytesIO(data)) is None


def test_a_file_that_ends_too_early():
    with pytest.raises(ImageError, match="ends too early"):
        read_scaled(io.BytesIO(made(b"P6", 100)[:-1]))


def test_twelve_megapixels_of_twelve_bits_take_a_moment():
    data = b"P5 4000 3000 4095\n" + bytes(24_000_000)
    begin = time.process_time()
    assert read_scaled(io.BytesIO(data)).size == (4000, 3000)
    assert time.process_time() - begin < 5  # Pillow takes over ten


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"P5 3 4 255\n", (b"P5", 3, 4, 255, 11)),
        (b"P4\n3\t4\n", (b"P4", 3, 4, 1, 7)),
        (b"P6 #a\n# b 9 9\r3 # c\n4\n9 ", (b"P6", 3, 4, 9, 24)),
        (b"P6 3 4 #", None),
        (b"P6 3 4 255", None),
        (b"P6 -3 4 255\n", None),
        (b"P6 " + b"1" * 5000 + b" 4 255\n", None),
    ],
)
def test_headers(start, expected):
    assert ppm_header(start) == expected
