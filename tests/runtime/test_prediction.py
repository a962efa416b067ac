"""What a prediction says of itself, in numbers, in words and as a picture: it never contradicts itself."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ConfigurationError, FlawspotError, ImageError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.prediction import Prediction

SIZES = [(24, 16), (8, 8), (5, 3), (1, 1), (37, 101)]


def predicted(anomaly_map, threshold=1.0, size=(24, 16), **more) -> Prediction:
    values = np.asarray(anomaly_map, np.float32)
    calibration = CalibrationInfo(0.5, 0.5, threshold, (threshold,))
    return Prediction(float(values.max()), values, size, calibration, **more)


def outlined(prediction: Prediction) -> bool:
    """Whether the picture shows a region: something white on a black photograph."""
    black = np.zeros((*prediction.image_size[::-1], 3), np.uint8)
    picture = np.asarray(prediction.plot(black)).astype(int)
    width, height = prediction.image_size
    scale = 320 / max(width, height)
    shown = picture[: round(height * scale)] if width <= 2 * height else picture[: 2 * round(height * scale)]
    return bool((shown.min(axis=2) > 150).any())


def one_decision(prediction: Prediction) -> None:
    width, height = prediction.image_size
    regions = prediction.regions
    assert prediction.is_anomalous == bool(regions) == bool(prediction.mask.any()) == outlined(prediction)
    assert prediction.is_anomalous == (prediction.severity > 1) == (float(prediction.severity_text) > 1)
    assert prediction.verdict == ("anomalous" if prediction.is_anomalous else "good")
    assert [region.box for region in regions] == prediction.boxes
    if regions:
        assert regions[0].peak == prediction.score
    assert [region.peak for region in regions] == sorted((region.peak for region in regions), reverse=True)
    covered = np.zeros((height, width), bool)
    for region in regions:
        left, top, right, bottom = region.box
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert 1 <= region.area <= (right - left) * (bottom - top)
        assert prediction.threshold < region.mean <= region.peak
        assert prediction.mask[top:bottom, left:right].any()
        covered[top:bottom, left:right] = True
    assert not (prediction.mask & ~covered).any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_one_decision_on_noise(size, seed):
    generator = np.random.default_rng(seed)
    values = generator.gamma(2, size=(8, 8)).astype(np.float32)
    for threshold in (float(values.max()), float(np.sort(values.ravel())[-3]), 0.0, 1e-3, 20.0):
        one_decision(predicted(values, threshold, size))


@pytest.mark.parametrize("level", [0.1, 1.0, 3.7, 1e-6, 1e7])
def test_one_decision_a_hair_above_and_below_the_threshold(level):
    """A map that is at its threshold everywhere, or in one place by the smallest step that a float32 can make."""
    threshold = np.float32(level)
    at = np.full((56, 56), threshold, np.float32)
    one_decision(predicted(at, float(threshold), (230, 170)))
    at[17, 40] = np.nextafter(threshold, np.float32(np.inf))
    barely = predicted(at, float(threshold), (230, 170))
    one_decision(barely)
    assert len(barely.regions) == 1


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_threshold_between_two_float32(step):
    """Rounded to float32 it would be the value itself, and the map would contradict the score."""
    value = np.float32(0.7)
    prediction = predicted(
        np.full((4, 4), value), float(np.nextafter(np.float64(value), step * np.inf if step else 0.7))
    )
    assert prediction.is_anomalous == bool(prediction.regions) == bool(prediction.mask.any())


@pytest.mark.parametrize("side", [224, 512, 1000])
def test_a_region_of_one_cell_is_outlined_however_small_it_is_shown(side):
    values = np.full((side, side), 0.9, np.float32)
    values[side // 3, side // 2 + 1] = 1.01
    one_decision(predicted(values, 1.0, (40, 30)))


def test_severity_is_the_score_in_thresholds():
    assert predicted([[3.0]], 2.0).severity == 1.5
    assert predicted([[2.0]], 2.0).severity == 1.0
    assert predicted([[0.0]], 0.0).severity == 0.0
    assert predicted([[1e-9]], 0.0).severity == math.inf


def test_severity_is_never_shown_on_the_other_side_of_the_limit():
    assert predicted([[1.0001]], 1.0).severity_text == "1.0001"
    assert predicted([[0.9999]], 1.0).severity_text == "1"
    assert predicted([[2.34567]], 1.0).severity_text == "2.35"
    assert float(predicted([[np.nextafter(np.float32(1), np.float32(2))]], 1.0).severity_text) > 1


def test_regions_tell_box_area_peak_and_mean():
    values = np.zeros((8, 8), np.float32)
    values[2, 1:3] = (2, 4)
    values[6, 6] = 5
    first, second = predicted(values, 1.0, (24, 16)).regions
    assert first == flawspot.Region((18, 12, 21, 14), area=6, peak=5.0, mean=5.0)
    assert second == flawspot.Region((3, 4, 9, 6), area=12, peak=4.0, mean=3.0)


def test_the_mask_is_in_pixels_of_the_photograph():
    values = np.zeros((8, 8), np.float32)
    values[2, 1] = 2
    large, small = predicted(values, 1.0, (24, 16)).mask, predicted(values, 1.0, (2, 4)).mask
    assert large.shape == (16, 24) and large.dtype == np.bool_
    assert large[4:6, 3:6].all() and large.sum() == 6
    assert small.tolist() == [[False, False], [True, False], [False, False], [False, False]]


def test_areas_are_those_of_the_mask():
    values = np.random.default_rng(0).random((8, 8), np.float32)
    prediction = predicted(values, 0.7, (80, 40))
    assert sum(region.area for region in prediction.regions) == prediction.mask.sum()


def test_repr_is_a_line():
    values = np.zeros((8, 8), np.float32)
    assert repr(predicted(values)) == "Prediction(good, severity 0, score 0, 0 regions)"
    values[1, 1] = 3
    shown = repr(predicted(values, path=Path("a part.png")))
    assert shown == "Prediction(anomalous, severity 3, score 3, 1 region, a part.png)"
    assert repr(predicted(values, path=Path("a\ngood\x1b[2J.png"))).endswith(r"1 region, a\ngood\x1b[2J.png)")


def test_to_dict_is_json():
    values = np.zeros((8, 8), np.float32)
    values[2, 1] = 2
    told = json.loads(json.dumps(predicted(values, path=Path("a.png")).to_dict(), allow_nan=False))
    assert told == {
        "path": "a.png",
        "verdict": "anomalous",
        "severity": 2.0,
        "is_anomalous": True,
        "score": 2.0,
        "threshold": 1.0,
        "p_value": 0.5,
        "seconds": 0.0,
        "image_size": [24, 16],
        "inspected_share": 1.0,
        "boxes": [[3, 4, 6, 6]],
        "regions": [{"box": [3, 4, 6, 6], "area": 6, "peak": 2.0, "mean": 2.0}],
    }
    assert predicted([[1.0]], 0.0).to_dict()["severity"] is None


@pytest.fixture
def detector(tiny_model, tiny_manifest):
    return flawspot.load(assemble(tiny_model, tiny_manifest), threads=1)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "new.png"
    Image.new("RGB", (24, 16), (120, 30, 30)).save(path)
    return path


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.9])
def test_one_decision_of_an_artifact(tiny_model, tiny_manifest, rate):
    detector = flawspot.load(assemble(tiny_model, tiny_manifest).recalibrated(rate))
    photographs = np.random.default_rng(0).integers(0, 110, (12, 16, 24, 3), dtype=np.uint8)
    photographs[:6] //= 2
    predictions = detector.predict(photographs)
    assert {prediction.is_anomalous for prediction in predictions} == {True, False} or rate == 0.9
    for prediction in predictions:
        one_decision(prediction)


def test_a_photograph_given_alone_can_be_plotted(detector, file):
    pixels = np.asarray(Image.open(file))
    pictures = [detector.predict(image).plot() for image in (file, str(file), pixels, Image.open(file))]
    assert all(picture.tobytes() == pictures[0].tobytes() for picture in pictures)
    np.testing.assert_array_equal(np.asarray(pictures[0])[100, 160], pixels[0, 0])


def test_an_array_is_kept_as_it_is(detector, file):
    pixels = np.array(Image.open(file))
    assert np.shares_memory(detector.predict(pixels).photograph.pixels, pixels)
    assert detector.predict(pixels, keep_image=False).photograph is None


def test_many_keep_no_pixels_unless_asked(detector, file):
    pixels = np.array(Image.open(file))
    for many in ([file, file], [pixels], pixels[None]):
        assert all(prediction.photograph is None for prediction in detector.predict(many))
        assert all(p.photograph is not None for p in detector.predict(many, keep_image=True))


def test_of_many_files_each_is_read_again_to_be_plotted(detector, file):
    (prediction,) = detector.predict([file])
    assert prediction.path == file
    assert prediction.plot().tobytes() == detector.predict(file).plot().tobytes()
    Image.new("RGB", (9, 9)).save(file)
    with pytest.raises(ImageError, match="another photograph: it has 9 x 9 pixels, the one predicted had 24 x 16"):
        prediction.plot()
    file.unlink()
    with pytest.raises(ImageError, match="no such file"):
        prediction.plot()


def test_of_many_arrays_the_photograph_is_asked_for(detector, file):
    pixels = np.array(Image.open(file))
    (prediction,) = detector.predict([pixels])
    with pytest.raises(ImageError, match="keep_image=True"):
        prediction.plot()
    assert prediction._repr_png_() is None  # a notebook shows the repr then
    for image in (pixels, file, Image.open(file)):
        assert prediction.plot(image).tobytes() == detector.predict(file).plot().tobytes()


def test_a_notebook_shows_the_picture(detector, file):
    data = detector.predict(str(file))._repr_png_()
    assert data.startswith(b"\x89PNG")


def test_saving(detector, file, tmp_path):
    prediction = detector.predict(file)
    prediction.save(tmp_path / "found" / "picture.png")
    assert Image.open(tmp_path / "found" / "picture.png").tobytes() == prediction.plot().tobytes()
    prediction.save(str(tmp_path / "picture.JPG"))
    assert Image.open(tmp_path / "picture.JPG").format == "JPEG"
    with pytest.raises(ConfigurationError, match=r"give it the suffix \.png or \.jpg"):
        prediction.save(tmp_path / "picture.tiff")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found", "new.png", "picture.JPG"]


def test_a_full_disk_leaves_no_half_picture(detector, file, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    prediction = detector.predict(file)
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(FlawspotError, match="No space left on device"):
        prediction.save(tmp_path / "picture.png")
    assert [path.name for path in tmp_path.iterdir()] == ["new.png"]


def test_a_prediction_travels_between_processes(detector, file):
    prediction = detector.predict(file)
    again = pickle.loads(pickle.dumps(prediction))
    assert again.to_dict() == prediction.to_dict()
    assert again.plot().tobytes() == prediction.plot().tobytes()
