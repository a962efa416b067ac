"""Centres after an update against those of a training on all photographs."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from flawspot.errors import ArtifactError
from flawspot.methods.cfa.turned import turned, turning
from flawspot.methods.cfa.updating import CENTRES, IMAGES, Updater
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.runtime.state import NONE

FIRST, LATER = slice(0, 9), slice(9, 12)


def some(features, rows):
    """Of whole images alone, so that rows are images."""
    inside = None if features.inside is None else lambda own: features.inside(np.arange(12)[rows][own])
    maps = {layer: maps[rows] for layer, maps in features.maps.items()}
    return dataclasses.replace(features, maps=maps, inside=inside)


def before(fitted):
    """What an update of it begins with, without a graph."""
    stores = {f"search.{name}": each.numpy() for name, each in fitted.head().search.state_dict().items()}
    manifest = SimpleNamespace(calibration=SimpleNamespace(tolerated=None))
    return SimpleNamespace(
        stores=lambda: stores, learned=fitted.learned(), prefix="head.", manifest=manifest, replay=NONE
    )


def fit(features, **settings):
    return create_method("cfa", {"epochs": 1, **settings}).fit(features)


@pytest.fixture(params=["whole", "part"])
def features(request, wide, region, make_photographs):
    """Of 12 images, of which all or a part that differs from one to the next is looked at."""
    found = wide("cfa").features(make_photographs(12, size=region.shape))
    if request.param == "whole":
        return found
    masks = np.stack([np.roll(region, 2 * (number % 3), 0) for number in range(12)])
    return FeatureSet(found.backbone, found.taps, found.input_size, found.maps, inside=lambda rows: masks[rows])


def learned(updater, features, rows):
    for row in range(12)[rows]:
        one = np.array([row])
        updater.add({tap: features.batch(tap, one) for tap in features.taps}, features.pixels(one))
    return updater.finish(NONE)


def test_centres_are_those_of_all_photographs(features):
    first, everything = fit(some(features, FIRST)), fit(features)
    changed = learned(Updater(before(first)), features, LATER)
    known = first.images_ > 0
    want = everything.centres_.numpy()[known[everything.images_ > 0]]
    near = 1e-5 * np.abs(want).max()
    np.testing.assert_allclose(changed.learned[CENTRES], want, rtol=0, atol=near)
    np.testing.assert_array_equal(changed.learned[IMAGES], np.where(known, everything.images_, 0))
    assert changed.stores.keys() >= {"head.search.centres", "head.search.norms", "head.search.bias"}


def test_one_after_the_other_and_in_half_precision(features):
    fitted = fit(some(features, slice(0, 6)), precision="float16")
    once = learned(Updater(before(fitted)), features, slice(6, 12))
    half = learned(Updater(before(fitted)), features, slice(6, 9))
    again = before(fitted)
    again.learned = half.learned
    stores = again.stores() | {name.removeprefix("head."): array for name, array in half.stores.items()}
    again.stores = lambda: stores
    twice = learned(Updater(again), features, slice(9, 12))
    assert once.stores["head.search.centres"].dtype == np.float16
    for name, array in once.stores.items():
        got, want = twice.stores[name].astype(np.float64), array.astype(np.float64)
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-3 * np.abs(want).max())


def test_a_state_of_another_detector_is_refused(features):
    one, other = fit(some(features, FIRST)), fit(some(features, slice(3, 12)))
    strange = before(one)
    strange.learned = {**strange.learned, CENTRES: 2 * strange.learned[CENTRES]}
    with pytest.raises(ArtifactError, match="of another training"):
        Updater(strange)
    strange.learned = {name: array for name, array in other.learned().items() if name != IMAGES}
    with pytest.raises(ArtifactError, match="is damaged"):
        Updater(strange)
    strange.learned = {**one.learned(), "bias": np.zeros(3)}
    with pytest.raises(ArtifactError, match="other shapes"):
        Updater(strange)


def test_norms_and_slopes_are_those_of_the_turned_centres():
    generator = np.random.default_rng(0)
    shapes = [(2, (2, 2)), (3, (4, 4))]
    found = turning(generator.normal(size=(5, 5)), shapes)
    assert found.order == [1, 0]
    centres, position = generator.normal(size=(455, 5)), generator.normal(size=(5, 2))
    constants = turned(found.basis, position, np.zeros(5), centres, 3, False)
    moved = constants["centres"].astype(np.float64)
    np.testing.assert_allclose(moved.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(constants["norms"], (moved**2).sum(1), rtol=1e-5)
    slopes = moved[:, 3:] @ (found.basis.T @ position)[3:]
    np.testing.assert_allclose(np.concatenate([constants["rows"], constants["columns"]]).T, slopes, atol=1e-5)


def test_a_graph_with_norms_and_slopes_in_parts_is_updated_as_one_that_has_them_whole(features):
    """So were they kept at first."""
    fitted = fit(some(features, FIRST))
    whole, parted = before(fitted), before(fitted)
    stores = dict(whole.stores())
    for name in ("norms", "rows", "columns"):
        array = stores.pop(f"search.{name}")
        for number, start in enumerate(range(0, array.shape[-1], 448)):
            stores[f"search.{name}_{number}"] = array[..., start : start + 448]
    parted.stores = lambda: stores
    want, got = (learned(Updater(each), features, LATER) for each in (whole, parted))
    assert got.stores.keys() == {f"head.{name}" for name in stores if f"head.{name}" in got.stores}
    for name in ("norms", "rows", "columns"):
        own = [got.stores[key] for key in sorted(got.stores) if key.startswith(f"head.search.{name}_")]
        np.testing.assert_array_equal(np.concatenate(own, -1), want.stores[f"head.search.{name}"])


def test_a_graph_without_norms_is_refused(features):
    strange = before(fit(some(features, FIRST)))
    stores = {name: array for name, array in strange.stores().items() if name != "search.norms"}
    strange.stores = lambda: stores
    with pytest.raises(ArtifactError, match="is damaged"):
        Updater(strange)
