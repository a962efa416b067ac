"""The way from an artifact to a TFLite file, and the gate on it."""

import importlib.util
import json

import numpy as np
import pytest

import flawspot
from flawspot.errors import ConfigurationError, ExportError, MissingPackageError
from flawspot.export.tflite import target as tflite_target
from flawspot.export.tflite.input import line_of, rounded_twice
from flawspot.export.tflite.running import Interpreted
from flawspot.export.translate import export

from ..graphs import artifact, bank_of_codes, gaussians_of_halves

micro = pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not here")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@micro
@pytest.mark.parametrize("name", ["floats", "codes", "codes in units", "wide", "gaussians", "bank"])
def test_file_and_report(name, detectors, tmp_path):
    report = export(detectors(name), tmp_path / "part.tflite", "tflite")
    assert files(tmp_path) == ["part.tflite", "part.tflite.report.json"]
    told = json.loads((tmp_path / "part.tflite.report.json").read_text())
    assert told["verified"] is True
    assert told["compared_with"].startswith("TFLite-Micro ")
    assert told["arena"] == report.arena > 10_000
    assert sum(told["parts"].values()) == (tmp_path / "part.tflite").stat().st_size
    assert (told["parity"]["layers"] is None) == (name in ("floats", "gaussians", "bank"))
    if told["parity"]["layers"] is None:
        assert told["parity"]["map_difference"] < 1e-5
    else:
        assert told["parity"]["layers"]["steps"] <= 1
    assert (tmp_path / "part.tflite").read_bytes()[4:8] == b"TFL3"


@micro
def test_a_detector_with_a_threshold_of_its_own_is_written_with_it(detectors, tmp_path, monkeypatch):
    compare = flawspot.export.translate.compare

    def other(*given, **named):
        import dataclasses

        return dataclasses.replace(compare(*given, **named), threshold=0.25)

    monkeypatch.setattr(flawspot.export.translate, "compare", other)
    export(detectors("codes"), tmp_path / "part.tflite", "tflite")
    assert b'"threshold": 0.25' in (tmp_path / "part.tflite").read_bytes()


@micro
def test_a_translation_that_differs_is_not_written(detectors, tmp_path, monkeypatch):
    run = Interpreted.run
    monkeypatch.setattr(
        Interpreted, "run", lambda self, several: (run(self, several)[0] * np.float32(1.001), run(self, several)[1])
    )
    with pytest.raises(ExportError, match="nothing was written"):
        export(detectors("floats"), tmp_path / "part.tflite", "tflite")
    assert files(tmp_path) == []


@micro
@pytest.mark.parametrize("change", [lambda code: min(code + 2, 255), lambda code: code ^ 1], ids=["two steps", "many"])
def test_a_layer_that_differs_is_named(change, detectors, tmp_path, monkeypatch):
    trace = Interpreted.trace

    def wrong(self, photograph, expected):
        for step, data in trace(self, photograph, expected):
            yield step, data if step != 3 else bytes(map(change, data))

    monkeypatch.setattr(Interpreted, "trace", wrong)
    with pytest.raises(ExportError, match=r"in layer .*\.codes: .* nothing was written"):
        export(detectors("codes"), tmp_path / "part.tflite", "tflite")
    assert files(tmp_path) == []


@micro
@pytest.mark.parametrize("make", [gaussians_of_halves, bank_of_codes])
def test_heads_of_codes_pass_the_gate(make, tiny_manifest, tmp_path):
    assert export(artifact(tiny_manifest, make, quantized=True), tmp_path / "a b é.tflite", "tflite").verified


@micro
def test_a_file_that_no_interpreter_takes_is_told_in_one_line(detectors, tmp_path, monkeypatch):
    from tflite_micro.python.tflite_micro import runtime

    def refuse(*given, **named):
        raise RuntimeError("TFLM failed to allocate tensors")

    monkeypatch.setattr(runtime.Interpreter, "from_bytes", refuse)
    with pytest.raises(ExportError, match="TFLite-Micro does not take the file: TFLM failed") as error:
        export(detectors("codes"), tmp_path / "part.tflite", "tflite")
    assert "\n" not in str(error.value)
    assert files(tmp_path) == []


@micro
def test_an_arena_that_is_not_told_is_not_known(detectors, tmp_path, monkeypatch):
    from tflite_micro.python.tflite_micro import runtime

    monkeypatch.setattr(runtime.Interpreter, "print_allocations", lambda self: None)
    assert export(detectors("codes"), tmp_path / "part.tflite", "tflite").arena is None


@micro
def test_constants_that_no_such_file_holds(detectors, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.export.tflite.model.MOST_BYTES", 5_000)
    with pytest.raises(ExportError, match="its constants take more than"):
        export(detectors("floats"), tmp_path / "part.tflite", "tflite")
    assert files(tmp_path) == []


def test_without_the_package(detectors, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(tflite_target, "_here", lambda: ("linux", "x86_64"))
    with pytest.raises(
        MissingPackageError, match=r"needs tflite_micro, which is not installed: run `pip install .*tflite"
    ):
        export(detectors("floats"), tmp_path / "part.tflite", "tflite", unverified=True)
    monkeypatch.setattr(tflite_target, "_here", lambda: ("darwin", "arm64"))
    with pytest.raises(ExportError, match="made for Linux on x86-64 alone"):
        export(detectors("floats"), tmp_path / "part.tflite", "tflite", unverified=True)
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["part", "part.c", ".tflite", "part.tflite.txt"])
def test_names_that_no_tflite_file_has(name, detectors, tmp_path):
    with pytest.raises(ConfigurationError, match="name it as a TFLite file"):
        export(detectors("floats"), tmp_path / name, "tflite")


@pytest.mark.parametrize("span", [(-2.1, 2.64), (-2.1179, 2.2489), (-1.8, 2.0)])
def test_every_value_of_a_pixel_gets_its_code(span):
    """With the normalisation of most networks, in whole numbers alone."""
    scale = float(np.float32((span[1] - span[0]) / 255))
    zero = round(-span[0] / scale)
    pixels = np.arange(256)
    for mean, deviation in zip((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), strict=True):
        codes = np.clip(np.rint((pixels - mean) / deviation / scale), -zero, 255 - zero).astype(int)
        line = line_of(codes, -zero, 255 - zero, scale)
        made = np.clip(rounded_twice(line.weight * pixels + line.bias, line.step / scale), -zero, 255 - zero)
        assert line.wrong == np.count_nonzero(made != codes) <= 1
        assert 0 < line.weight <= 127


def test_rounding_twice():
    """Half of the numbers right below a half go up."""
    numbers = np.arange(-3000, 3000)
    found, exact = rounded_twice(numbers, 0.0101), np.rint(numbers * 0.0101)
    assert np.abs(found - exact).max() == 1
    assert 1 / 2**8 < np.mean(found != exact) < 1 / 2**6
    np.testing.assert_array_equal(rounded_twice(numbers, 0.25)[3000::4], numbers[3000::4] // 4)
