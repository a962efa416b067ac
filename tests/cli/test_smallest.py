"""``flawspot smallest`` as its users meet it."""

import json
import shutil

import pytest
from PIL import Image

from flawspot.runtime.artifact import read


@pytest.fixture
def photos(save, tmp_path):
    """Photographs of 8 x 8 pixels, which is all that the tiny detector looks at: red 40, above 100 is anomalous."""
    for index in range(3):
        save(tmp_path / "photos" / "train" / "good" / f"{index}.png", 40 + index, (8, 8))
    return tmp_path / "photos"


def measure(flawspot, tiny, photos, *more):
    return flawspot("smallest", tiny, photos, "--trials", 5, *more)


def test_a_table_and_sentences(tiny, photos, flawspot):
    code, out, err = measure(flawspot, tiny, photos, "--contrast", 40, "--contrast", 200)
    assert code == 0, err
    assert "defects that were pasted, not real ones, at the threshold 100" in out
    assert "3 good photographs of 8 x 8 pixels, some perhaps learned from" in out
    assert "scratches, length x width in pixels; found of 5 (95 % interval) by contrast in grey levels" in out
    assert "scratches, 40 grey levels: no size is found 5 times of 5" in out
    assert "5 (0.57-1.00)" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_json(tiny, photos, flawspot):
    code, out, _ = measure(flawspot, tiny, photos, "--json", "--contrast", 80, "--contrast", 30, "--share", 0.5)
    told = json.loads(out)
    assert code == 0
    assert {size["contrast"] for size in told["sizes"]} == {30.0, 80.0}
    assert (told["trials"], told["share"], told["threshold"], told["skipped"]) == (5, 0.5, 100.0, 0)
    assert len(told["sentences"]) == 4


def test_into_the_manifest_and_info(tiny, photos, flawspot, tmp_path):
    before = tiny.read_bytes()
    new = tmp_path / "new.onnx"
    code, out, _ = measure(flawspot, tiny, photos, "-o", new)
    assert code == 0
    assert tiny.read_bytes() == before
    assert "smallest defects" not in flawspot("info", tiny)[1]
    sentences = out.splitlines()[-6:]
    told = flawspot("info", new)[1]
    assert "smallest defects" in told
    assert "pasted, not real ones" in told
    assert all(sentence in told for sentence in sentences)
    assert json.loads(flawspot("info", new, "--json")[1])["smallest"]["trials"] == 5
    # In its own place too, where that is asked for.
    assert measure(flawspot, new, photos, "-o", new, "--share", 0.5)[0] == 0
    assert read(new).manifest.smallest.share == 0.5


def test_another_threshold_ends_it(tiny, photos, flawspot, tmp_path):
    new = tmp_path / "new.onnx"
    assert measure(flawspot, tiny, photos, "-o", new)[0] == 0
    code, _, err = flawspot("threshold", new, "--false-alarm-rate", 0.2)  # which it has
    assert (code, "flawspot smallest" in err) == (0, False)
    assert read(new).manifest.smallest is not None
    code, _, err = flawspot("threshold", new, "--value", 90)
    assert code == 0
    assert "were measured at the old threshold and are removed: run `flawspot smallest` again" in err
    assert read(new).manifest.smallest is None
    assert "smallest defects" not in flawspot("info", new)[1]


def test_a_signature_is_not_kept(places, photos, flawspot, tmp_path):
    new = tmp_path / "new.onnx"
    code, _, err = measure(flawspot, places["signed"], photos, "-o", new)
    assert code == 0
    assert "is not signed, because the manifest has changed" in err


def test_page(tiny, photos, flawspot, tmp_path):
    page = tmp_path / "page.html"
    assert measure(flawspot, tiny, photos, "--out", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "data:image/jpeg" in text
    assert measure(flawspot, tiny, photos, "--out", tmp_path / "page.png")[0] == 1


def test_what_was_not_inspected_is_told(tiny, photos, flawspot):
    (photos / "train" / "good" / "9.png").write_bytes(b"no picture")
    code, out, err = measure(flawspot, tiny, photos)
    assert code == 3
    assert "9.png" in err
    assert "3 good photographs" in out


def test_errors(tiny, photos, flawspot, tmp_path):
    for line, said in [
        ((tmp_path / "none.onnx", photos), "there is no file"),
        ((tiny, tmp_path / "none"), "there is no folder"),
        ((tiny,), "no photographs were named"),
        ((tiny, photos, "--trials", 0), "from 1 to 1000"),
        ((tiny, photos, "--share", "nan"), "above 0 and up to 1"),
        ((tiny, photos, "--contrast", 300), "up to 255"),
        ((tiny, photos, "--seed", -1), "seed"),
    ]:
        code, out, err = flawspot("smallest", *line)
        assert (code, out) == (1, "")
        assert said in err
        assert err.count("\n") == 1


def test_only_false_alarms_leave_nothing(tiny, photos, flawspot, tmp_path):
    for path in photos.glob("train/good/*"):
        Image.new("RGB", (8, 8), (200, 0, 0)).save(path)
    code, _, err = measure(flawspot, tiny, photos, "-o", tmp_path / "new.onnx")
    assert code == 1
    assert "choose a higher threshold with `flawspot threshold`" in err
    assert not (tmp_path / "new.onnx").exists()


@pytest.mark.weights
def test_with_a_trained_detector(trained, product_folder, flawspot, tmp_path):
    path = shutil.copy(trained[0], tmp_path / "part.onnx")
    line = ["smallest", path, product_folder, "--trials", 3, "--contrast", 120]
    code, out, _ = flawspot(*line)
    assert code == 0
    assert "that it has not learned from" in out
    assert flawspot(*line)[1] == out
