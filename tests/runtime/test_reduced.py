"""Reduced decoding: what it changes, and what it must leave alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ImageError
from flawspot.runtime import reduced
from flawspot.runtime.artifact import assemble
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images
from flawspot.runtime.reduced import REDUCTION, prepare, read_photograph

SIZE = 64
LARGE = 2 * REDUCTION * SIZE


def scene(width: int, height: int) -> Image.Image:
    """A part with sharp edges, a gradient and a little noise."""
    y, x = np.mgrid[:height, :width] / min(width, height)
    image = 60 + 80 * (np.hypot(x - 0.5, y - 0.5) < 0.4) + 60 * ((x > 0.7) & (y < 0.3)) + 20 * x
    noise = np.random.default_rng(0).normal(0, 5, (height, width, 3))
    return Image.fromarray(np.clip(image[:, :, None] + noise, 0, 255).astype(np.uint8))


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """As in the graph: bilinear, antialiased, not rounded."""
    channels = [Image.fromarray(pixels[:, :, c].astype(np.float32)) for c in range(3)]
    return np.stack([np.asarray(c.resize((size, size), Image.Resampling.BILINEAR)) for c in channels], axis=2)


def difference(path: Path, size: int) -> float:
    return float(
        np.abs(
            resized(read_photograph(path, size, fast_jpeg=True).pixels, size) - resized(read_image(path), size)
        ).max()
    )


@pytest.mark.parametrize(("factor", "quality", "subsampling"), [(2, 95, 0), (2, 70, 2), (4, 85, 2), (8, 85, 1)])
def test_within_two_grey_levels(tmp_path, factor, quality, subsampling):
    side = factor * REDUCTION * SIZE
    path = tmp_path / "a.jpg"
    scene(side, side).save(path, quality=quality, subsampling=subsampling)
    decoded = read_photograph(path, SIZE, fast_jpeg=True)
    assert decoded.pixels.shape == (side // factor, side // factor, 3)
    assert decoded.size == (side, side)
    assert difference(path, SIZE) <= 2


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("noise", [0, 25])
def test_real_photographs_within_two_grey_levels(real_data, tmp_path, noise):
    generator = np.random.default_rng(0)
    photographs = find_images(real_data / "mvtec_ad" / "bottle" / "test")[::40]
    photographs += find_images(real_data / "magnetic_tile")[::500]
    for index, photograph in enumerate(photographs):
        image = Image.fromarray(read_image(photograph))
        scale = 4 * REDUCTION * 224 / min(image.size)
        width, height = (8 * round(side * scale / 8) for side in image.size)
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
        pixels += generator.normal(0, noise, pixels.shape).astype(np.float32)
        path = tmp_path / f"{index}.jpg"
        quality, subsampling = [(95, 0), (85, 2), (60, 2)][index % 3]
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=quality, subsampling=subsampling)
        assert min(read_photograph(path, 224, fast_jpeg=True).pixels.shape[:2]) < min(width, height) / 3
        assert difference(path, 224) <= 2


@pytest.mark.parametrize(
    ("suffix", "width", "height"),
    [
        (".png", LARGE, LARGE),
        (".jpg", LARGE - 2, LARGE),  # too small
        (".jpg", LARGE + 1, LARGE),  # does not divide
        (".jpg", SIZE, SIZE),
        (".jpg", 4000, SIZE),
    ],
)
def test_all_else_is_read_in_full(tmp_path, suffix, width, height):
    path = tmp_path / f"a{suffix}"
    scene(width, height).save(path)
    decoded = read_photograph(path, SIZE, fast_jpeg=True)
    np.testing.assert_array_equal(decoded.pixels, read_image(path))
    assert decoded.drawable() is decoded.pixels
    assert decoded.size == (width, height)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk(tmp_path, mode):
    path = tmp_path / "a.jpg"
    scene(LARGE, LARGE).convert(mode).save(path, quality=90)
    assert read_photograph(path, SIZE, fast_jpeg=True).pixels.shape == (LARGE // 2, LARGE // 2, 3)
    assert difference(path, SIZE) <= 2


def test_turned_by_exif(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(LARGE + 400, LARGE).save(path, exif=exif)
    decoded = read_photograph(path, SIZE, fast_jpeg=True)
    assert decoded.pixels.shape == (LARGE // 2 + 200, LARGE // 2, 3)
    assert decoded.size == (LARGE, LARGE + 400)
    assert difference(path, SIZE) <= 2


def test_limits_hold_for_the_whole_photograph(tmp_path):
    path = tmp_path / "a.jpg"
    scene(LARGE, LARGE).save(path)
    with pytest.raises(ImageError, match="above the limit"):
        read_photograph(path, SIZE, fast_jpeg=True, max_pixels=LARGE * LARGE - 1)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ImageError, match="damaged"):
        read_photograph(path, SIZE, fast_jpeg=True)


def test_a_detector_reduces_only_when_asked_and_boxes_stay_in_pixels_of_the_photograph(
    tmp_path, tiny_model, tiny_manifest
):
    # The map is the corner of what is decoded, so a corner of half the size turns up twice as large in the photograph.
    image = np.zeros((128, 192, 3), np.uint8)
    image[:16, :16] = 255
    path = tmp_path / "a.jpg"
    Image.fromarray(image).save(path, quality=95)
    artifact = assemble(tiny_model, tiny_manifest)
    exact, fast = flawspot.load(artifact), flawspot.load(artifact, fast_jpeg=True)
    assert exact.read(path).pixels.shape == image.shape
    assert fast.read(path).pixels.shape == (32, 48, 3)
    for detector in (exact, fast):
        assert detector.predict(path).image_size == (192, 128)
        assert detector.predict([path])[0].score == detector.predict(detector.read(path)).score
    assert exact.predict(path).boxes == [(0, 0, 192, 128)]
    assert fast.predict(path).boxes == [(0, 0, 96, 64)]


@pytest.fixture
def small_limits(monkeypatch):
    """As if 40,000 pixels were many, and a strip had two rows."""
    monkeypatch.setattr(reduced, "DIRECT_PIXELS", 40_000)
    monkeypatch.setattr(reduced, "_STRIP_PIXELS", 700)
    monkeypatch.setattr(reduced, "VIEW_SIDE", 100)


IMAGES = {
    "noise": lambda: Image.fromarray(np.random.default_rng(0).integers(0, 256, (250, 300, 3), dtype=np.uint8)),
    "checks": lambda: Image.fromarray(np.indices((300, 301)).sum(0).astype(np.uint8) % 2 * 255).convert("RGB"),
    "grey": lambda: scene(301, 222).convert("L"),
    "palette": lambda: scene(301, 222).convert("P"),
    "transparent": lambda: scene(301, 222).convert("RGBA"),
    "bilevel": lambda: scene(301, 222).convert("1"),
    "16 bits": lambda: Image.fromarray(np.asarray(scene(301, 222).convert("L")).astype(np.uint16) * 251),
    "long": lambda: scene(4000, 70),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_a_large_photograph_is_resized_as_the_graph_would(tmp_path, kind, small_limits):
    image, path = IMAGES[kind](), tmp_path / "a.png"
    image.save(path)
    whole = read_image(path)
    for found in (read_photograph(path, SIZE), prepare(whole, SIZE), prepare(image, SIZE)):
        assert found.size == image.size
        assert found.pixels.shape == (SIZE, SIZE, 3)
        assert np.abs(found.pixels - resized(whole, SIZE)).max() <= 1
        assert max(found.view.shape) == 100
        assert found.drawable() is found.view


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_photograph_is_turned_upright(tmp_path, orientation, small_limits):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene(320, 240).save(path, exif=exif, quality=95)
    found, whole = read_photograph(path, SIZE), read_image(path)
    assert found.size == whole.shape[1::-1]
    assert np.abs(found.pixels - resized(whole, SIZE)).max() <= 1.5
    assert found.view.shape == ((75, 100, 3) if orientation < 5 else (100, 75, 3))


def test_boxes_and_pictures_of_a_large_photograph(tmp_path, tiny_model, tiny_manifest, small_limits):
    image = np.zeros((400, 600, 3), np.uint8)
    image[:, 300:] = 255
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    prediction = flawspot.load(assemble(tiny_model, tiny_manifest)).predict(path)
    assert prediction.image_size == (600, 400)
    assert prediction.boxes == [(300, 0, 600, 400)]
    assert prediction.mask.shape == (400, 600)
    small = prediction.plot()
    assert prediction.plot(path).tobytes() == small.tobytes()
    left_half = np.asarray(small)[:200, : small.width // 2]
    orange = (np.abs(left_half.astype(int) - (255, 150, 40)).sum(axis=2) < 30).any(axis=0).nonzero()[0]
    assert orange.min() > small.width // 5  # the box is drawn where it is in the small copy


def test_shapes_that_no_camera_makes(tmp_path):
    path = tmp_path / "a.png"
    for width, height in ((1, 65), (10_000, 100)):
        Image.new("L", (width, height)).save(path)
        with pytest.raises(ImageError, match="cut it into pieces"):
            read_photograph(path, SIZE)
        with pytest.raises(ImageError, match="cut it into pieces"):
            prepare(np.zeros((height, width), np.uint8), SIZE)
        with pytest.raises(ImageError, match="cut it into pieces"):
            prepare(Image.new("RGB", (width, height)), SIZE)


def test_a_large_pillow_image_that_is_damaged(tmp_path, small_limits):
    path = tmp_path / "a.jpg"
    scene(300, 300).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with Image.open(path) as image, pytest.raises(ImageError, match="damaged"):
        prepare(image, SIZE)
