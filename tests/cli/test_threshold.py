"""``flawspot threshold`` as its users meet it."""

import json


def test_show(tiny, flawspot):
    code, out, _ = flawspot("threshold", tiny, "--json")
    assert code == 0
    assert json.loads(out)["threshold"] == 100.0


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
