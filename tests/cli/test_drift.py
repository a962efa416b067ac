"""``flawspot drift`` as its users meet it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.cli.drift import _time
from flawspot.runtime.artifact import read


@pytest.fixture
def line(tmp_path):
    """400 photographs of a line, whose grey levels rise after the 200th; their names do not tell their order."""
    folder, generator = tmp_path / "line", np.random.default_rng(0)
    folder.mkdir()
    for number in range(400):
        level = generator.normal(60 if number < 200 else 75, 6)
        pixels = np.clip(generator.normal(level, 1, (16, 16, 1)), 0, 255).astype(np.uint8)
        path = folder / f"{number * 7919 % 400:03}.png"
        Image.fromarray(np.repeat(pixels, 3, axis=2)).save(path)
        os.utime(path, (1e9 + number, 1e9 + number))
    return folder


def test_a_change_is_told_with_its_place(flawspot, tiny, line):
    code, out, err = flawspot("drift", tiny, line, "--json")
    told = json.loads(out)
    assert code == 0, err
    assert told["changed"] is True
    assert 200 < told["alarm_at"]["photograph"] < 330
    assert told["alarms_at"]["scores"] == told["alarm_at"]
    assert 200 < told["alarms_at"]["looks"]["photograph"] < 330
    assert told["evidence"] > 3
    assert told["appearance"][0]["name"] == "brightness"
    assert (told["good"] + told["anomalous"], told["not inspected"]) == (400, 0)
    code, out, _ = flawspot("drift", tiny, line, "--fail-on-drift")
    assert code == 4
    assert "changed: it shows at photograph" in out
    assert "brightness 59.5 -> 75 grey levels" in out
    assert "the first of these shows at photograph" in out


def test_photographs_that_the_detector_was_made_from_are_left_out(flawspot, updatable, save, tmp_path):
    """By the state all of them, by the manifest alone those that set the threshold; under any name."""
    good = updatable.parent / "good"
    code, _, err = flawspot("drift", updatable, good)
    assert code == 1
    assert "the detector was made from all 12 photographs: give later ones" in err
    (tmp_path / "line").mkdir()
    for path in good.iterdir():
        shutil.copy(path, tmp_path / "line" / f"line {path.name}")
    save(tmp_path / "line" / "new.png", 120, (40, 40))
    code, out, err = flawspot("drift", updatable, tmp_path / "line", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["known"], told["good"] + told["anomalous"]) == (12, 1)
    assert not told["changed"]
    alone = Path(shutil.copy(updatable, tmp_path / "alone.onnx"))
    code, out, err = flawspot("drift", alone, tmp_path / "line")
    assert code == 0
    assert f"without {alone.with_suffix('.state')} only those photographs are recognized" in err
    assert "nothing was compared: later photographs are held against the first 30 good ones" in out
    held_out = len(read(alone).manifest.calibration.scores)
    assert 0 < held_out < 12
    assert f"; {held_out} left out, which the detector was made from" in out


def test_the_state_of_another_detector_is_not_used_and_told(flawspot, updatable, tiny, line):
    state = tiny.with_suffix(".state")
    shutil.copy(updatable.with_suffix(".state"), state)
    code, _, err = flawspot("drift", tiny, line)
    assert code == 0
    assert f"{state} belongs to another detector, and is not used" in err


def test_without_order_there_is_no_change(flawspot, tiny, line):
    code, out, _ = flawspot("drift", tiny, line, "--order", "name", "--fail-on-drift")
    assert code == 0
    assert "no change is seen" in out


def test_of_equal_times_names_decide_in_natural_order(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in (10, 9, 100, 1)]
    for path in paths:
        path.write_bytes(b"")
        os.utime(path, (1e9, 1e9))
    os.utime(paths[2], (1e9 - 1, 1e9 - 1))
    assert [path.stem for path in sorted(paths, key=_time)] == ["100", "1", "9", "10"]


def test_what_cannot_be_read_is_told(flawspot, tiny, line):
    (line / "broken.png").write_bytes(b"no picture")
    code, out, err = flawspot("drift", tiny, line, "--json")
    assert code == 3
    assert json.loads(out)["not inspected"] == 1
    assert "broken.png" in err
    code, _, err = flawspot("drift", tiny, line, "--order", "size")
    assert code == 1
    assert "--order is size: give time or name" in err


def test_where_all_become_anomalous_the_share_tells(flawspot, tiny, tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    generator = np.random.default_rng(5)
    for number in range(160):
        level = 60 if number < 100 else 160
        pixels = np.clip(generator.normal(level, 2, (16, 16, 1)), 0, 255).astype(np.uint8)
        Image.fromarray(np.repeat(pixels, 3, axis=2)).save(folder / f"{number:03}.png")
    code, out, _ = flawspot("drift", tiny, folder, "--order", "name", "--json")
    told = json.loads(out)
    assert (told["good"], told["anomalous"]) == (100, 60)
    assert told["anomalous_share"]["changed"]
    assert told["changed"]
    assert told["alarm_at"] is None
    assert 100 < told["alarms_at"]["verdicts"]["photograph"] <= 160
    code, out, _ = flawspot("drift", tiny, folder, "--order", "name", "--fail-on-drift")
    assert code == 4
    assert "called anomalous: " in out


def test_where_no_part_is_good_nothing_was_compared(flawspot, tiny, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    Image.new("RGB", (20, 20), (200, 0, 0)).save(folder / "a.png")
    code, out, _ = flawspot("drift", tiny, folder, "--fail-on-drift")
    assert code == 4
    assert "nothing was compared: no photograph was judged good" in out
    assert "no change" not in out and "as in the first" not in out
    told = json.loads(flawspot("drift", tiny, folder, "--json")[1])
    assert (told["changed"], told["compared"]) == (False, False)


def test_where_nothing_can_be_read_no_table_is_printed(flawspot, tiny, tmp_path):
    code, out, err = flawspot("drift", tiny, tmp_path / "nowhere.png")
    assert (code, out) == (3, "")
    assert "nothing was inspected" in err
