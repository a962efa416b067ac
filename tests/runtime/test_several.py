"""One photograph or several, however they are given: none of them loses the others' verdicts."""

import collections
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import DataError, FlawspotError, ImageError
from flawspot.runtime.artifact import assemble


@pytest.fixture
def detector(tiny_model, tiny_manifest):
    return flawspot.load(assemble(tiny_model, tiny_manifest), threads=1)


@pytest.fixture
def folder(tmp_path):
    """Photographs of grey level 50, 150 and none, the last being damaged, and one deeper."""
    for name, level in (("1.png", 50), ("2.png", 150), ("sub/10.jpg", 30)):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (level, 0, 0)).save(path)
    (tmp_path / "in" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "in"


VERDICTS = ["good", "anomalous", "not inspected", "good"]


def verdicts(predictions):
    return [prediction.verdict for prediction in predictions]


def test_a_folder(detector, folder):
    for given in (folder, str(folder)):
        assert verdicts(detector.predict(given)) == VERDICTS
    (folder.parent / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        detector.predict(folder.parent / "empty")


@pytest.mark.parametrize("collection", [list, tuple, collections.deque, dict.fromkeys])
def test_any_collection(detector, folder, collection):
    paths = [folder / "1.png", folder / "2.png", folder / "3.png", folder / "sub" / "10.jpg"]
    found = detector.predict(collection(paths))
    assert isinstance(found, list)
    assert verdicts(found) == VERDICTS


def test_all_kinds_mixed(detector, folder):
    data = (folder / "2.png").read_bytes()
    mixed = [data, io.BytesIO(data), (folder / "2.png").open("rb"), np.zeros((9, 9), np.uint8), memoryview(data), None]
    assert verdicts(detector.predict(mixed)) == [*["anomalous"] * 3, "good", "anomalous", "not inspected"]


def test_a_generator_is_asked_for_the_next_when_the_last_is_taken(detector, folder):
    asked = []

    def camera():
        for level in range(0, 250, 50):
            asked.append(level)
            yield np.full((9, 9, 3), level, np.uint8)

    found = detector.predict(camera())
    assert asked == []
    assert next(found).score == 0
    assert asked == [0]
    assert [prediction.score for prediction in found] == [50, 100, 150, 200]
    assert verdicts(detector.predict(iter(sorted(folder.glob("?.png"))))) == VERDICTS[:3]


def test_an_error_of_the_generator_is_the_caller_s(detector):
    def camera():
        yield np.zeros((9, 9), np.uint8)
        raise OSError("the cable is out")

    found = detector.predict(camera())
    assert next(found).verdict == "good"
    with pytest.raises(OSError, match="cable"):
        next(found)


def test_what_was_not_inspected_says_so_and_nothing_else(detector, folder):
    found = detector.predict([folder / "3.png"])[0]
    assert isinstance(found, flawspot.NotInspected)
    assert found.path == folder / "3.png"
    assert "damaged" in found.reason
    assert found.to_dict()["is_anomalous"] is None
    for figure in ("is_anomalous", "score", "severity", "regions", "mask", "p_value", "plot", "save"):
        with pytest.raises(ImageError, match=r"3\.png"):
            getattr(found, figure)
    with pytest.raises(AttributeError):
        _ = found.no_such_thing


def test_raising_and_recording_by_choice(detector, folder):
    with pytest.raises(ImageError):
        detector.predict(folder, on_error="raise")
    with pytest.raises(ImageError):
        detector.predict(folder / "3.png")
    assert detector.predict(folder / "3.png", on_error="record").verdict == "not inspected"


WRONG = [b"", io.BytesIO(b""), io.StringIO("text"), 3, None, b"no picture", "a" * 5000, "a\0b"]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_photograph_is_told_in_one_line(detector, wrong):
    with pytest.raises(ImageError) as caught:
        detector.predict(wrong)
    assert "\n" not in str(caught.value)


def test_a_closed_file(detector, folder):
    file = (folder / "1.png").open("rb")
    file.close()
    assert "closed" in detector.predict([file])[0].reason


def test_as_many_pixels_as_are_allowed(tiny_model, tiny_manifest, folder):
    artifact = assemble(tiny_model, tiny_manifest)
    with pytest.raises(ImageError, match=r"above the limit of 80 pixels.*max_pixels, --max-pixels"):
        flawspot.load(artifact, max_pixels=80).predict(folder / "1.png")
    assert flawspot.load(artifact, max_pixels=81).predict(folder / "1.png").verdict == "good"


def test_plot_and_save_do_what_they_are_asked_or_say_what_to_do(detector, folder, tmp_path):
    prediction = detector.predict(folder / "2.png")
    with pytest.raises(ImageError, match=r"no photograph x\.png to draw on; to write a picture call save\('x"):
        prediction.plot("x.png")
    before = (folder / "2.png").read_bytes()
    assert prediction.save(folder) == folder / "2_2.png"
    assert (folder / "2.png").read_bytes() == before
    (tmp_path / "found").mkdir()
    assert prediction.save(tmp_path / "found") == tmp_path / "found" / "2.png"
    assert prediction.save(str(tmp_path / "a.jpg")) == pathlib.Path(tmp_path / "a.jpg")
    assert detector.predict(np.zeros((9, 9), np.uint8)).save(tmp_path / "found").name == "photograph.png"
    with pytest.raises(FlawspotError, match=r"suffix \.png or \.jpg"):
        prediction.save(tmp_path / "nowhere")
