"""``flawspot info`` as its users meet it."""

import dataclasses
import json

import pytest

from flawspot.runtime.artifact import assemble
from flawspot.runtime.tolerated import Tolerated


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


@pytest.mark.parametrize(("decisive", "by"), [(True, "the varied photographs"), (False, "the unchanged photographs")])
def test_info_says_what_is_tolerated(tiny, tiny_model, tiny_manifest, flawspot, decisive, by):
    assert "tolerates" not in flawspot("info", tiny)[1]
    told = Tolerated({"noise": 2.0, "shift": 0.5}, 2, decisive)
    calibration = dataclasses.replace(tiny_manifest.calibration, tolerated=told)
    assemble(tiny_model, dataclasses.replace(tiny_manifest, calibration=calibration)).save(tiny)
    code, out, _ = flawspot("info", tiny)
    assert code == 0
    assert "noise 2, shift 0.5 (2 varied copies of each photograph)" in out
    assert by in out
