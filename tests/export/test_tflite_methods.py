"""Detectors as they are trained, as TFLite files."""

import importlib.util

import numpy as np
import pytest

import flawspot
from flawspot.export.translate import export

QUICK = {"backbone": "mobilenet_v2", "input_size": 64, "random_weights": True, "progress": False}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not here")


@pytest.mark.parametrize(
    ("method", "layers", "precision"),
    [
        (flawspot.PaDiM(channels=20), "3,6", "float32"),
        (flawspot.PatchCore(bank_size=300), "2,6,13", "float32"),
        (flawspot.CFA(epochs=1), "3,6,13", "float32"),
        (flawspot.PaSTe(epochs=1), "4,6", "int8"),
    ],
    ids=["gaussians", "a nested bank", "centres", "a student of codes"],
)
def test_a_trained_detector_as_tflite(method, layers, precision, product_folder, tmp_path):
    artifact = flawspot.train(
        product_folder, method=method, layers=layers, calibration="split", precision=precision, **QUICK
    )
    report = export(artifact, tmp_path / "part.tflite", "tflite", folder=product_folder)
    if precision == "float32":
        assert report.parity.map_difference < 1e-5
    assert "held-out" in report.parity.pictures
    assert np.isclose(report.parity.threshold, artifact.manifest.calibration.threshold, rtol=0.1)
