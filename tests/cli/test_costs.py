"""``flawspot costs`` as its users meet it."""

import json

import pytest


def test_costs_of_a_configuration(flawspot):
    asked = ("costs", "--method", "patchcore", "--layers", "equiv", "--set", "bank_size=30000")
    code, out, _ = flawspot(*asked, "--json")
    assert code == 0
    printed = json.loads(out)
    assert [part["name"] for part in printed["parts"]] == ["backbone", "memory bank", "smoothing"]
    assert printed["paper_macs"] == 225_468_992
    assert printed["macs"] == pytest.approx(225.5e6 + 23.3e9, rel=0.01)
    assert printed["training"]["ram"] > 0
    code, out, _ = flawspot(*asked)
    assert code == 0
    for part in ("memory bank", "float16", "as the paper counts", "training, predicted"):
        assert part in out


def test_costs_of_an_artifact(tiny, flawspot):
    code, out, err = flawspot("costs", tiny, "--json")
    assert code == 0
    printed = json.loads(out)
    assert printed["parts"] == [{"name": "backbone", "bytes": 10, "macs": 20}]
    # Its hyperparameters are none that this flawspot knows.
    assert printed["paper_macs"] is None
    assert "of another flawspot" in err
    assert "backbone" in flawspot("costs", tiny)[1]


def test_costs_with_a_tolerance(tiny, flawspot):
    asked = ("costs", "--method", "padim", "--layers", "equiv")
    plain, tolerant = (json.loads(flawspot(*asked, *more, "--json")[1]) for more in ((), ("--tolerate", "noise=2")))
    assert (plain["tolerate"], tolerant["tolerate"]) == (None, "noise=2")
    assert tolerant["training"]["cache_bytes"] == 3 * plain["training"]["cache_bytes"]
    assert tolerant["macs"] == plain["macs"]
    assert "2 varied copies of each photograph" in flawspot(*asked, "--tolerate", "noise=2")[1]
    assert "copies" not in flawspot(*asked)[1]
    code, _, err = flawspot("costs", tiny, "--tolerate", "noise=2")
    assert code == 1
    assert "already states what it tolerates" in err


def test_measured_costs_of_an_artifact(tiny, flawspot, monkeypatch):
    monkeypatch.setattr("flawspot.measuring.processes.RUNS", 3)
    code, out, err = flawspot("costs", tiny, "--measure", "--json")
    assert code == 0
    measured = json.loads(out)["measured"]
    assert [run["threads"] for run in measured["detector"]] == [1, None]
    assert measured["backbone"][0]["p50_ms"] > 0
    assert "measured on noise" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measure"], "give photographs with --data"),
        (["--data", "x"], "--data goes with --measure"),
        (["--method", "paste", "--layers", "0,7"], "choose layers of at least 1"),
        (["--tolerate", "fog=1"], "tolerate 'fog': choose of"),
        (["--set", "share"], "--set takes NAME=VALUE"),
        (["nowhere.onnx"], "there is no file"),
    ],
)
def test_mistakes_about_costs(arguments, message, flawspot):
    code, _, err = flawspot("costs", *arguments)
    assert code == 1
    assert message in err
