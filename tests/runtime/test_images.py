"""Photographs, masks and arrays of every kind come to one form."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime.images import read_image, read_mask, to_rgb
from flawspot.runtime.listing import find_images

# Pillow warns about odd metadata; what matters is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LOSSLESS = [".png", ".bmp", ".tif", ".ppm"]


# What photographs come as


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb_comes_back_as_it_was(tmp_path, photograph, suffix, save):
    path = save(photograph, tmp_path / f"with a space{suffix}")
    read = read_image(path)
    assert read.dtype == np.uint8 and read.flags.writeable and read.flags.c_contiguous
    np.testing.assert_array_equal(read, photograph)


@pytest.mark.parametrize("options", [{"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}])
def test_compressed_tiff(tmp_path, photograph, options, save):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.tif", **options)), photograph)


def test_webp_lossless_and_jpeg(tmp_path, photograph, save):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.webp", lossless=True)), photograph)
    smooth = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (64, 64, 3))
    read = read_image(save(smooth.copy(), tmp_path / "a.JPG", quality=95))
    assert np.abs(read.astype(int) - smooth).max() <= 3


def test_the_content_decides_not_the_suffix(tmp_path, photograph, save):
    np.testing.assert_array_equal(read_image(save(photograph, tmp_path / "a.jpg", format="PNG")), photograph)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_modes_are_converted_as_pillow_does(tmp_path, photograph, mode, save):
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


def test_cmyk_jpeg_has_the_right_polarity(tmp_path, save):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    read = read_image(save(red, tmp_path / "a.jpg"))
    assert read[8, 8, 0] > 240 and read[8, 8, 1] < 15


def test_transparency_is_dropped_not_composited(tmp_path, photograph, save):
    rgba = np.dstack([photograph, np.zeros(photograph.shape[:2], np.uint8)])
    np.testing.assert_array_equal(read_image(save(rgba, tmp_path / "a.png")), photograph)
    np.testing.assert_array_equal(to_rgb(rgba), photograph)


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255])])
def test_palette_with_transparency_reads_without_a_warning(tmp_path, photograph, transparency, save):
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
def test_transparent_colour_of_grey_and_rgb(tmp_path, photograph, transparency, save):
    image = Image.fromarray(photograph if isinstance(transparency, tuple) else photograph[:, :, 0])
    path = save(image, tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, suffix, save):
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


def test_16_bit_grey_big_endian_tiff(tmp_path, save):
    values = np.array([[0, 257, 65535]], np.uint16)
    image = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    assert read_image(save(image, tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 1, 255]
    assert to_rgb(image)[0, :, 0].tolist() == [0, 1, 255]


def test_16_bit_rgb_png(tmp_path, png_chunk, png_header):
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


def test_floating_point_images_are_refused_with_the_cure(tmp_path, save):
    path = save(Image.fromarray(np.random.default_rng(0).random((5, 4), np.float32)), tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.*floating-point.*save it with 8 or 16 bits"):
        read_image(path)
    with pytest.raises(ImageError, match=r"not float32 \(shape \(5, 4, 3\)\).*255 \* x"):
        to_rgb(np.zeros((5, 4, 3), np.float32))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, orientation, save):
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


def test_broken_exif_does_not_spoil_the_photograph(tmp_path, photograph, save):
    path = save(photograph, tmp_path / "a.png", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40)
    np.testing.assert_array_equal(read_image(path), photograph)


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".png"])
def test_of_several_frames_the_first_is_read(tmp_path, photograph, suffix, save):
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


# Masks


@pytest.mark.parametrize("on", [1, 255])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_mask_of_0_and_1_or_0_and_255(tmp_path, on, suffix, save):
    mask = np.random.default_rng(0).random((20, 15)) < 0.3
    path = save(mask.astype(np.uint8) * on, tmp_path / f"a{suffix}")
    read = read_mask(path)
    assert read.dtype == np.bool_
    np.testing.assert_array_equal(read, mask)


def test_masks_in_other_modes(tmp_path, save):
    mask = np.random.default_rng(0).random((20, 15)) < 0.3
    one_bit = Image.fromarray(mask)
    rgba = np.dstack([mask * np.uint8(255), np.zeros((20, 15, 2), np.uint8), np.full((20, 15), 255, np.uint8)])
    for image in [one_bit, one_bit.convert("P"), rgba, mask.astype(np.uint16)]:
        np.testing.assert_array_equal(read_mask(save(image, tmp_path / "a.png")), mask)
    np.testing.assert_array_equal(read_mask(save(mask.astype(np.float32), tmp_path / "a.tif")), mask)


def test_jpeg_mask_does_not_grow_by_its_artefacts(tmp_path, save):
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
