"""Detectors as they are trained, as TFLite files."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import flawspot
from flawspot.export.gate import _layers
from flawspot.export.photographs import generated
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.source import Facts, Source
from flawspot.export.tflite.target import TfliteTarget
from flawspot.export.translate import export

QUICK = {"backbone": "mobilenet_v2", "input_size": 64, "random_weights": True, "progress": False}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not here")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "layers"),
    [
        (flawspot.PaDiM(channels=20), "3,6"),
        (flawspot.PatchCore(bank_size=300), "2,6,13"),
        (flawspot.CFA(epochs=1), "3,6,13"),
        (flawspot.PaSTe(epochs=1, students=2), "4,6"),
    ],
    ids=["gaussians", "a nested bank", "centres", "two students"],
)
def test_a_trained_detector_as_tflite(method, layers, product_folder, tmp_path):
    artifact = flawspot.train(product_folder, method=method, layers=layers, calibration="split", **QUICK)
    report = export(artifact, tmp_path / "part.tflite", "tflite", folder=product_folder)
    assert report.parity.map_difference < 1e-5
    assert "held-out" in report.parity.pictures
    assert np.isclose(report.parity.threshold, artifact.manifest.calibration.threshold)


def test_layers_of_a_trained_student(product_folder):
    """Its photographs are normalised by channel, and its channels have units of their own."""
    artifact = flawspot.train(
        product_folder,
        method=flawspot.PaSTe(epochs=1),
        layers="4,6",
        calibration="split",
        precision="int8",
        **QUICK,
    )
    form, target = read_form(artifact.model, 64), TfliteTarget()
    source = Source(artifact, form, Facts("part", "title", 64, 0.5, "a part", "1", "ab", form.macs))
    with target.at_work(source, target.write(source, Path("part.tflite"))) as translation:
        layers = _layers(artifact, form, translation, generated(64).good)
    assert layers.compared > 20
    assert layers.steps <= 1
    assert layers.share < target.bounds.share
