"""``flawspot info`` as its users meet it."""

import json

import pytest


@pytest.mark.weights
def test_info(trained, flawspot):
    code, out, _ = flawspot("info", trained[0])
    assert code == 0
    for part in (
        "small part",
        "padim (channels=20",
        "[3, 8, 14]",
        "24 to learn from",
        "the same 24, in 5 folds, for the threshold",
        "cost: total",
        "signed",
    ):
        assert part in out
    assert json.loads(flawspot("info", trained[0], "--json")[1]) == trained[1]["manifest"]


def test_info_says_what_it_runs_on(tiny, flawspot):
    assert "CPU, with onnxruntime" in flawspot("info", tiny)[1]
