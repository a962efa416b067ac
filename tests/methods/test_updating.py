"""What every method's updates must keep. A new method is tested here the day it can be updated."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.methods.registry import methods
from flawspot.methods.updating import Before, updating_of
from flawspot.runtime.artifact import graph_sha256, read
from flawspot.runtime.images import read_image
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.seen import Eye, Seen, kept, layers_of
from flawspot.runtime.self_test import check
from flawspot.runtime.session import open_session
from flawspot.runtime.state import REPLAY, VALIDATION, beside, read_state, stacked
from flawspot.runtime.stores import with_stores
from flawspot.updating import update

QUICK = {
    "patchcore": {"bank_size": 300},
    "cfa": {"epochs": 1},
    "stfpm": {"epochs": 20, "batch_size": 4},
    "paste": {"epochs": 30, "batch_size": 4},
    "pasted": {"photographs": 24, "epochs": 20, "batch_size": 8},
    "jury": {"members": "patchcore:bank_size=300 + paste:epochs=6,batch_size=4 + padim@paste"},
}
NEAR = {"padim": 1e-4, "pasted": 0.0, "patchcore": 0.1}
"""How far scores may be apart after two updates and after one with all photographs, as a share of the largest: sums are
exact but for rounding, and where a bank is selected it may be selected otherwise."""
TRAINED = 0.3
"""Likewise, of what is trained further, once or twice as long."""
CLEAR = 0.3
"""So far from the threshold, as a share of how far scores lie apart, a verdict hangs on no quantile of a dozen."""
DEFECT = (slice(28, 44), slice(20, 36))


@dataclass(frozen=True)
class Photographs:
    """Paths of good parts by the day they were taken on, and of parts that nobody learns from."""

    first: list[Path]
    second: list[Path]
    third: list[Path]
    good: list[Path]
    defective: list[Path]


@pytest.fixture(scope="module")
def photographs(make_photographs, tmp_path_factory):
    root = tmp_path_factory.mktemp("days")

    def save(name, count, seed, defective=False):
        images = make_photographs(count, seed=seed)
        if defective:
            images[(slice(None), *DEFECT)] = 255
        paths = [root / f"{name} {number}.png" for number in range(count)]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        return paths

    days = [save(name, count, seed) for seed, (name, count) in enumerate([("a", 24), ("b", 10), ("c", 10)], 20)]
    return Photographs(*days, save("good", 3, 30), save("bad", 3, 31, defective=True))


@pytest.fixture(scope="module")
def trained(photographs):
    """``trained(name)``: a detector of that method with its state, trained once."""

    @functools.cache
    def artifact(name):
        settings = QUICK.get(name, {})
        more = {"random_weights": True, "input_size": 64, "state": True, "progress": False}
        return flawspot.train(photographs.first, method=name, settings=settings, **more)

    return artifact


pytestmark = [pytest.mark.parametrize("name", list(methods())), pytest.mark.usefixtures("one_thread")]


def scores(model, paths):
    session = open_session(model, threads=1)
    return np.array([session.run(["score"], {"image": read_image(path)[None]})[0][0] for path in paths])


def above(artifact, paths):
    """How far scores are above the threshold."""
    return scores(artifact.model, paths) - artifact.manifest.calibration.threshold


@pytest.mark.grid(3)
def test_nothing_new_changes_nothing(name, trained, photographs):
    artifact = trained(name)
    updated = update(artifact, photographs.first, progress=False)
    assert updated.artifact is artifact
    assert updated.report.learned == updated.report.held_out == 0
    assert updated.report.known == len(photographs.first)


@pytest.mark.grid(2)
def test_the_same_pictures_in_other_files_change_no_verdict(name, trained, photographs, tmp_path):
    artifact, copies = trained(name), []
    for path in photographs.first:
        copies.append(tmp_path / f"{path.stem}.bmp")
        Image.open(path).save(copies[-1])
    updated = update(artifact, copies, progress=False)
    assert updated.report.learned
    paths = [*photographs.first, *photographs.defective]
    was, now = (above(each, paths) for each in (artifact, updated.artifact))
    clear = np.abs(was) > CLEAR * np.ptp(was)
    assert clear.any()
    np.testing.assert_array_equal(now[clear] > 0, was[clear] > 0)


def learning(name, artifact, days):
    """The graph and what is learned after one update for each of the days, all of whose photographs are learned."""
    model, learned, state = artifact.model, artifact.state.learned, artifact.state
    replay = state.of(REPLAY)
    for day in days:
        eye = Eye(model, layers_of(model))
        updater = updating_of(name)(Before(model, artifact.manifest, learned, replay, state.of(VALIDATION)))
        found = [eye(read_image(path)) for path in day]
        for seen in found:
            updater.add(seen.maps, seen.inside)
        changed = updater.finish(state.of(VALIDATION))
        model, learned = with_stores(model, changed.stores), changed.learned
        if len(replay):
            replay = stacked([replay, *[kept("", "", 0, Seen(seen.maps, seen.inside)) for seen in found]])
    return model


@pytest.mark.slow
def test_two_updates_are_one_with_both(name, trained, photographs):
    artifact = trained(name)
    two = learning(name, artifact, [photographs.second, photographs.third])
    one = learning(name, artifact, [[*photographs.second, *photographs.third]])
    paths = [*photographs.good, *photographs.defective]
    want = scores(one, paths)
    near = NEAR.get(name, TRAINED) * np.abs(want).max()
    np.testing.assert_allclose(scores(two, paths), want, rtol=0, atol=near)


@pytest.mark.slow
def test_an_update_goes_on_from_the_files_of_another(name, trained, photographs, tmp_path):
    """Without the photographs of before: the artifact and the state beside it are all that is needed."""
    first, second, third = (tmp_path / f"part {number}.onnx" for number in (1, 2, 3))
    artifact = trained(name)
    artifact.save(first)
    artifact.state.save(beside(first))
    update(first, photographs.second, output=second, progress=False)
    updated = update(second, photographs.third, output=third, progress=False)
    found, state = read(third), read_state(beside(third))
    check_model(found.model)
    session = open_session(found.model, threads=1)
    check(found.manifest.self_test, lambda image: session.run(["anomaly_map", "score"], {"image": image}))
    assert state.graph_sha256 == graph_sha256(found.model)
    assert set(state.learned) == set(artifact.state.learned)
    assert len(state.known) == sum(map(len, (photographs.first, photographs.second, photographs.third)))
    assert len(found.manifest.updates) == 2
    assert updated.report.told
    assert flawspot.load(third).manifest.calibration.threshold == updated.report.threshold
