"""What all commands have in common: help, exit codes, and mistakes told in one line."""

import os

import pytest

from flawspot.spinning import SPINS, VARIABLE


def test_version_and_help(flawspot):
    code, out, _ = flawspot("--version")
    assert code == 0
    assert out.startswith("flawspot 0.")
    code, out, _ = flawspot("--help")
    assert code == 0
    for command in (
        "train",
        "backbones",
        "costs",
        "reproduce",
        "predict",
        "evaluate",
        "info",
        "threshold",
        "weights",
        "demo",
    ):
        assert command in out
        assert flawspot(command, "--help")[0] == 0


def test_wrong_usage(flawspot, tmp_path):
    assert flawspot("train", tmp_path)[0] == 2  # no -o
    assert flawspot("polish")[0] == 2


@pytest.mark.parametrize("command", [["info"], ["threshold"], ["predict"], ["evaluate"]])
@pytest.mark.parametrize("content", [None, b"", b"not a model", "damaged", "foreign"])
def test_artifacts_that_are_none(command, content, tiny, tiny_model, flawspot, tmp_path, save):
    path = tmp_path / "x.onnx"
    if content == "damaged":
        path.write_bytes(tiny.read_bytes()[:-5] + b"12345")
    elif content == "foreign":
        path.write_bytes(tiny_model)
    elif content is not None:
        path.write_bytes(content)
    more = [save(tmp_path / "a.png", 1)] if command[0] in ("predict", "evaluate") else []
    code, out, err = flawspot(*command, path, *more)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_interrupted(tiny, flawspot, tmp_path, monkeypatch, save):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("flawspot.runtime.detector.load", interrupt)
    code, _, err = flawspot("predict", tiny, save(tmp_path / "a.png", 1))
    assert code == 130
    assert "Traceback" not in err


def test_waiting_threads_are_bounded(flawspot, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert flawspot("--version")[0] == 0
    assert os.environ[VARIABLE] == SPINS
