"""What the commands say of the photographs that they are given."""

import json

import numpy as np
import pytest
from PIL import Image

from .every_command import DETECTOR


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture
def ok_ng(save, tmp_path):
    """Ten good parts and two bad ones, under names that people use, and something that is not read."""
    folder = tmp_path / "parts"
    for index in range(10):
        save(folder / "OK" / f"{index}.png", 10 + index, (64, 48))
        Image.fromarray(np.random.default_rng(index).integers(0, 90, (48, 64, 3), dtype=np.uint8)).save(
            folder / "OK" / f"{index}.png"
        )
    for index in range(2):
        save(folder / "NG" / f"{index}.png", 200)
    (folder / "OK" / "raw.cr2").write_bytes(b"raw")
    (folder / "notes.txt").write_text("the night shift")
    (folder / "Thumbs.db").write_bytes(b"")
    return folder


def test_training_and_evaluating_on_folders_of_good_and_bad(ok_ng, flawspot, tmp_path):
    output = tmp_path / "part.onnx"
    (ok_ng / "OK" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, out, err = flawspot("train", ok_ng, "-o", output, *DETECTOR)
    assert code == 0
    assert lines(out)[:5] == [
        "11  OK  good, to learn from and to test",
        " 2  NG  defective (NG), to test",
        " 1  OK  left out: of a kind that is not read: raw.cr2",
        " 1  .   left out: no photographs: notes.txt",
        " 1  .   left out: cannot be read: broken.png",
    ]
    assert "left out: 1 file of kinds that are not read: raw.cr2" in err
    assert "broken.png" in err
    # What was learned from is not measured: only the recall is known.
    code, out, _ = flawspot("evaluate", output, ok_ng, "--json")
    assert code == 3  # for raw.cr2
    found = json.loads(out)
    assert (found["good_images"], found["defective_images"], found["image_auroc"]) == (0, 2, None)
    assert found["image_precision"] is found["image_f1"] is found["image_ap"] is None
    assert found["undefined"]["image_auroc"] == "there are no good photographs"
    assert found["image_recall"] is not None
    reasons = {left["reason"]: left["count"] for left in found["data"]["left_out"]}
    assert reasons["the detector has learned from these very photographs"] == 11
    assert found["data"]["taken"] == [{"folder": "NG", "role": "defective (NG), to test", "count": 2}]


def test_training_refuses_what_nobody_can_tell(save, flawspot, tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "parts" / name / "1.png", 10)
    code, out, err = flawspot("train", tmp_path / "parts", "-o", tmp_path / "part.onnx", *DETECTOR)
    assert (code, out) == (1, "")
    assert "there are a, b" in err
    assert err.count("\n") == 1
    code, _, err = flawspot("train", tmp_path / "parts", "--good", "c", "-o", tmp_path / "part.onnx", *DETECTOR)
    assert code == 1
    assert "--good c names no folder" in err


def test_training_from_a_list_and_strictly(ok_ng, flawspot, tmp_path):
    listed = tmp_path / "good.txt"
    listed.write_text("".join(f"parts/OK/{index}.png\n" for index in range(6)))
    command = ["train", "--list", listed, "-o", tmp_path / "part.onnx", *DETECTOR]
    code, out, _ = flawspot(*command, "--json")
    assert code == 0
    printed = json.loads(out)
    assert printed["data"]["taken"] == [{"folder": "good.txt", "role": "good, to learn from", "count": 6}]
    assert printed["manifest"]["product"] == "good"
    code, _, err = flawspot("train", ok_ng, "--strict", "-o", tmp_path / "part.onnx", *DETECTOR)
    assert code == 1
    assert "1 file of kinds that are not read" in err
    code, _, err = flawspot("train", ok_ng, "--list", listed, "-o", tmp_path / "part.onnx")
    assert code == 1
    assert "not both" in err
    code, _, err = flawspot("train", "-o", tmp_path / "part.onnx")
    assert code == 1
    assert "no photographs were named" in err


def test_evaluating_what_is_in_ok(tiny, flawspot, save, tmp_path):
    for index in range(3):
        save(tmp_path / "p" / "test" / "OK" / f"{index}.png", 50)
        save(tmp_path / "p" / "test" / "scratch" / f"{index}.png", 200)
    code, out, _ = flawspot("evaluate", tiny, tmp_path / "p")
    assert code == 0
    assert words(out)[:3] == [
        "3 test/OK good, to test",
        "3 test/scratch defective (scratch), to test",
        "images 3 good, 3 defective",
    ]
    assert "AUROC 1.0000" in out
    assert "no AUROC, AP, F1 max, AUPRO: there are no masks" in out
    assert "anomalous: good parts 0 of 3" in " ".join(words(out))
    assert "anomalous: scratch 3 of 3" in " ".join(words(out))


def test_evaluating_a_list_with_masks_for_some(tiny, flawspot, save, tmp_path):
    """Nothing is learned here, so no row says that it is; and the photograph without a mask is named."""
    rows = [
        f"{save(tmp_path / 'a' / f'{index}.png', 50 + 60 * index).name},{'good' if index < 2 else 'cut'},"
        for index in range(4)
    ]
    rows[2] += save(tmp_path / "a" / "m.png", 255).name
    (tmp_path / "a" / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    code, out, _ = flawspot("evaluate", tiny, "--list", tmp_path / "a" / "list.csv")
    assert code == 0
    assert words(out)[:2] == ["2 list.csv good, to test", "2 list.csv defective (cut), to test"]
    assert "no AUROC, AP, F1 max, AUPRO: 1 of 2 defective photographs have no mask, such as 3.png" in out


def test_evaluating_what_is_beside_the_photographs_learned_from(tiny, flawspot, save, tmp_path):
    for name in ("train/good", "test/good", "test/cut"):
        save(tmp_path / "p" / name / "0.png", 200 if name == "test/cut" else 50)
    assert words(flawspot("evaluate", tiny, tmp_path / "p")[1])[0] == "1 train/good good, to learn from, not tested on"


@pytest.mark.parametrize(
    ("name", "level", "known"), [("good", 200, "false alarm rate 1.0000"), ("scratch", 50, "recall 0")]
)
def test_evaluating_one_class_alone(tiny, flawspot, save, tmp_path, name, level, known):
    save(tmp_path / "p" / "test" / name / "0.png", level)
    code, out, _ = flawspot("evaluate", tiny, tmp_path / "p")
    assert code == 0
    other = "defective" if name == "good" else "good"
    assert f"no AUROC, AP, F1 max: there are no {other} photographs" in out
    at_threshold = next(line for line in out.splitlines() if line.startswith("at the threshold"))
    assert at_threshold.endswith(f"there are no {other} photographs")
    assert known in out
    for figure in ("AUROC 0", "AUROC 1", "precision 0", "precision 1", "F1 0", "F1 1"):
        assert figure not in out


def test_evaluating_a_table_of_labels(tiny, flawspot, save, tmp_path):
    for index, level in enumerate((50, 50, 200)):
        save(tmp_path / f"{index}.png", level)
    (tmp_path / "all.csv").write_text("path,label\n0.png,good\n1.png,good\n2.png,dent\n")
    code, out, _ = flawspot("evaluate", tiny, "--list", tmp_path / "all.csv", "--json")
    assert code == 0
    assert json.loads(out)["image_auroc"] == 1.0


def test_evaluating_with_masks_that_are_empty_names_them(tiny, flawspot, save, tmp_path):
    save(tmp_path / "p" / "test" / "good" / "0.png", 50)
    save(tmp_path / "p" / "test" / "scratch" / "0.png", 200)
    save(tmp_path / "p" / "ground_truth" / "scratch" / "0_mask.png", 0)
    code, out, err = flawspot("evaluate", tiny, tmp_path / "p")
    assert (code, out) == (1, "")
    assert "0_mask.png marks nothing" in err


def test_predicting_tells_what_was_not_looked_at(tiny, flawspot, save, tmp_path):
    folder = tmp_path / "in"
    save(folder / "seen.png", 50)
    save(folder / "seen.gif", 50)
    others = ["a.cr2", "b.dng", "c.mp4", "d", "e.png~", "f.jpeg.1"]
    for name in others:
        (folder / name).write_bytes(b"?")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "list.csv"):
        (folder / name).write_bytes(b"")
    code, out, err = flawspot("predict", tiny, folder, "--fail-on-anomaly")
    assert code == 3
    assert sum(line.startswith("not inspected") for line in out.splitlines()) == len(others)
    assert all(name in out for name in others)
    assert "8 photographs: 0 anomalous, 2 good, 6 not inspected" in err
    assert "passed over 1 file of texts and tables: list.csv" in err
    assert "Thumbs" not in out + err
    code, out, _ = flawspot("predict", tiny, folder, "--json")
    verdicts = {json.loads(line)["verdict"] for line in out.splitlines()}
    assert (code, verdicts) == (3, {"good", "not inspected"})
    code, _, err = flawspot("predict", tiny, folder, "--strict")
    assert code == 1
    assert "of a kind that is not read (.cr2)" in err


def test_predicting_where_nothing_is_read(tiny, flawspot, tmp_path):
    (tmp_path / "a.cr2").write_bytes(b"?")
    code, _, err = flawspot("predict", tiny, tmp_path)
    assert code in (1, 3)
    assert "not read" in err
