"""PatchCore's bank takes in new patches within the rows that its graph has."""

import dataclasses

import numpy as np
import pytest
import torch

from flawspot.errors import ArtifactError, ConfigurationError
from flawspot.methods.patchcore import PatchCore
from flawspot.methods.patchcore.method import PatchCoreHead
from flawspot.methods.patchcore.updating import Updater
from flawspot.methods.updating import Before
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.seen import value_of
from flawspot.runtime.session import open_session
from flawspot.runtime.state import NONE
from flawspot.runtime.stores import with_stores
from flawspot.training.graph import WatchedDetectorGraph, to_onnx

from ..conftest import fit, photographs

VARIANTS = (
    "patchcore",
    "patchcore precision=float16",
    "patchcore precision=int8",
    "patchcore standardize=channel",
    "patchcore reweight=true",
)
LAYERS = {"nested": None, "one grid": "3"}


@pytest.fixture(scope="module")
def with_room():
    """``with_room(name)``: fitted with free rows, and the detector's graph."""
    made = {}

    def make(name, layers=None, bank_size=3000):
        if (name, layers, bank_size) not in made:
            fitted = fit(name, layers=layers, bank_size=bank_size)
            fitted.method.leave_room()
            graph = WatchedDetectorGraph(fitted.preprocess, fitted.network, PatchCoreHead(fitted.method)).eval()
            names = [value_of(layer) for layer in fitted.network.taps]
            made[name, layers, bank_size] = fitted, to_onnx(graph, OUTPUTS, names)
        return made[name, layers, bank_size]

    return make


def begun(fitted, model, tiny_manifest):
    manifest = dataclasses.replace(tiny_manifest, hyperparameters=fitted.method.hyperparameters())
    return Before(model, manifest, fitted.method.learned())


def updated(before, fitted, images):
    updater = Updater(before)
    maps = {tap: tensor.numpy() for tap, tensor in fitted.maps(images).items()}
    for row in range(len(images)):
        updater.add({tap: own[row : row + 1] for tap, own in maps.items()}, None)
    return updater, updater.finish(NONE)


def scores(model, images):
    return open_session(model).run(OUTPUTS, {"image": images})[1]


def darker(images):
    return (images * 0.6).astype(np.uint8)


@pytest.mark.parametrize("name", VARIANTS)
def test_free_rows_change_no_score(name, with_room):
    fitted, model = with_room(name)
    full = dataclasses.replace(fitted.method)
    vars(full).update({key: value for key, value in vars(fitted.method).items() if key != "room_"})
    images = photographs(3, seed=9)
    with torch.no_grad():
        expected = PatchCoreHead(full).eval()(fitted.maps(images))[1].numpy()
    np.testing.assert_allclose(scores(model, images), expected, rtol=1e-4)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_nothing_changes_nothing(layers, with_room, tiny_manifest):
    fitted, model = with_room("patchcore", layers)
    before = begun(fitted, model, tiny_manifest)
    changed = Updater(before).finish(NONE)
    images = photographs(3, seed=9)
    np.testing.assert_allclose(scores(with_stores(model, changed.stores), images), scores(model, images), rtol=1e-5)


@pytest.mark.grid(2)
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_new_becomes_good(name, layers, with_room, tiny_manifest):
    fitted, model = with_room(name, layers)
    new, unseen, old = darker(photographs(6, seed=3)), darker(photographs(3, seed=4)), photographs(3, seed=5)
    updater, changed = updated(begun(fitted, model, tiny_manifest), fitted, new)
    after = with_stores(model, changed.stores)
    assert updater._bank.taken > 0
    before_new, after_new = scores(model, unseen).max(), scores(after, unseen).max()
    gap = before_new - scores(model, old).max()
    assert gap > 0  # the new light was an anomaly
    assert after_new < before_new - 0.5 * gap
    # Old parts are no farther from the bank than is told; where rows had to go, farther than before.
    assert scores(after, old).max() < scores(model, old).max() + changed.learned["radius"][1]


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_the_graph_says_the_distances_to_the_new_bank(layers, with_room, tiny_manifest):
    fitted, model = with_room("patchcore", layers)
    updater, changed = updated(begun(fitted, model, tiny_manifest), fitted, darker(photographs(4, seed=3)))
    images = darker(photographs(1, seed=6))
    maps = {tap: tensor.numpy() for tap, tensor in fitted.maps(images).items()}
    patches, members = updater._patches(maps, None), updater._bank.members
    distance = np.sqrt(((patches[:, None] - members[None]) ** 2).sum(2).min(1))
    head = PatchCoreHead(fitted.method).eval()
    expected = head.upsample(torch.from_numpy(distance.astype(np.float32)).reshape(1, *head.grid)).numpy()
    got = open_session(with_stores(model, changed.stores)).run(OUTPUTS, {"image": images})[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_the_same_photographs_take_in_nothing(with_room, tiny_manifest):
    fitted, model = with_room("patchcore")
    updater, _ = updated(begun(fitted, model, tiny_manifest), fitted, photographs(12))
    # A patch as far from the bank as its radius is neither in nor out: rounding decides.
    assert updater._bank.taken <= 0.01 * len(updater._bank.members)


@pytest.mark.slow
def test_every_new_patch_is_covered_as_is_told(with_room, tiny_manifest):
    fitted, model = with_room("patchcore")
    new = darker(photographs(6, seed=3))
    updater, changed = updated(begun(fitted, model, tiny_manifest), fitted, new)
    maps = {tap: tensor.numpy() for tap, tensor in fitted.maps(new).items()}
    for row in range(len(new)):
        patches = updater._patches({tap: own[row : row + 1] for tap, own in maps.items()}, None)
        distance = np.sqrt(((patches[:, None] - updater._bank.members[None]) ** 2).sum(2).min(1))
        assert distance.max() <= changed.learned["radius"][1] * (1 + 1e-4)


def test_an_update_goes_on_from_an_update(with_room, tiny_manifest):
    fitted, model = with_room("patchcore")
    before = begun(fitted, model, tiny_manifest)
    _, first = updated(before, fitted, darker(photographs(3, seed=3)))
    between = dataclasses.replace(before, model=with_stores(model, first.stores), learned=first.learned)
    updater, second = updated(between, fitted, darker(photographs(3, seed=3)))
    assert updater._bank.taken <= 0.01 * len(updater._bank.members)  # it knows them by now
    assert second.learned["radius"][1] >= first.learned["radius"][1]


def test_only_what_is_looked_at_enters(with_room, tiny_manifest):
    fitted, model = with_room("patchcore")
    updater = Updater(begun(fitted, model, tiny_manifest))
    images = darker(photographs(1, seed=3))
    maps = {tap: tensor.numpy() for tap, tensor in fitted.maps(images).items()}
    nothing = np.zeros((1, *images.shape[1:3]), np.bool_)
    updater.add(maps, nothing)
    assert updater._bank.taken == 0


@pytest.mark.parametrize("radius", [None, np.zeros(1), np.array([-1.0, 0]), np.array([np.nan, 0])])
def test_a_state_that_is_damaged_is_refused(radius, with_room, tiny_manifest):
    before = begun(*with_room("patchcore"), tiny_manifest)
    learned = {} if radius is None else {"radius": radius}
    with pytest.raises(ArtifactError):
        Updater(dataclasses.replace(before, learned=learned))


def test_a_bank_of_codes_says_so_before_training():
    with pytest.raises(ConfigurationError, match="quantization"):
        PatchCore(quantization="product").leave_room()
