"""``flawspot export``."""

import json
import shutil

import pytest


@pytest.fixture(autouse=True)
def compiler():
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("there is no C compiler here")


def test_table_and_json(small, flawspot, tmp_path):
    code, out, _ = flawspot("export", small, "--to", "c", "-o", tmp_path / "part.c")
    assert code == 0
    for name in ("bytes: weights", "arena", "multiply-accumulates", "map, score", "threshold"):
        assert any(line.startswith(name) for line in out.splitlines()), name
    code, out, _ = flawspot("export", small, "-o", tmp_path / "part.c", "--json")
    told = json.loads(out)
    assert (code, told["verified"], told["precision"]) == (0, True, "float32")


def test_a_finished_detector_is_not_made_int8(small, flawspot, tmp_path):
    code, _, err = flawspot("export", small, "-o", tmp_path / "part.c", "--int8")
    assert code == 1
    assert "flawspot train --precision int8" in err
    assert not (tmp_path / "part.c").exists()


def test_what_has_no_c_form_is_told_in_a_line(tiny, flawspot, tmp_path):
    code, out, err = flawspot("export", tiny, "-o", tmp_path / "part.c")
    assert (code, out) == (1, "")
    assert err.startswith("error: this detector has no translation yet")
    assert err.count("\n") == 1


def test_the_artifact_itself_is_not_written_over(small, flawspot, tmp_path):
    path = tmp_path / "part.onnx"
    path.write_bytes(small.read_bytes())
    code, _, err = flawspot("export", path, "--to", "onnx-fixed", "-o", path)
    assert code == 1
    assert "it is the artifact itself" in err
    assert path.read_bytes() == small.read_bytes()


def test_targets(small, flawspot, tmp_path):
    code, _, err = flawspot("export", small, "--to", "fortran", "-o", tmp_path / "part.c")
    assert code == 1
    assert err.startswith("error: there is no target 'fortran': the known ones are c, ")
    assert err.count("\n") == 1


def test_as_tflite(small, flawspot, tmp_path):
    pytest.importorskip("tflite_micro")
    code, out, _ = flawspot("export", small, "--to", "tflite", "-o", tmp_path / "part.tflite")
    assert code == 0
    for name in ("bytes: structure", "arena", "compared with", "threshold"):
        assert any(line.startswith(name) for line in out.splitlines()), name
    code, _, err = flawspot("export", small, "--to", "tflite", "-o", tmp_path / "part.c")
    assert code == 1
    assert err.startswith("error: cannot write")
    assert "name it as a TFLite file" in err


def test_without_a_compiler(small, flawspot, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    code, _, err = flawspot("export", small, "-o", tmp_path / "part.c")
    assert code == 1
    assert "--unverified" in err
    code, out, err = flawspot("export", small, "-o", tmp_path / "part.c", "--unverified")
    assert code == 0
    assert "compared              no" in out
    assert "not compared" in err
