"""Pictures one after the other on a stream, taken apart where they end."""

import io
import os
import threading
import types

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.images import read_image
from flawspot.runtime.picture_stream import split_pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(options.pop("pixels", PIXELS)).save(file, kind, **options)
    return file.getvalue()


def with_thumbnail():
    """A JPEG whose APP1 segment holds a JPEG, as cameras write it."""
    whole, small = encoded("JPEG"), encoded("JPEG", pixels=PIXELS[:4, :4])
    return whole[:2] + b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small + whole[2:]


KINDS = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "thumbnail": with_thumbnail(),
    "png": encoded("PNG"),
    "bmp": encoded("BMP"),
    "webp": encoded("WEBP"),
    "lossless webp": encoded("WEBP", lossless=True),
    "ppm": encoded("PPM"),
    "pgm": encoded("PPM", pixels=PIXELS[:, :, 0]),
    "pgm 16": b"P5\n# from a camera\n3 2\n65535\n" + bytes(12),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_ends_where_it_ends(kind):
    order = [KINDS[kind], KINDS["png"], KINDS[kind], KINDS["jpeg"]]
    assert list(split_pictures(io.BytesIO(b"".join(order)))) == order


def test_all_kinds_in_a_row_byte_by_byte():
    class Slow(io.BytesIO):
        def read1(self, _=-1):
            return super().read(7)

    assert list(split_pictures(Slow(b"".join(KINDS.values())))) == list(KINDS.values())


def test_a_tiff_is_the_rest():
    tiff = encoded("TIFF")
    assert list(split_pictures(io.BytesIO(KINDS["png"] + tiff))) == [KINDS["png"], tiff]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pgm 16"])
def test_what_breaks_off_is_an_error_after_all_the_others(kind):
    *before, last = split_pictures(io.BytesIO(KINDS["png"] + KINDS[kind][:-3]))
    assert before == [KINDS["png"]]
    assert isinstance(last, ImageError)
    assert "breaks off" in str(last)


@pytest.mark.parametrize(
    "junk", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b"P6 9", b"\0", b"\xff\xd8\xff\xff"]
)
def test_junk_ends(junk):
    assert 1 <= len(list(split_pictures(io.BytesIO(junk)))) <= 2
    assert 1 <= len(list(split_pictures(io.BytesIO(junk * 50)))) <= 200


@pytest.mark.parametrize("names", [b"a.png\n", b"photos/new/1.png\nphotos/new/2.png\n", "Fotos/schön/1.png\n".encode()])
def test_names_in_the_place_of_pictures_are_said_how_to_give(names):
    """At once: more of them may never come."""

    def slow():
        yield names
        raise AssertionError("waited for the end")

    lines = slow()
    stream = types.SimpleNamespace(read=lambda size: next(lines) if len(names) >= 14 else names)
    (error,) = split_pictures(stream)
    assert "text and no pictures: for names of photographs, one a line, give --list -" in str(error)


def test_pictures_that_are_texts_are_pictures():
    assert list(split_pictures(io.BytesIO(b"P2\n2 2\n255\n0 1 2 3\n"))) == [b"P2\n2 2\n255\n0 1 2 3\n"]


def test_nothing_is_nothing():
    assert list(split_pictures(io.BytesIO(b""))) == []


def test_a_size_that_is_a_lie_is_refused():
    lie = b"BM" + (2**31).to_bytes(4, "little") + bytes(20)
    assert "more than" in str(next(split_pictures(io.BytesIO(lie))))


def test_a_picture_is_there_as_soon_as_it_is_complete(tmp_path):
    """A camera sends the next one only when this one was seen."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as camera:
        pictures = split_pictures(stream)
        for kind in ("jpeg", "png", "bmp", "ppm"):
            thread = threading.Thread(target=camera.write, args=(KINDS[kind],))
            thread.start()
            assert next(pictures) == KINDS[kind]
            thread.join()
    (tmp_path / "a.jpg").write_bytes(KINDS["jpeg"])
    assert read_image(tmp_path / "a.jpg").shape == (23, 31, 3)
