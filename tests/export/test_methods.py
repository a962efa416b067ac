"""Detectors as they are trained: what each kind of head becomes."""

import numpy as np
import pytest
import torch

import flawspot
from flawspot.errors import ExportError
from flawspot.export.head_operations import CentreDistance, DirectionDistance, GaussianDistance, NearestNeighbour
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.translate import export
from flawspot.methods.padim.method import PaDiMHead

QUICK = {"backbone": "mobilenet_v2", "input_size": 64, "random_weights": True, "progress": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "layers", "kind"),
    [
        (flawspot.PaDiM(channels=20), "3,6", GaussianDistance),
        (flawspot.PaDiM(channels=20, selection="variance"), "3,6", GaussianDistance),
        (flawspot.PatchCore(bank_size=900), "2,6,13", NearestNeighbour),
        (flawspot.PatchCore(bank_size=50), "3", NearestNeighbour),
        (flawspot.PatchCore(bank_size=900, standardize="channel", precision="int8"), "2,6,13", NearestNeighbour),
        (flawspot.CFA(epochs=1), "3,6,13", CentreDistance),
        (flawspot.PaSTe(epochs=1), "4,6", DirectionDistance),
        (flawspot.PaSTe(epochs=1, students=3), "4,6", DirectionDistance),
    ],
    ids=[
        "gaussians",
        "gaussians of chosen channels",
        "a nested bank",
        "a plain bank",
        "a standardised bank",
        "centres",
        "a student",
        "three students",
    ],
)
def test_a_trained_detector_as_c(method, layers, kind, product_folder, compiler, tmp_path):
    artifact = flawspot.train(product_folder, method=method, layers=layers, calibration="split", **QUICK)
    form = read_form(artifact.model, 64)
    head = [operation for operation in form.operations if isinstance(operation, kind)]
    assert head
    if isinstance(head[0], NearestNeighbour) and layers != "3":
        assert [level.grid for level in head[0].levels] == [16, 8, 4]
        assert [level.parents is None for level in head[0].levels] == [False, False, True]
    report = export(artifact, tmp_path / "part.c", folder=product_folder)
    assert report.parity.map_difference < 1e-5
    assert "held-out" in report.parity.pictures
    assert np.isclose(report.parity.threshold, artifact.manifest.calibration.threshold)
    fixed = export(artifact, tmp_path / "fixed.onnx", "onnx-fixed", folder=product_folder)
    assert fixed.parity.map_difference < 1e-5


@pytest.mark.grid(1)
@pytest.mark.parametrize(
    ("method", "layers"),
    [(flawspot.CFA(epochs=1), "3,6,13"), (flawspot.PaDiM(channels=20), "3,6"), (flawspot.PatchCore(bank_size=50), "3")],
    ids=["centres", "gaussians", "a bank"],
)
def test_a_detector_that_can_be_updated_has_the_form_of_one_that_cannot(method, layers, product_folder):
    """What it has learned stays a constant of its own, to be replaced."""
    common = {"method": method, "layers": layers, "calibration": "split", **QUICK}
    plain, updatable = flawspot.train(product_folder, **common), flawspot.train(product_folder, **common, state=True)
    want, got = (read_form(artifact.model, 64).operations for artifact in (plain, updatable))
    assert [type(each) for each in got] == [type(each) for each in want]
    if layers == "3,6,13":
        one, other = (next(each for each in form if isinstance(each, CentreDistance)) for form in (want, got))
        np.testing.assert_allclose(other.along, one.along, atol=1e-6)
        np.testing.assert_allclose(other.across, one.across, atol=1e-6)


class FormerHead(PaDiMHead):
    """As graphs had it at first: bands before the vectors."""

    def __init__(self, fitted):
        super().__init__(fitted)
        for index, band in enumerate(fitted.bands_):
            self.register_buffer(f"band{index}", torch.from_numpy(band))
            delattr(self, f"turned{index}")

    def _squared(self, difference):
        vectors = difference.permute(2, 1, 0)
        bands = [self.get_buffer(f"band{index}") for index in range(self.bands)]
        whitened = torch.cat([band @ vectors[:, : band.shape[2]] for band in bands], 1)
        return (whitened * whitened).sum(1).T


@pytest.mark.slow
def test_gaussians_of_an_older_artifact(product_folder, compiler, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.methods.padim.method.PaDiMHead", FormerHead)
    settings = {"method": flawspot.PaDiM(channels=20), "layers": "3,6", "calibration": "split"}
    artifact = flawspot.train(product_folder, **settings, **QUICK)
    (head,) = (each for each in read_form(artifact.model, 64).operations if isinstance(each, GaussianDistance))
    assert [band.numbers.shape[1:] for band in head.bands] == [(8, 8), (8, 16), (4, 20)]
    assert export(artifact, tmp_path / "part.c", folder=product_folder).parity.map_difference < 1e-5


@pytest.mark.parametrize("students", [1, 2])
def test_trained_students_in_integers_as_fixed_onnx(students, product_folder, tmp_path):
    settings = {"layers": "4,6", "calibration": "split", "precision": "int8", **QUICK}
    artifact = flawspot.train(product_folder, method=flawspot.PaSTe(epochs=1, students=students), **settings)
    report = export(artifact, tmp_path / "fixed.onnx", "onnx-fixed", folder=product_folder)
    assert report.precision == "int8"
    assert report.parity.map_difference < 1e-5


@pytest.mark.parametrize("settings", [{"covariance": "low_rank", "rank": 2}, {"selection": "components"}])
def test_a_head_without_a_form_says_so(settings, product_folder):
    method = flawspot.PaDiM(channels=8, **settings)
    artifact = flawspot.train(product_folder, method=method, layers="3", calibration="split", **QUICK)
    with pytest.raises(ExportError, match="its head"):
        read_form(artifact.model, 64)
