import contextlib
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.images import IMAGE_SUFFIXES, find_images, read_image, read_mask, to_rgb

# Pillow warns about odd metadata in the damaged files; what matters is what comes out of them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LOSSLESS = [".png", ".bmp", ".tif", ".ppm"]


@pytest.fixture
def photograph() -> np.ndarray:
    """(40, 30, 3) uint8 with every pixel another colour."""
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def save(image: Image.Image | np.ndarray, path: Path, **options) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


# What photographs come as


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb_comes_back_as_it_was(tmp_path, photograph, suffix):
    path = save(photograph, tmp_path / f"with a space{suffix}")
    read = read_image(path)
    assert read.dtype == np.uint8 and read.flags.writeable and read.flags.c_contiguous
    np.testing.assert_array_equal(read, photograph)


@pytest.mark.parametrize("options", [{"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}])
def test_compressed_tiff(tmp_path, photograph, options):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.tif", **options)), photograph)


def test_webp_lossless_and_jpeg(tmp_path, photograph):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.webp", lossless=True)), photograph)
    smooth = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (64, 64, 3))
    read = read_image(save(smooth.copy(), tmp_path / "a.JPG", quality=95))
    assert np.abs(read.astype(int) - smooth).max() <= 3


def test_the_content_decides_not_the_suffix(tmp_path, photograph):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.jpg", format="PNG")), photograph)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_modes_are_converted_as_pillow_does(tmp_path, photograph, mode):
    image = Image.fromarray(photograph).convert(mode)
    np.testing.assert_array_equal(to_rgb(image), np.asarray(image.convert("RGB")))
    if mode in ("L", "LA", "RGBA", "P", "1"):
        np.testing.assert_array_equal(read_image(save(image, tmp_path / "a.png")), np.asarray(image.convert("RGB")))
    if mode in ("CMYK", "YCbCr"):
        np.testing.assert_array_equal(read_image(save(image, tmp_path / "a.tif")), np.asarray(image.convert("RGB")))


def test_lab_and_premultiplied_images(photograph):
    opaque = Image.fromarray(photograph).convert("RGBA")
    np.testing.assert_array_equal(to_rgb(opaque.convert("RGBa")), photograph)
    grey = Image.fromarray(photograph[:, :, 0]).convert("LA")
    np.testing.assert_array_equal(to_rgb(grey.convert("La"))[:, :, 1], photograph[:, :, 0])
    assert to_rgb(Image.new("LAB", (4, 3), (255, 128, 128))).min() >= 250


def test_cmyk_jpeg_has_the_right_polarity(tmp_path):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    read = read_image(save(red, tmp_path / "a.jpg"))
    assert read[8, 8, 0] > 240 and read[8, 8, 1] < 15


def test_transparency_is_dropped_not_composited(tmp_path, photograph):
    rgba = np.dstack([photograph, np.zeros(photograph.shape[:2], np.uint8)])
    np.testing.assert_array_equal(read_image(save(rgba, tmp_path / "a.png")), photograph)
    np.testing.assert_array_equal(to_rgb(rgba), photograph)


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255])])
def test_palette_with_transparency_reads_without_a_warning(tmp_path, photograph, transparency):
    palette = Image.fromarray(photograph).quantize(16)
    path = save(palette, tmp_path / "a.png", transparency=transparency)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_image(path), np.asarray(palette.convert("RGB")))
        image = Image.open(path)
        to_rgb(image)
    assert "transparency" in image.info  # the caller's image stays as it was
    image.close()


@pytest.mark.parametrize("transparency", [0, (0, 0, 0)])
def test_transparent_colour_of_grey_and_rgb(tmp_path, photograph, transparency):
    image = Image.fromarray(photograph if isinstance(transparency, tuple) else photograph[:, :, 0])
    path = save(image, tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    values = np.linspace(0, 65535, 40 * 30).round().astype(np.uint16).reshape(40, 30)
    expected = np.rint(values / 257).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    if suffix == ".pgm":
        path.write_bytes(b"P5 30 40 65535\n" + values.astype(">u2").tobytes())
    else:
        save(values, path)
    read = read_image(path)
    assert read.shape == (40, 30, 3) and read.max() == 255
    for channel in range(3):
        np.testing.assert_array_equal(read[:, :, channel], expected)


def test_16_bit_grey_big_endian_tiff(tmp_path):
    values = np.array([[0, 257, 65535]], np.uint16)
    image = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    assert read_image(save(image, tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 1, 255]
    assert to_rgb(image)[0, :, 0].tolist() == [0, 1, 255]


def test_16_bit_rgb_png(tmp_path):
    row = b"\x00" + struct.pack(">6H", 0, 257, 65535, 32896, 128 * 257, 65535)
    data = png_header(2, 1, bits=16, colour=2) + png_chunk(b"IDAT", zlib.compress(row)) + png_chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    assert read_image(tmp_path / "a.png").tolist() == [[[0, 1, 255], [128, 128, 255]]]


def test_32_bit_integers_are_16_bit_or_refused():
    assert to_rgb(Image.fromarray(np.array([[0, 65535]], np.int32)))[0, :, 0].tolist() == [0, 255]
    with pytest.raises(ImageError, match="from 0 to 65536, outside 0 to 65535"):
        to_rgb(Image.fromarray(np.array([[0, 65536]], np.int32)))
    with pytest.raises(ImageError, match="outside"):
        to_rgb(Image.fromarray(np.array([[-1, 5]], np.int32)))


def test_floating_point_images_are_refused_with_the_cure(tmp_path):
    path = save(Image.fromarray(np.random.default_rng(0).random((5, 4), np.float32)), tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.*floating-point.*save it with 8 or 16 bits"):
        read_image(path)
    with pytest.raises(ImageError, match=r"not float32 \(shape \(5, 4, 3\)\).*multiply by 255"):
        to_rgb(np.zeros((5, 4, 3), np.float32))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:16, :32] = (255, 0, 0)  # top left: red
    upright[32:, 32:] = (0, 0, 255)  # bottom right: blue
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),  # the viewer turns it clockwise
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(np.ascontiguousarray(undo(upright)), tmp_path / f"a{suffix}", exif=exif, quality=95)
    read = read_image(path)
    assert read.shape == upright.shape and read.flags.c_contiguous
    assert np.abs(read.astype(int) - upright).mean() < 6
    with Image.open(path) as image:
        np.testing.assert_array_equal(to_rgb(image), read)
    np.testing.assert_array_equal(read_mask(path)[:14, :30], True)


def test_broken_exif_does_not_spoil_the_photograph(tmp_path, photograph):
    path = save(photograph, tmp_path / "a.png", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40)
    np.testing.assert_array_equal(read_image(path), photograph)


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".png"])
def test_of_several_frames_the_first_is_read(tmp_path, photograph, suffix):
    other = Image.fromarray(255 - photograph)
    path = save(photograph, tmp_path / f"a{suffix}", save_all=True, append_images=[other], lossless=True)
    np.testing.assert_array_equal(read_image(path), photograph)


# Arrays


def test_arrays_of_every_accepted_kind(photograph):
    grey = photograph[:, :, 0]
    as_rgb = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(to_rgb(grey), as_rgb)
    np.testing.assert_array_equal(to_rgb(grey[:, :, None]), as_rgb)
    np.testing.assert_array_equal(to_rgb(photograph[:, ::-1]), photograph[:, ::-1])
    np.testing.assert_array_equal(to_rgb(photograph.astype(np.uint16) * 257), photograph)
    np.testing.assert_array_equal(to_rgb((photograph.astype(np.uint16) * 257).astype(">u2")), photograph)
    assert to_rgb(grey > 100).max() == 255
    assert np.shares_memory(to_rgb(photograph), photograph)
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(to_rgb(every)[:, :, 0], np.rint(every / 257))


@pytest.mark.parametrize("shape", [(), (7,), (3, 40, 30), (40, 30, 2), (40, 30, 5), (1, 40, 30, 3), (0, 5, 3)])
def test_arrays_of_another_shape(shape):
    with pytest.raises(ImageError) as error:
        to_rgb(np.zeros(shape, np.uint8))
    assert str(shape) in str(error.value) and "uint8" in str(error.value)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64, np.complex64, object, "U3"])
def test_arrays_of_another_type(dtype):
    with pytest.raises(ImageError, match=f"not {np.dtype(dtype)}"):
        to_rgb(np.zeros((4, 4, 3), dtype))


# Files that are not what they should be


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


def test_file_above_the_limit_of_bytes(tmp_path, photograph):
    path = save(photograph, tmp_path / "a.bmp")
    with pytest.raises(ImageError, match=r"bytes, above the limit of 1,000") as error:
        read_image(path, max_bytes=1000)
    one_line(error, path)


@pytest.mark.parametrize("width, height", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (20_001, 5_000)])
def test_decompression_bomb_is_refused_by_its_header(tmp_path, width, height):
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


def test_the_limit_of_pixels_is_the_callers_and_pillows_own_stays(tmp_path, photograph, monkeypatch):
    path = save(photograph, tmp_path / "a.png")
    assert read_image(path, max_pixels=1200).shape == (40, 30, 3)
    with pytest.raises(ImageError, match="40 pixels, above the limit of 1,199"):
        read_image(path, max_pixels=1199)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(path).shape == (40, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp", ".lzw.tif"])
def test_truncated_anywhere(tmp_path, photograph, suffix):
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
def test_flipped_bytes_never_escape_as_another_error(tmp_path, photograph, suffix):
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
    for data in [np.random.default_rng(0).bytes(3000), b"<html>\n</html>", b"\x00", b"GIF89a" + b"\0" * 50]:
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


def test_no_file_stays_open(tmp_path, photograph):
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


def test_a_damaged_pillow_image_in_memory(tmp_path, photograph):
    path = tmp_path / "a.png"
    path.write_bytes(save(photograph, path).read_bytes()[:200])
    with Image.open(path) as image, pytest.raises(ImageError, match="damaged"):
        to_rgb(image)


# Masks


@pytest.mark.parametrize("on", [1, 255])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_mask_of_0_and_1_or_0_and_255(tmp_path, on, suffix):
    mask = np.random.default_rng(0).random((20, 15)) < 0.3
    path = save(mask.astype(np.uint8) * on, tmp_path / f"a{suffix}")
    read = read_mask(path)
    assert read.dtype == np.bool_
    np.testing.assert_array_equal(read, mask)


def test_masks_in_other_modes(tmp_path):
    mask = np.random.default_rng(0).random((20, 15)) < 0.3
    one_bit = Image.fromarray(mask)
    rgba = np.dstack([mask * np.uint8(255), np.zeros((20, 15, 2), np.uint8), np.full((20, 15), 255, np.uint8)])
    for image in [one_bit, one_bit.convert("P"), rgba, mask.astype(np.uint16)]:
        np.testing.assert_array_equal(read_mask(save(image, tmp_path / "a.png")), mask)
    np.testing.assert_array_equal(read_mask(save(mask.astype(np.float32), tmp_path / "a.tif")), mask)


def test_jpeg_mask_does_not_grow_by_its_artefacts(tmp_path):
    mask = np.zeros((64, 64), bool)
    mask[20:37, 11:30] = True
    path = save(mask * np.uint8(255), tmp_path / "a.jpg", quality=60)
    np.testing.assert_array_equal(read_mask(path), mask)


# Folders


def test_find_images_in_natural_order(tmp_path):
    names = ["10.png", "2.png", "1.PNG", "b/3.jpg", "b/20.JPeG", "B2.tiff", "a.bmp", "2/1.webp"]
    ignored = ["._1.png", ".DS_Store", "Thumbs.db", "notes.txt", ".hidden/1.png", "__MACOSX/._1.png", "png", ".png"]
    for name in names + ignored:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["1.PNG", "2/1.webp", "2.png", "10.png", "a.bmp", "b/3.jpg", "b/20.JPeG", "B2.tiff"]
    assert [path.name for path in find_images(tmp_path, recursive=False)] == [
        "1.PNG",
        "2.png",
        "10.png",
        "a.bmp",
        "B2.tiff",
    ]


def test_find_images_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ImageError, match="cannot list the folder"):
        find_images(tmp_path / "absent")
