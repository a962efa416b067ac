"""``flawspot doctor`` as its users meet it."""

import json
import os

import pytest

from flawspot.diagnosis import examine as module
from flawspot.diagnosis.computing import Runtime, Tried


def test_what_a_report_needs(flawspot, monkeypatch):
    monkeypatch.setenv("FLAWSPOT_THREADS", "1")
    code, out, err = flawspot("doctor")
    assert (code, err) == (0, "")
    for part in ("flawspot  ", "python  ", "onnxruntime", "extra train", "used: ", "cache", "FLAWSPOT_THREADS=1"):
        assert part in out
    assert "telemetry        off\n" in out
    assert "self-test        passed" in out


def test_an_artifact_is_tried_too(flawspot, tiny):
    code, out, _ = flawspot("doctor", tiny)
    assert code == 0
    assert out.splitlines()[-1].startswith(str(tiny))


def test_what_is_broken_ends_in_one_line(flawspot, tmp_path, monkeypatch):
    (tmp_path / "part.onnx").write_bytes(b"no model")
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path / "part.onnx" / "cache"))
    code, out, err = flawspot("doctor", tmp_path / "part.onnx")
    assert code == 1
    assert err.startswith("error: 2 things are broken: cache: ")
    assert err.count("\n") == 1
    assert "self-test" in out  # everything else is told all the same


def test_json(flawspot, tiny):
    code, out, _ = flawspot("doctor", tiny, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["faults"] == []
    assert [extra["name"] for extra in found["extras"] if extra["installed"]]
    assert [tried["passed"] for tried in found["tried"]] == [True, None]
    assert found["runtime"]["used"] == "CPUExecutionProvider"


def test_json_of_what_is_broken(flawspot, tmp_path):
    code, out, err = flawspot("doctor", tmp_path / "no.onnx", "--json")
    assert code == 1
    assert json.loads(out)["tried"][1]["passed"] is False
    assert err.startswith("error: 1 thing is broken: ")


def test_the_user_s_own_folder_is_nowhere(flawspot, tiny, tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for arguments in ((tiny,), (tiny, "--json"), (tmp_path / "no.onnx",), (tmp_path / "no.onnx", "--json")):
        _, out, err = flawspot("doctor", *arguments)
        assert str(tmp_path) not in out + err
        assert f"~{os.sep}cache" in out.replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("value", "told"), [("1", "off"), ("0", "not switched off, because you have set ORT_DISABLE_TEL")]
)
def test_telemetry_of_one_s_own(flawspot, monkeypatch, value, told):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", value)
    code, out, _ = flawspot("doctor")
    assert code == 0
    assert f"telemetry        {told}" in out


def test_an_onnx_runtime_that_cannot_be_imported(flawspot, tiny, monkeypatch):
    failed = Tried("self-test", "failed: DLL load failed", False)
    monkeypatch.setattr(module, "try_runtime", lambda: (Runtime(None), failed))
    code, out, err = flawspot("doctor", tiny)
    assert code == 1
    assert "ONNX Runtime     cannot be imported" in out
    assert err == "error: 1 thing is broken: self-test failed: DLL load failed\n"
