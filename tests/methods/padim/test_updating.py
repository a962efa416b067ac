"""PaDiM goes on learning: exactly as if it had learned from all photographs at once."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from flawspot.errors import ArtifactError
from flawspot.methods.padim.updating import Updater
from flawspot.methods.updating import Before
from flawspot.progress import SILENT
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.session import open_session
from flawspot.runtime.state import NONE
from flawspot.runtime.stores import with_stores

from ..conftest import photographs

VARIANTS = (
    "padim",
    "padim covariance=diagonal",
    "padim covariance=low_rank",
    "padim precision=float16",
    "padim selection=components",
    "padim selection=variance",
)


@pytest.fixture
def before(fitted, exported, tiny_manifest):
    """``before(name)``: a detector that is to be updated."""

    def make(name):
        method = fitted(name).method
        manifest = dataclasses.replace(tiny_manifest, hyperparameters=method.hyperparameters())
        return Before(exported(name), manifest, method.learned())

    return make


def each(maps):
    """The maps of one photograph after the other."""
    for row in range(len(next(iter(maps.values())))):
        yield {tap: own[row : row + 1] for tap, own in maps.items()}


def maps_of(fitted, images):
    return {tap: tensor.numpy() for tap, tensor in fitted.maps(images).items()}


def updated(before, maps):
    updater = Updater(before)
    for one in each(maps):
        updater.add(one, None)
    return updater.finish(NONE)


def answers(model, images):
    return open_session(model).run(OUTPUTS, {"image": images})


@pytest.mark.parametrize("name", VARIANTS)
def test_it_is_what_all_photographs_at_once_make(name, fitted, before):
    begun, more, unseen = before(name), photographs(6, seed=3), photographs(3, seed=4)
    changed = updated(begun, maps_of(fitted(name), more))
    method = dataclasses.replace(fitted(name).method)
    # What is kept of the channels stays as it was chosen first.
    method._select = lambda features, count, progress: vars(method).update(
        selected_=fitted(name).method.selected_, chosen_=fitted(name).method.chosen_
    )
    method.fit(fitted(name).features(np.concatenate([photographs(12), more])))
    model = with_stores(begun.model, changed.stores)
    head = method.head().eval()
    maps = fitted(name).maps(unseen)
    tolerance = 5e-3 if "float16" in name else 2e-4
    np.testing.assert_allclose(answers(model, unseen)[0], head(maps)[0].numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", VARIANTS[:3])
def test_two_updates_are_one_with_both(name, fitted, before):
    begun = before(name)
    first, second = photographs(4, seed=5), photographs(5, seed=6)
    once = updated(begun, maps_of(fitted(name), np.concatenate([first, second])))
    step = updated(begun, maps_of(fitted(name), first))
    between = dataclasses.replace(begun, model=with_stores(begun.model, step.stores), learned=step.learned)
    twice = updated(between, maps_of(fitted(name), second))
    for store, numbers in once.stores.items():
        np.testing.assert_allclose(twice.stores[store], numbers, rtol=1e-4, atol=1e-4)


def test_nothing_changes_nothing(before):
    begun = before("padim")
    changed = Updater(begun).finish(NONE)
    for name, numbers in changed.stores.items():
        np.testing.assert_allclose(numbers, begun.stores()[name.removeprefix("head.")], rtol=1e-5, atol=1e-5)


def test_bands_of_an_older_graph_stay_as_they_are_written_there(fitted, before):
    """Rows before columns, under another name."""
    begun, more = before("padim"), photographs(4, seed=5)
    former = {}
    for name, array in begun.stores().items():
        former[name.replace("turned", "band")] = array.transpose(0, 2, 1) if name.startswith("turned") else array
    older = SimpleNamespace(
        manifest=begun.manifest, learned=begun.learned, stores=lambda: former, prefix=begun.prefix, progress=SILENT
    )
    want, got = (updated(own, maps_of(fitted("padim"), more)).stores for own in (begun, older))
    bands = [name for name in want if "turned" in name]
    assert len(bands) == 8
    for name in bands:
        np.testing.assert_array_equal(got[name.replace("turned", "band")], want[name].transpose(0, 2, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda learned: learned.pop("sum"),
        lambda learned: learned.pop("squares.0"),
        lambda learned: learned.update(count=np.array([0])),
        lambda learned: learned.update(origin=np.zeros((1, 1), np.float32)),
        lambda learned: [learned.pop(name) for name in list(learned) if name.startswith("chosen")],
    ],
)
def test_a_state_that_is_damaged_is_refused(before, change):
    begun = before("padim")
    learned = dict(begun.learned)
    change(learned)
    with pytest.raises(ArtifactError):
        Updater(dataclasses.replace(begun, learned=learned))
