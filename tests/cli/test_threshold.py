"""``flawspot threshold`` as its users meet it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from flawspot.runtime.artifact import read


def test_show(tiny, flawspot):
    code, out, _ = flawspot("threshold", tiny, "--json")
    assert code == 0
    assert json.loads(out)["threshold"] == 100.0
    assert json.loads(out)["pixel_threshold"] == 100.0  # one threshold for both


def test_change(tiny, flawspot, tmp_path, save):
    photograph = save(tmp_path / "a.png", 85)
    assert "good" in flawspot("predict", tiny, photograph)[1]
    code, out, _ = flawspot("threshold", tiny, "--false-alarm-rate", 0.6, "--json")
    assert code == 0
    assert json.loads(out)["threshold"] == 80.0
    assert "anomalous" in flawspot("predict", tiny, photograph)[1]


def test_more_than_the_images_can_promise(tiny, flawspot):
    code, out, err = flawspot("threshold", tiny, "--false-alarm-rate", 0.001)
    assert code == 0
    assert "4 held-out good photographs can promise a false-alarm rate of 0.2" in err
    assert "0.2 (asked: 0.001)" in out


def test_a_rate_out_of_range_leaves_the_file(tiny, flawspot):
    before = tiny.read_bytes()
    assert flawspot("threshold", tiny, "--false-alarm-rate", 1.5)[0] == 1
    assert tiny.read_bytes() == before


@pytest.mark.parametrize("rate", [1e-300, 1 - 1e-10, 1 - 2**-53])
def test_rates_at_the_borders(tiny, flawspot, rate):
    assert flawspot("threshold", tiny, "--false-alarm-rate", repr(rate))[0] == 0


def test_an_artifact_of_schema_1_keeps_both_thresholds(flawspot, tmp_path):
    path = shutil.copy(Path(__file__).parents[1] / "runtime" / "schema_1.onnx", tmp_path)
    code, out, _ = flawspot("threshold", path, "--false-alarm-rate", 0.6, "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["threshold"], told["pixel_threshold"]) == (80.0, 40.0)
    manifest = json.loads(flawspot("info", path, "--json")[1])
    assert manifest["schema_version"] == 1
    assert manifest["calibration"]["pixel_threshold"] == 40.0


@pytest.fixture
def labelled(tmp_path, save):
    """Ten good photographs of grey 50 to 95 and ten defective ones of 90 to 135; a score is a grey level."""
    for index in range(10):
        save(tmp_path / "part" / "test" / "good" / f"{index}.png", 50 + 5 * index)
        save(tmp_path / "part" / "test" / "scratch" / f"{index}.png", 90 + 5 * index)
    return tmp_path / "part"


def test_labelled_photographs_need_no_masks(tiny, flawspot, labelled, save):
    """Nor whole ones: one is missing, and one is of another size, so that nothing is known at pixel level."""
    before = flawspot("threshold", tiny, "--from", labelled)[1]
    save(labelled / "ground_truth" / "scratch" / "0_mask.png", 255, (3, 3))
    assert flawspot("threshold", tiny, "--from", labelled) == (0, before, "")
    code, _, err = flawspot("evaluate", tiny, labelled)
    assert code == 1
    assert "9 of 10 defective test images without a mask" in err


def test_what_thresholds_cost(tiny, flawspot, labelled):
    code, out, _ = flawspot("threshold", tiny, "--from", labelled)
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("this detector"))
    assert "0 of 10 (0.000 to 0.278)" in row
    assert "7 of 10 (0.397 to 0.892)" in row
    assert "at most 0.1 of good" in out
    points = json.loads(flawspot("threshold", tiny, "--from", labelled, "--json")[1])["trade_off"]
    assert [point["found"] for point in points if point["threshold"] == 97.5] == [8]
    assert read(tiny).manifest.calibration.threshold == 100.0  # looking changes nothing


@pytest.mark.parametrize(
    ("choice", "threshold"), [(["--best-f1"], 87.5), (["--recall", 0.75], 97.5), (["--escape-rate", 0.3], 87.5)]
)
def test_a_threshold_by_labels(tiny, flawspot, labelled, choice, threshold):
    code, out, _ = flawspot("threshold", tiny, "--from", labelled, *choice, "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["threshold"], told["rule"]) == (threshold, "value")
    assert told["promised_rate"] == pytest.approx(3 / 5 if threshold == 87.5 else 2 / 5)
    assert read(tiny).manifest.calibration.threshold == threshold


def test_a_threshold_by_value(tiny, flawspot):
    code, out, _ = flawspot("threshold", tiny, "--value", 85.5)
    assert code == 0
    assert "nothing is promised" in out
    assert f"{tiny}, rewritten in its place" in out
    assert re.search(r"threshold before +100\n", out)
    calibration = read(tiny).manifest.calibration
    assert (calibration.threshold, calibration.rule, calibration.promised_rate) == (85.5, "value", 0.6)
    assert flawspot("threshold", tiny, "--false-alarm-rate", 0.2)[0] == 0
    assert read(tiny).manifest.calibration.rule == "conformal"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--value", "nan"], "finite"),
        (["--recall", 0.9], "--from DATA"),
        (["--value", 3, "--false-alarm-rate", 0.1], "exclude each other"),
        (["--rule", "pareto"], "needs 20"),
        (["--rule", "guess"], "conformal, pareto"),
        (["--rule", "pareto", "--value", 3], "--rule goes with a rate"),
        (["--value", 1e20], "finite"),
    ],
)
def test_choices_that_cannot_be(tiny, flawspot, options, message):
    before = tiny.read_bytes()
    code, _, err = flawspot("threshold", tiny, *options)
    assert code == 1
    assert message in err
    assert tiny.read_bytes() == before


def test_labels_that_tell_nothing(tiny, flawspot, labelled):
    shutil.rmtree(labelled / "test" / "good")
    code, _, err = flawspot("threshold", tiny, "--from", labelled, "--best-f1")
    assert code == 1
    assert "no good photographs" in err
    code, _, err = flawspot("threshold", tiny, "--from", labelled / "test", "--escape-rate", 0.01)
    assert code == 1


def test_another_file_is_written_where_one_is_named(tiny, flawspot, tmp_path):
    before, other = tiny.read_bytes(), tmp_path / "other.onnx"
    code, out, _ = flawspot("threshold", tiny, "--value", "7", "-o", other)
    assert code == 0
    assert tiny.read_bytes() == before
    assert f"{other}; {tiny} is unchanged" in out
    assert read(other).manifest.calibration.threshold == 7
    code, _, err = flawspot("threshold", tiny, "-o", other)
    assert code != 0
    assert "--output needs a new threshold" in err
