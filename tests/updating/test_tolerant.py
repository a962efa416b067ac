"""Detectors that tolerate variation go on doing so."""

import numpy as np
import pytest

import flawspot
from flawspot.runtime.state import CALIBRATION, VARIED, beside, read_state
from flawspot.updating.uses import Use, uses_of, varying_within

from .conftest import folder, picture


@pytest.fixture(params=["padim", "patchcore"])
def tolerant(request, trained):
    return trained(request.param, tolerate="noise=2,brightness=1")


def test_copies_of_held_out_photographs_are_kept_beside_them(tolerant):
    state = read_state(beside(tolerant))
    assert state.of(VARIED).hashes == state.of(CALIBRATION).hashes
    one, other = state.of(VARIED).maps, state.of(CALIBRATION).maps
    assert all((one[layer] != other[layer]).any() for layer in one)


def test_what_was_tolerated_stays_so(tolerant, trained, tmp_path):
    new = folder(tmp_path / "new", 12, first=100, light=0.7)
    found = flawspot.update(tolerant, new, false_alarm_rate=0.1, progress=False)
    calibration = found.artifact.manifest.calibration
    assert calibration.tolerated.severities == {"noise": 2, "brightness": 1}
    state = found.artifact.state
    assert state.of(VARIED).hashes == state.of(CALIBRATION).hashes
    assert len(state.of(VARIED)) == 6
    plain = flawspot.update(trained(found.artifact.manifest.method), new, false_alarm_rate=0.1, progress=False)
    generator = np.random.default_rng(0)
    noisy = [
        np.clip(picture(seed, 0.7) + generator.normal(0, 8, (48, 48, 3)), 0, 255).astype(np.uint8)
        for seed in range(300, 320)
    ]
    good, without = (
        [flawspot.load(each).predict(image).verdict for image in noisy].count("good")
        for each in (found.artifact, plain.artifact)
    )
    assert good > without


def test_a_copy_is_used_as_its_photograph_is(tolerant):
    manifest = flawspot.load(tolerant).manifest

    class New:
        fit, validation, calibration = np.array([0, 3]), np.array([2]), np.array([1])

    varying = varying_within(manifest, tolerant.parent, 0)
    assert uses_of(New, varying) == [
        *(Use(row, "replay", copy) for row in (0, 3) for copy in (0, 1, 2)),
        *(Use(2, "validation", copy) for copy in (0, 1, 2)),
        Use(1, "calibration"),
        Use(1, "varied", 3),
    ]
    assert [use.copy for use in uses_of(New, None)] == [0, 0, 0, 0]


def test_copies_are_kept_to_be_learned_again(tmp_path):
    good = folder(tmp_path / "good", 12)
    artifact = flawspot.train(
        good,
        method="stfpm",
        settings={"epochs": 1, "batch_size": 4},
        layers=(1, 2),
        random_weights=True,
        input_size=32,
        tolerate="noise=2",
        state=True,
        progress=False,
    )
    training, state = artifact.manifest.training, artifact.state
    assert len(state.of("replay")) == 3 * training.images
    assert len(state.of("validation")) == 3 * training.validation_images
    assert len(state.of(VARIED)) == len(state.of(CALIBRATION)) == training.calibration_images
