"""Predicting with a tiny artifact: every kind of photograph, and what is said of it."""

import sys

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ConfigurationError, ImageError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.session import open_session


@pytest.fixture
def detector(tiny_model, tiny_manifest):
    return flawspot.load(assemble(tiny_model, tiny_manifest), threads=1)


def photograph(level: int, height: int = 16, width: int = 24) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[2:4, 3:6] = level
    return image


def test_from_a_file_and_in_memory(tmp_path, tiny_model, tiny_manifest):
    path = tmp_path / "part.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    for source in (path, str(path), assemble(tiny_model, tiny_manifest)):
        assert flawspot.load(source).predict(photograph(120)).score == 120.0


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="it may fall back")
def test_a_session_does_not_keep_the_bytes_of_its_model(tiny_model):
    before = sys.getrefcount(tiny_model)
    session = open_session(tiny_model)
    assert sys.getrefcount(tiny_model) == before
    assert session.get_inputs()


def test_every_kind_of_photograph(detector, tmp_path):
    image = photograph(120)
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    alpha = np.dstack([image, np.zeros(image.shape[:2], np.uint8)])
    for same in (image, path, str(path), Image.fromarray(image), image[:, :, 0], alpha, image.astype(np.uint16) * 257):
        prediction = detector.predict(same)
        assert prediction.score == 120.0
        np.testing.assert_array_equal(prediction.map, image[:8, :8, 0])


def test_several_at_once(detector):
    images = [photograph(30), photograph(200, 40, 50)]
    assert [p.score for p in detector.predict(images)] == [30.0, 200.0]
    assert [p.score for p in detector.predict(np.stack([photograph(9), photograph(8)]))] == [9.0, 8.0]
    assert detector.predict([]) == []


def test_files_are_read_ahead_in_their_order(detector, tmp_path):
    paths = [tmp_path / f"{level}.png" for level in (50, 10, 40, 20, 30, 60, 70, 80)]
    for path in paths:
        Image.fromarray(photograph(int(path.stem))).save(path)
    assert [p.score for p in detector.predict(paths)] == [50.0, 10.0, 40.0, 20.0, 30.0, 60.0, 70.0, 80.0]
    with pytest.raises(ImageError, match=r"missing\.png"):
        detector.predict([*paths[:2], tmp_path / "missing.png", *paths[2:]], on_error="raise")


@pytest.mark.parametrize(
    ("level", "p_value", "is_anomalous"), [(101, 0.2, True), (100, 0.4, False), (75, 0.8, False), (0, 1.0, False)]
)
def test_the_verdict(detector, level, p_value, is_anomalous):
    prediction = detector.predict(photograph(level))
    assert prediction.p_value == pytest.approx(p_value)
    assert prediction.is_anomalous is is_anomalous
    assert prediction.threshold == 100.0


def test_boxes_are_in_pixels_of_the_photograph(detector):
    prediction = detector.predict(photograph(120))
    assert prediction.image_size == (24, 16)
    # The map is 8 x 8, so a cell is 3 pixels wide and 2 high.
    assert prediction.boxes == [(9, 4, 18, 8)]
    assert detector.predict(photograph(100)).boxes == []


def test_the_most_anomalous_region_comes_first(detector):
    image = photograph(120)
    image[6, 0] = 250
    assert detector.predict(image).boxes == [(0, 12, 3, 14), (9, 4, 18, 8)]


def test_repr_is_a_line(detector):
    assert repr(detector) == "Detector(paste on mobilenet_v2, layers 7, 10, 14, input 8 x 8, threshold 100, on CPU)"


def test_what_is_no_photograph(detector, tmp_path):
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros(3, np.uint8), tmp_path / "missing.png"):
        with pytest.raises(ImageError):
            detector.predict(wrong)


@pytest.mark.parametrize("size", [3600, 3601, 4321, 6000])
def test_no_box_leaves_the_photograph(size, tiny_manifest):
    everywhere = np.full((224, 224), 255, np.float32)
    prediction = Prediction(score=1.0, map=everywhere, image_size=(size, size), calibration=tiny_manifest.calibration)
    assert prediction.boxes == [(0, 0, size, size)]


@pytest.mark.parametrize("value", ["0", "-1", "1e3", "many", "1025", "9" * 400, "\u0665"])
def test_a_number_of_threads_that_no_machine_has(value, tiny_model, tiny_manifest, monkeypatch):
    monkeypatch.setenv("FLAWSPOT_THREADS", value)
    artifact = assemble(tiny_model, tiny_manifest)
    with pytest.raises(ConfigurationError, match=r"FLAWSPOT_THREADS is .* set it to a whole number from 1 to 1,024"):
        flawspot.load(artifact)
    assert flawspot.load(artifact, threads=1).predict(photograph(9)).score == 9
    for threads in (0, -1, 10**30):
        with pytest.raises(ConfigurationError, match="threads must be from 1 to 1,024"):
            flawspot.load(artifact, threads=threads)
