"""Keys, signing and verifying, as a person at a terminal does."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from flawspot.cli.commands import app
from flawspot.errors import ArtifactError, ConfigurationError, SignatureError
from flawspot.runtime.artifact import assemble, read
from flawspot.runtime.detector import load
from flawspot.runtime.self_test import record


@pytest.fixture
def line(tmp_path, tiny_model, tiny_manifest, monkeypatch):
    """An artifact with a self-test, a photograph and a key, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    tested = record(load(assemble(tiny_model, tiny_manifest)).run)
    assemble(tiny_model, dataclasses.replace(tiny_manifest, self_test=tested)).save("part.onnx")
    Image.fromarray(np.full((9, 9, 3), 20, np.uint8)).save("photo.png")
    run("make-key", "line")
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_sign_and_verify(line):
    assert "no: anyone who can replace the file" in run("info", "part.onnx").stdout
    assert "signed by" in run("sign", "part.onnx", "--key", "line").stdout
    key = json.loads(run("sign", "part.onnx", "--key", "line", "--json").stdout)["key"]
    assert f"by key {key}, not verified" in run("info", "part.onnx").stdout
    shown = run("verify", "part.onnx", "--trusted-key", "line.pub").stdout
    assert f"key {key}, trusted" in shown
    assert "passed" in shown
    checked = json.loads(run("verify", "part.onnx", "--trusted-key", "line.pub", "--json").stdout)
    assert checked == {"artifact": "part.onnx", "key": key, "self_test": "passed"}


def test_a_line_that_trusts_a_key(line, monkeypatch):
    assert run("predict", "part.onnx", "photo.png").exit_code == 0
    with pytest.raises(SignatureError, match="not signed"):
        run("predict", "part.onnx", "photo.png", "--trusted-key", "line.pub")
    monkeypatch.setenv("FLAWSPOT_TRUSTED_KEYS", "line.pub")
    with pytest.raises(SignatureError, match="not signed"):
        run("predict", "part.onnx", "photo.png")
    run("sign", "part.onnx", "--key", "line")
    assert run("predict", "part.onnx", "photo.png").exit_code == 0
    assert "which is trusted" in run("info", "part.onnx").stdout


READERS = {
    "predict": ["part.onnx", "photo.png"],
    "evaluate": ["part.onnx", "."],
    "threshold": ["part.onnx", "--false-alarm-rate", "0.5"],
    "costs": ["part.onnx"],
    "export": ["part.onnx", "-o", "part.c"],
}


@pytest.mark.parametrize("command", READERS)
def test_every_command_that_uses_an_artifact_asks_for_the_signature(command, line, monkeypatch):
    before = (line / "part.onnx").read_bytes()
    with pytest.raises(SignatureError, match="not signed"):
        run(command, *READERS[command], "--trusted-key", "line.pub")
    monkeypatch.setenv("FLAWSPOT_TRUSTED_KEYS", "line.pub")
    with pytest.raises(SignatureError, match=r"part\.onnx cannot be used: it is not signed"):
        run(command, *READERS[command])
    assert (line / "part.onnx").read_bytes() == before
    with pytest.raises(SignatureError, match="not signed"):
        run("reproduce", "costs", "--artifact", "part.onnx")


def test_what_is_signed_is_used(line):
    run("sign", "part.onnx", "--key", "line")
    assert run("costs", "part.onnx", "--trusted-key", "line.pub").exit_code == 0
    assert run("threshold", "part.onnx", "--trusted-key", "line.pub").exit_code == 0


def test_another_threshold_wants_another_signature(line):
    run("sign", "part.onnx", "--key", "line")
    done = run("threshold", "part.onnx", "--false-alarm-rate", "0.5")
    assert "its signature is removed" in done.stderr
    assert "sign it again" in " ".join(done.stderr.split())
    assert "no: anyone" in run("info", "part.onnx").stdout


def test_verify_wants_a_key(line):
    with pytest.raises(ConfigurationError, match="--trusted-key"):
        run("verify", "part.onnx")


def test_what_fails_its_self_test_predicts_nothing(line):
    artifact = read("part.onnx")
    tested = dataclasses.replace(artifact.manifest.self_test, score=1e9)
    assemble(artifact.model, dataclasses.replace(artifact.manifest, self_test=tested)).save("part.onnx")
    with pytest.raises(ArtifactError, match="self-test"):
        run("predict", "part.onnx", "photo.png")


def test_not_inspected_is_not_good(line):
    (line / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    done = run("predict", "part.onnx", "photo.png", "broken.png")
    assert done.exit_code == 3
    assert [text.split("  ")[0].strip() for text in done.stdout.splitlines()] == ["good", "not inspected"]
    assert "2 photographs: 0 anomalous, 1 good, 1 not inspected" in done.stderr
    told = run("predict", "part.onnx", "photo.png", "broken.png", "--json").stdout
    lines = [json.loads(text) for text in told.splitlines()]
    assert [each["verdict"] for each in lines] == ["good", "not inspected"]
    assert lines[1]["is_anomalous"] is None
