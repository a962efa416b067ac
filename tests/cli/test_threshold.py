"""``flawspot threshold`` as its users meet it."""

import json
import shutil
from pathlib import Path

import pytest


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
    assert "4 held-out good images can promise a false-alarm rate of 0.2" in err
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
