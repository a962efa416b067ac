"""``flawspot predict`` as its users meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.weights
def test_predict(trained, product_folder, flawspot, tmp_path):
    code, out, _ = flawspot("predict", trained[0], product_folder / "test", "--json", "--out", tmp_path / "found")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 8
    assert {"path", "score", "p_value", "is_anomalous", "seconds"} <= lines[0].keys()
    assert all(line["is_anomalous"] for line in lines if "spot" in line["path"])
    pictures = sorted(p.relative_to(tmp_path / "found").as_posix() for p in (tmp_path / "found").rglob("*.jpg"))
    assert pictures == [f"{kind}/{i:03}.jpg" for kind in ("good", "spot") for i in range(4)]
    assert Image.open(tmp_path / "found" / "spot" / "000.jpg").width > 300


def test_lines_for_people(tiny, flawspot, tmp_path, save):
    save(tmp_path / "in" / "a.png", 50)
    save(tmp_path / "in" / "b.png", 200)
    code, out, err = flawspot("predict", tiny, tmp_path / "in")
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("good")
    assert first.endswith("a.png")
    assert second.startswith("anomalous")
    assert "2 photographs: 1 anomalous, 1 good" in err


def test_files_folders_and_patterns_each_photograph_once(tiny, flawspot, tmp_path, save):
    one = save(tmp_path / "in" / "1.png", 10)
    save(tmp_path / "in" / "sub" / "2.PNG", 10)
    save(tmp_path / "in" / "10.png", 10)
    _, out, _ = flawspot("predict", tiny, tmp_path / "in", one, tmp_path / "in" / "*.png", "--json")
    names = [Path(json.loads(line)["path"]).name for line in out.splitlines()]
    assert sorted(names) == ["1.png", "10.png", "2.PNG"]
    assert names.index("1.png") < names.index("10.png")


def test_what_cannot_be_read_does_not_stop_a_batch(tiny, flawspot, tmp_path, save):
    good, broken = save(tmp_path / "a.png", 10), save(tmp_path / "b.png", 10)
    broken.write_bytes(broken.read_bytes()[:40])
    code, out, err = flawspot("predict", tiny, good, broken, tmp_path / "missing.png", "--json")
    assert code == 3
    lines = [json.loads(line) for line in out.splitlines()]
    assert "score" in lines[0]
    assert "b.png" in lines[1]["error"]
    assert "there is no such file" in lines[2]["error"]
    assert "2 of 3 photographs were not inspected" in err


def test_anomalies_can_end_with_a_code_of_their_own(tiny, flawspot, tmp_path, save):
    assert flawspot("predict", tiny, save(tmp_path / "a.png", 200), "--fail-on-anomaly")[0] == 4
    assert flawspot("predict", tiny, save(tmp_path / "b.png", 20), "--fail-on-anomaly")[0] == 0


def test_pictures_never_replace_photographs_or_each_other(tiny, flawspot, tmp_path, save):
    photograph = save(tmp_path / "a.png", 200)
    before = photograph.read_bytes()
    other = save(tmp_path / "other" / "a.png", 20)
    code, _, _ = flawspot("predict", tiny, photograph, other, "--out", tmp_path)
    assert code == 0
    assert photograph.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("a*")) == ["a.jpg", "a.png", "a_2.jpg"]


def test_fast_jpeg_keeps_boxes_and_pictures_in_pixels_of_the_photograph(tiny, flawspot, tmp_path, save):
    photograph = save(tmp_path / "a.jpg", 200, (640, 512))
    whole = json.loads(flawspot("predict", tiny, photograph, "--json")[1])
    fast = json.loads(flawspot("predict", tiny, photograph, "--json", "--fast-jpeg", "--out", tmp_path / "out")[1])
    assert fast["boxes"] == whole["boxes"] == [[0, 0, 640, 512]]
    assert Image.open(tmp_path / "out" / "a.jpg").width > 640


def test_nothing_to_predict(tiny, flawspot, tmp_path):
    (tmp_path / "empty").mkdir()
    assert flawspot("predict", tiny, tmp_path / "empty")[0] == 1
    code, _, err = flawspot("predict", tiny, tmp_path / "*.webp")
    assert code == 1
    assert "no file matches" in err


@pytest.mark.skipif(os.name == "nt", reason="there is no `head` to close the pipe")
def test_a_reader_that_has_seen_enough(tiny, tmp_path, save):
    for index in range(300):
        save(tmp_path / "in" / f"{index}.png", 1)
    command = [sys.executable, "-m", "flawspot", "predict", str(tiny), str(tmp_path / "in"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_severity_comes_first_and_is_explained_with_p(tiny, flawspot, tmp_path, save):
    _, out, err = flawspot("predict", tiny, save(tmp_path / "a.png", 150))
    assert out.split()[:7] == ["anomalous", "severity", "1.5", "score", "150", "p-value", "0.2000"]
    assert (
        "severity: score / threshold, anomalous above 1;  p-value: share of good parts with at least this score" in err
    )


def test_json_says_what_and_where(tiny, flawspot, tmp_path, save):
    line = json.loads(flawspot("predict", tiny, save(tmp_path / "a.png", 150), "--json")[1])
    assert (line["severity"], line["threshold"], line["is_anomalous"]) == (1.5, 100.0, True)
    assert line["boxes"] == [[0, 0, 20, 16]]
    assert line["regions"] == [{"box": [0, 0, 20, 16], "area": 320, "peak": 150.0, "mean": 150.0}]


@pytest.mark.parametrize("again", ["found", "found again", "."])
def test_pictures_among_the_photographs_are_not_predicted(again, tiny, flawspot, tmp_path, save):
    """The next run, into the same folder or another, sees the photographs alone."""
    folder = tmp_path / "in"
    for name in ("a.png", "b.jpg", "sub/a.png"):
        save(folder / name, 200)
    _, first, err = flawspot("predict", tiny, folder, "--out", folder / "found", "--json")
    assert "passed over" not in err
    code, second, err = flawspot("predict", tiny, folder, "--out", folder / again, "--json")
    assert code == 0
    assert "note: passed over 3 pictures that flawspot drew itself" in err
    assert [json.loads(line)["path"] for line in second.splitlines()] == [
        json.loads(line)["path"] for line in first.splitlines()
    ]
    _, third, _ = flawspot("predict", tiny, f"{folder}/**/*.png", "--json")
    assert len(third.splitlines()) == 2


def test_training_and_evaluating_leave_pictures_out_too(tiny, flawspot, tmp_path, save):
    for name in ("train/good/a.png", "test/good/a.png", "test/spot/a.png"):
        save(tmp_path / "part" / name, 200)
    assert flawspot("predict", tiny, tmp_path / "part", "--out", tmp_path / "part" / "test" / "spot")[0] == 0
    code, out, _ = flawspot("evaluate", tiny, tmp_path / "part", "--json")
    assert code == 0
    assert json.loads(out)["images"] == 2
