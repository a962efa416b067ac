"""``flawspot update`` as its users meet it."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def new(tmp_path):
    """Six new photographs of good parts."""
    generator = np.random.default_rng(12)
    (tmp_path / "new").mkdir()
    for number in range(6):
        pixels = np.clip(generator.normal(100, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "new" / f"{number}.png")
    return tmp_path / "new"


def test_it_writes_a_new_artifact_and_its_state(flawspot, updatable, new, tmp_path):
    code, out, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0, err
    assert (tmp_path / "part2.onnx").exists()
    assert (tmp_path / "part2.state").exists()
    assert "5 to learn from, 1 held out to set the threshold" in out
    assert "5 photographs were added to the" in out
    assert "threshold before" in out
    code, out, _ = flawspot("info", tmp_path / "part2.onnx")
    assert code == 0
    assert "15 to learn from, 0 to choose the epoch, 3 for the threshold" in out
    assert "of these 5 to learn from, 1 for the threshold" in out
    assert f"{tmp_path / 'part2.state'} (" in out
    code, out, _ = flawspot("predict", tmp_path / "part2.onnx", new, "--json")
    assert code == 0


def test_a_rate_that_cannot_be_promised_is_told(flawspot, updatable, new, tmp_path):
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx", "--false-alarm-rate", "0.01")
    assert code == 0
    assert "99 held-out photographs would be enough, and updates add more" in err
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx", "--false-alarm-rate", "0.5")
    assert code == 0
    assert "would do" not in err


def test_a_single_photograph_sets_no_threshold_and_that_is_told(flawspot, updatable, new, tmp_path):
    for path in sorted(new.iterdir())[1:]:
        path.unlink()
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0
    assert "no new photograph was held out" in err


def test_json(flawspot, updatable, new, tmp_path):
    code, out, _ = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["learned"], told["held_out"], told["known"]) == (5, 1, 0)
    assert told["artifact"] == str(tmp_path / "part2.onnx")


def test_known_photographs_leave_everything_as_it_is(flawspot, updatable, tmp_path):
    code, out, err = flawspot("update", updatable, updatable.parent / "good", "-o", tmp_path / "part2.onnx")
    assert code == 0
    assert "nothing is new" in out
    assert f"unchanged; {tmp_path / 'part2.onnx'} is not written" in out
    assert "12 photographs that the detector knows" in err
    assert not (tmp_path / "part2.onnx").exists()


def test_an_update_that_makes_it_worse_is_told(flawspot, updatable, new, tmp_path, monkeypatch):
    from flawspot.updating import Report

    code, out, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert any(row.startswith("by the defect alone ") for row in rows)
    assert any(row.startswith("at one promised rate ") and "the old detector, at " in row for row in rows)
    assert "worse" not in err
    assert "misses" not in err
    monkeypatch.setattr(Report, "finds_fewer", True)
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0
    assert "at its threshold it misses" in err
    monkeypatch.setattr(Report, "worse", True)
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0
    assert "learning has made it worse" in err


def test_a_folder_that_the_old_detector_finds_anomalous(flawspot, updatable, new, tmp_path):
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")  # darker than those of training
    assert code == 0
    assert "the old detector calls 6 of 6 new photographs anomalous" in err
    assert "unusual among" not in err
    code, out, _ = flawspot("info", tmp_path / "part2.onnx")
    assert "it warned: the old detector calls 6 of 6 new photographs anomalous" in " ".join(out.split())
    generator = np.random.default_rng(13)
    for path in new.iterdir():
        Image.fromarray(np.clip(generator.normal(120, 20, (40, 40, 3)), 0, 255).astype(np.uint8)).save(path)
    code, _, err = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 0
    assert "new photographs anomalous" not in err


def test_an_artifact_without_state(flawspot, tiny, new, tmp_path):
    code, _, err = flawspot("update", tiny, new, "-o", tmp_path / "part2.onnx")
    assert code == 1
    assert "train --state" in err
    assert err.count("\n") == 1


def test_unreadable_photographs_are_told_by_the_exit_code(flawspot, updatable, new, tmp_path):
    (new / "broken.png").write_bytes(b"no picture")
    code, out, _ = flawspot("update", updatable, new, "-o", tmp_path / "part2.onnx")
    assert code == 3
    assert "1 unreadable" in out


def test_in_its_own_place(flawspot, updatable, new):
    code, _, err = flawspot("update", updatable, new, "-o", updatable)
    assert code == 1
    assert "give another name" in err


def test_training_tells_of_the_state(flawspot, new, tmp_path):
    detector = ["--method", "padim", "--random-weights", "--input-size", "32", "--layers", "1", "--set", "channels=4"]
    code, out, err = flawspot("train", new, "-o", tmp_path / "part.onnx", "--state", *detector)
    assert code == 0, err
    assert f"{tmp_path / 'part.state'} (" in out
    assert "features of 1 held-out photograph" in out
    code, _, err = flawspot("train", new, "-o", tmp_path / "p.onnx", "--state", "--calibration", "cross", *detector)
    assert code == 1
    assert "leave out --calibration cross" in err
    assert not (tmp_path / "p.onnx").exists()


@pytest.mark.parametrize("megabytes", ["0", "449"])
def test_a_state_has_a_size_that_can_be(flawspot, new, tmp_path, megabytes):
    detector = ["--method", "padim", "--random-weights", "--input-size", "32", "--layers", "1", "--set", "channels=4"]
    more = ["--state", "--state-megabytes", megabytes]
    code, _, err = flawspot("train", new, "-o", tmp_path / "part.onnx", *more, *detector)
    assert code == 2
    assert "--state-megabytes" in err
