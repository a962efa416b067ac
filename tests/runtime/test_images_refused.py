"""Files that are not what they should be: every one is refused in one line, and none harms the process."""

import contextlib
import struct
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from flawspot.errors import ImageError
from flawspot.runtime.images import read_image, read_mask, to_rgb
from flawspot.runtime.listing import IMAGE_SUFFIXES

# Pillow warns about odd metadata in the damaged files; what matters is what comes out of them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LOSSLESS = [".png", ".bmp", ".tif", ".ppm"]


def one_line(error: pytest.ExceptionInfo[ImageError], path: Path) -> str:
    message = str(error.value)
    assert str(path) in message and message.isprintable()
    return message


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_no_file_a_folder_an_empty_file(tmp_path, read):
    (tmp_path / "empty.png").touch()
    for name, words in [("absent.png", "no such file"), ("", "is a folder"), ("empty.png", "is empty")]:
        with pytest.raises(ImageError, match=words) as error:
            read(tmp_path / name)
        one_line(error, tmp_path / name)


def test_impossible_paths():
    for name in ["a\x00b.png", "a" * 5000 + ".png"]:
        with pytest.raises(ImageError) as error:
            read_image(Path(name))
        assert str(error.value).isprintable()


def test_file_above_the_limit_of_bytes(tmp_path, photograph, save):
    path = save(photograph, tmp_path / "a.bmp")
    with pytest.raises(ImageError, match=r"bytes, above the limit of 1,000") as error:
        read_image(path, max_bytes=1000)
    one_line(error, path)


@pytest.mark.parametrize("width, height", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (20_001, 5_000)])
def test_decompression_bomb_is_refused_by_its_header(tmp_path, width, height, png_chunk, png_header):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=rf"{width} x {height} pixels, above the limit of 100,000,000") as error:
            read_image(path)
    one_line(error, path)


def test_bombs_in_other_formats(tmp_path):
    bmp = b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, *[0] * 6)
    webp = b"RIFF\x20\x00\x00\x00WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff\x3f\x00\xff\x3f\x00" + b"\0" * 16
    for name, data in [("a.ppm", b"P6 90000 90000 255\n"), ("a.bmp", bmp), ("a.webp", webp)]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError) as error:
            read_image(tmp_path / name)
        one_line(error, tmp_path / name)


def test_the_limit_of_pixels_is_the_callers_and_pillows_own_stays(tmp_path, photograph, monkeypatch, save):
    path = save(photograph, tmp_path / "a.png")
    assert read_image(path, max_pixels=1200).shape == (40, 30, 3)
    with pytest.raises(ImageError, match="40 pixels, above the limit of 1,199"):
        read_image(path, max_pixels=1199)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(path).shape == (40, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp", ".lzw.tif"])
def test_truncated_anywhere(tmp_path, photograph, suffix, save):
    options = {"compression": "tiff_lzw"} if "lzw" in suffix else {}
    whole = save(photograph, tmp_path / f"whole{suffix}", **options).read_bytes()
    path = tmp_path / f"part{suffix}"
    for length in sorted({*range(1, 60), *np.linspace(60, len(whole) - 1, 60).astype(int).tolist()}):
        path.write_bytes(whole[:length])
        if length <= len(whole) * 0.9:
            with pytest.raises(ImageError) as error:
                read_image(path)
            one_line(error, path)
        else:  # what is cut off may be no pixels
            with contextlib.suppress(ImageError):
                assert read_image(path).shape == photograph.shape


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp", ".lzw.tif"])
def test_flipped_bytes_never_escape_as_another_error(tmp_path, photograph, suffix, save):
    options = {"compression": "tiff_lzw"} if "lzw" in suffix else {}
    whole = save(photograph, tmp_path / f"whole{suffix}", **options).read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / f"flipped{suffix}"
    for _ in range(150):
        data = bytearray(whole)
        # Half of the damage in the header, where it does most.
        for place in [*rng.integers(0, min(200, len(data)), 2), *rng.integers(0, len(data), 2)]:
            data[place] = rng.integers(256)
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd TIFF tags
            try:
                assert read_image(path, max_pixels=10**6).shape[2] == 3
            except ImageError as error:
                assert str(error).isprintable()


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_random_bytes_and_text_with_an_image_suffix(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for data in [np.random.default_rng(0).bytes(3000), b"<html>\n</html>", b"\x00", b"%PDF-1.7" + b"\0" * 50]:
        path.write_bytes(data)
        with pytest.raises(ImageError, match="not a PNG, JPEG") as error:
            read_image(path)
        one_line(error, path)


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"II+\0",
        b"RIFF\0\1\0\0WEBPVP8 ",
        b"P6 ",
        b"P3 ",
    ],
)
def test_a_right_signature_before_random_bytes(tmp_path, start):
    path = tmp_path / "a.png"
    for seed in range(20):
        path.write_bytes(start + np.random.default_rng(seed).bytes(300))
        with pytest.raises(ImageError) as error:
            read_image(path)
        one_line(error, path)


def test_no_file_stays_open(tmp_path, photograph, save):
    good = save(photograph, tmp_path / "a.png")
    bad = tmp_path / "b.png"
    bad.write_bytes(good.read_bytes()[:200])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        read_image(good)
        with pytest.raises(ImageError):
            read_image(bad)
    good.unlink()  # Windows refuses to remove open files
    bad.unlink()


def test_a_damaged_pillow_image_in_memory(tmp_path, photograph, save):
    path = tmp_path / "a.png"
    path.write_bytes(save(photograph, path).read_bytes()[:200])
    with Image.open(path) as image, pytest.raises(ImageError, match="damaged"):
        to_rgb(image)


def test_exif_data_in_a_text_of_a_png(tmp_path):
    """A directory whose entries all name the same bytes, written as older programs do."""
    path = tmp_path / "a.png"
    for entries, refused in ((30, False), (8_000, True)):
        tags = b"".join(struct.pack("<HHII", tag, 7, 90_000, 8) for tag in range(1000, 1000 + entries))
        exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", entries) + tags + bytes(4)
        text = PngInfo()
        text.add_text("Raw profile type exif", f"\nexif\n{len(exif)}\n{exif.hex()}", zip=True)
        Image.new("RGB", (9, 9)).save(path, pnginfo=text)
        if refused:
            begin = time.process_time()
            with pytest.raises(ImageError, match="EXIF data of the PNG") as error:
                read_image(path)
            one_line(error, path)
            assert time.process_time() - begin < 0.5
        else:
            assert read_image(path).shape == (9, 9, 3)
