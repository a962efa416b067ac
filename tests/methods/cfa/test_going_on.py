"""The descriptor after an update: trained further, or as it was with the reason."""

import sys

import numpy as np
import pytest
import torch

import flawspot
from flawspot.data.folders import open_folder
from flawspot.errors import ArtifactError
from flawspot.methods.cfa.centres import NearestCentres
from flawspot.methods.cfa.updating import BIAS, CENTRES, POSITION, RADIUS, WEIGHT, Updater
from flawspot.methods.patches import pool
from flawspot.methods.updating import Before
from flawspot.runtime.images import read_image
from flawspot.runtime.seen import Eye, layers_of
from flawspot.runtime.state import NONE, REPLAY
from flawspot.runtime.stores import stores

EPOCHS = 6
DESCRIPTOR = (WEIGHT, POSITION, BIAS, RADIUS)

pytestmark = pytest.mark.usefixtures("one_thread")


def train(photographs, **more):
    settings = {"random_weights": True, "input_size": 64, "state": True, "progress": False, **more}
    return flawspot.train(photographs, method="cfa", settings={"epochs": EPOCHS}, **settings)


@pytest.fixture(scope="module")
def days(product_folder):
    good = open_folder(product_folder).train
    return good[:14], good[14:]


@pytest.fixture(scope="module")
def artifact(days):
    return train(days[0])


def updated(artifact, photographs, learned=None, replay=None):
    """What an update by all of these changes."""
    state = artifact.state
    learned, replay = (state.learned if learned is None else learned), (state.of(REPLAY) if replay is None else replay)
    updater = Updater(Before(artifact.model, artifact.manifest, learned, replay))
    eye = Eye(artifact.model, layers_of(artifact.model))
    for path in photographs:
        seen = eye(read_image(path))
        updater.add(seen.maps, seen.inside)
    return updater.finish(NONE)


def test_the_graph_holds_the_descriptor_that_was_trained_further(artifact, days):
    changed = updated(artifact, days[1])
    learned = changed.learned
    assert changed.told[1].startswith(f"the descriptor went on for {EPOCHS // 3} epochs; its loss: ")
    assert all((learned[name] != artifact.state.learned[name]).any() for name in DESCRIPTOR)
    taps = artifact.manifest.backbone.taps
    maps = Eye(artifact.model, taps)(read_image(days[0][0])).maps
    shapes = [(maps[tap].shape[1], maps[tap].shape[2:]) for tap in taps]
    want = NearestCentres(learned[WEIGHT], learned[POSITION], learned[BIAS], learned[CENTRES], shapes, 3).state_dict()
    names = {name.removeprefix("head.search.") for name in changed.stores}
    assert names >= {"mixing0", "position", "bias", "centres", "norms"}
    for name in names:
        np.testing.assert_array_equal(changed.stores[f"head.search.{name}"], want[name].numpy())
    there = stores(artifact.model, changed.stores)
    assert {name: array.shape for name, array in there.items()} == {
        name: array.shape for name, array in changed.stores.items()
    }


def test_with_varied_copies_it_goes_on_for_as_many_steps(days):
    """A third of the passes of training, which are a third of the epochs where there are two copies."""
    done = updated(train(days[0], tolerate="noise=1,copies=2"), days[1])
    assert done.told[1].startswith("the descriptor went on for 1 epoch; its loss: ")


def test_it_is_nearer_to_new_photographs_than_one_whose_centres_alone_moved(artifact, days):
    """The distances that the loss is about, of the photographs that were added."""
    alone = updated(artifact, days[1], replay=NONE)
    both = updated(artifact, days[1])
    taps = artifact.manifest.backbone.taps
    eye = Eye(artifact.model, taps)

    def distance(learned):
        found = []
        for path in days[1]:
            maps = [torch.from_numpy(eye(read_image(path)).maps[tap]) for tap in taps]
            shapes = [(each.shape[1], each.shape[2:]) for each in maps]
            parts = (learned[name] for name in (WEIGHT, POSITION, BIAS, CENTRES))
            found.append(float(NearestCentres(*parts, shapes, 3)([pool(each) for each in maps]).mean()))
        return np.mean(found)

    assert distance(both.learned) < distance(alone.learned)


LOADED = {"torch": "needs torch, which is not installed", "a whole torch": "cannot be loaded: "}


@pytest.mark.parametrize("lacking", [*LOADED, "features", "radius"])
def test_without_what_it_needs_it_stays_and_the_update_says_why(artifact, days, lacking, monkeypatch):
    learned, replay = dict(artifact.state.learned), artifact.state.of(REPLAY)
    if lacking in LOADED:
        monkeypatch.delitem(sys.modules, "flawspot.methods.cfa.going_on", raising=False)
    if lacking == "torch":
        monkeypatch.setitem(sys.modules, "torch", None)
    elif lacking == "a whole torch":
        monkeypatch.setitem(sys.modules, "flawspot.methods.cfa.training", None)
    elif lacking == "features":
        replay = NONE
    else:
        del learned[RADIUS]
    changed = updated(artifact, days[1], learned, replay)
    assert LOADED.get(lacking, "training kept nothing to train it further") in changed.told[1]
    assert changed.told[1].startswith("the descriptor stays: ")
    kept = {name: changed.learned[name] for name in changed.learned.keys() & set(DESCRIPTOR)}
    assert all((array == learned[name]).all() for name, array in kept.items())
    assert (changed.learned[CENTRES] != learned[CENTRES]).any()


def test_a_damaged_descriptor_is_refused(artifact, days):
    for name, array in ((WEIGHT, np.zeros((3, 3), np.float32)), (RADIUS, np.zeros(2, np.float32))):
        with pytest.raises(ArtifactError, match="other shapes"):
            updated(artifact, days[1], {**artifact.state.learned, name: array})
    learned = artifact.state.learned
    for name, reason in ((WEIGHT, "another training"), (POSITION, "another training"), (RADIUS, "are none")):
        array = learned[name] * (np.nan if name == RADIUS else 1.5)
        with pytest.raises(ArtifactError, match=reason):
            updated(artifact, days[1], {**learned, name: array})


@pytest.mark.slow
def test_in_integers_it_goes_on_too(days, tmp_path):
    """The descriptor and the centres stay in floating point."""
    train(days[0], precision="int8", output=tmp_path / "one.onnx")
    done = flawspot.update(tmp_path / "one.onnx", days[1], output=tmp_path / "two.onnx", progress=False)
    assert any("went on for" in line for line in done.report.told)
    assert flawspot.load(tmp_path / "two.onnx").predict(days[1][0]).score >= 0
