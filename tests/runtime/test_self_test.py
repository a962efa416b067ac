"""The self-test passes where the detector was made, and fails where something else is computed."""

import dataclasses
import hashlib

import numpy as np
import pytest

import flawspot
from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.detector import load
from flawspot.runtime.self_test import TOLERANCE, check, probe, record


@pytest.fixture
def run(tiny_model, tiny_manifest):
    return load(assemble(tiny_model, tiny_manifest)).run


def test_the_probe_is_the_same_everywhere():
    picture = probe()
    assert picture.shape == (150, 200, 3)
    assert picture.std() > 30
    assert hashlib.sha256(picture.tobytes()).hexdigest().startswith("f1ddb14e76728750")


def test_what_was_recorded_passes(run):
    recorded = record(run)
    assert len(recorded.map_means) == 64
    assert recorded.score == max(recorded.map_means)  # squares of one pixel, at a size of 8
    check(recorded, run)


@pytest.mark.parametrize("size", [8, 9, 60, 224, 1024])
def test_means_are_means(size):
    anomaly_map = np.random.default_rng(0).random((1, size, size)).astype(np.float32)
    means = np.array(record(lambda _: (anomaly_map, anomaly_map.max(axis=(1, 2)))).map_means)
    assert len(means) == 64
    if size % 8 == 0:
        expected = anomaly_map[0].reshape(8, size // 8, 8, size // 8).mean(axis=(1, 3))
        np.testing.assert_allclose(means, expected.ravel(), rtol=1e-5)


@pytest.mark.parametrize("wrong", [1 + 2 * TOLERANCE, 0.942, 2.6, 0.0, np.nan])
def test_something_else_fails(run, wrong):
    recorded = record(run)
    with pytest.raises(ArtifactError, match="computes something else"):
        check(recorded, lambda batch: tuple(np.float32(wrong) * output for output in run(batch)))
    check(recorded, lambda batch: tuple(np.float32(1 + TOLERANCE / 10) * output for output in run(batch)))


def test_another_map_fails(run):
    recorded = record(run)
    with pytest.raises(ArtifactError, match="another size"):
        check(recorded, lambda batch: (run(batch)[0][:, :4, :4], run(batch)[1]))


def test_load_runs_it_when_asked(tiny_model, tiny_manifest, run):
    recorded = record(run)
    good = dataclasses.replace(tiny_manifest, self_test=recorded)
    bad = dataclasses.replace(good, self_test=dataclasses.replace(recorded, score=2 * recorded.score))
    flawspot.load(assemble(tiny_model, good), self_test=True)
    flawspot.load(assemble(tiny_model, tiny_manifest), self_test=True)  # older than self-tests
    flawspot.load(assemble(tiny_model, bad))
    with pytest.raises(ArtifactError, match=r"cannot be used: it fails its self-test"):
        flawspot.load(assemble(tiny_model, bad), self_test=True)
