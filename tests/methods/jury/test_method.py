"""A jury's members are what they are alone, and its map is their maps, combined."""

import dataclasses

import numpy as np
import pytest
import torch

from flawspot.costs.configuration import configuration_costs
from flawspot.errors import DataError
from flawspot.methods.jury import method as jury_method
from flawspot.methods.jury import scales
from flawspot.methods.jury.combining import Combination
from flawspot.methods.jury.scales import scale_of
from flawspot.methods.registry import create_method

pytestmark = pytest.mark.usefixtures("one_thread")
MEMBERS = "patchcore@3,8:bank_size=200 + 0.5*padim"


def test_its_map_is_its_members_maps_combined(fit_method, make_photographs):
    jury = fit_method("jury", members=MEMBERS)
    images = make_photographs(3, seed=9)
    images[1, 8:28, 36:56] = 255
    validation = make_photographs(4, seed=1)
    maps, scales = [], []
    for name, layers in (("patchcore bank_size=200", "3,8"), ("padim", "3,6,10")):
        alone = fit_method(name, layers=layers)
        head = alone.method.head().eval()
        with torch.no_grad():
            scales.append(scale_of(head(alone.maps(validation))[0].numpy().ravel(), name))
            maps.append(head(alone.maps(images))[0])
    want = Combination("fisher", scales, [1.0, 0.5])(maps)
    with torch.no_grad():
        got, score = jury.method.head().eval()(jury.maps(images))
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3 * float(want.max()))
    assert torch.equal(score, got.amax(dim=(1, 2)))


def test_it_needs_what_its_members_need():
    jury = create_method("jury", {"members": "padim@3,8 + paste + stfpm@2,4"})
    # PaSTe shares what lies before the jury's first layer with its teacher; STFPM's student sees the photograph.
    assert jury.required((7, 10), "mobilenet_v2") == (-1, 2, 3, 4, 6, 7, 8, 10)


def test_without_held_out_photographs_it_is_not_fitted(fitted, make_photographs):
    features = fitted("jury").features(make_photographs(4))
    with pytest.raises(DataError, match="needs held-out good images to scale"):
        dataclasses.replace(fitted("jury").method).fit(features, None)


@pytest.mark.parametrize("region", [None, np.arange(64 * 64).reshape(64, 64) % 64 < 40])
def test_of_many_photographs_a_scale_is_taken_from_some_pixels(region, fitted, make_photographs, monkeypatch):
    inside = None if region is None else lambda rows: np.broadcast_to(region, (len(rows), 64, 64))
    features = fitted("padim").features(make_photographs(12), inside=inside)
    head = fitted("padim").method.head().eval()
    every = jury_method._pixels(head, features)
    monkeypatch.setattr(scales, "MOST_PIXELS", 6 * 64 * 64)
    some = jury_method._pixels(head, features)
    assert len(every) == 12 * (64 * 64 if region is None else 64 * 40)
    assert len(some) == len(every) // 2
    assert scale_of(some, "some").mean == pytest.approx(scale_of(every, "all").mean, rel=0.05)


def test_its_costs_are_those_of_its_members():
    def parts(method, **settings):
        costs = configuration_costs(backbone="mobilenet_v2", layers="3,6,10", method=method, settings=settings)
        return {part.name: part for part in costs.parts}

    jury = parts("jury", members="padim:covariance=diagonal + pasted + padim:channels=20")
    alone = {
        "padim 1": parts("padim", covariance="diagonal"),
        "pasted": parts("pasted"),
        "padim 2": parts("padim", channels=20),
    }
    expected = {
        f"{who}: {name}": part for who, own in alone.items() for name, part in own.items() if name != "backbone"
    }
    assert list(jury) == ["backbone", *expected]
    for name, part in expected.items():
        assert (jury[name].bytes, jury[name].macs) == (part.bytes, part.macs)


def test_in_int8_its_members_keep_their_stores_so(fit_method):
    jury = create_method("jury", {"members": "patchcore:bank_size=100 + pasted"}, precision="int8")
    assert jury.precision == "int8"
    assert [method.hyperparameters().get("precision") for method in jury._created()] == ["int8", None]
    assert jury.stored_width("patchcore: memory bank") is None
    assert jury.stored_width("pasted: network") == 4


def test_another_rule_is_another_map(fit_method, make_photographs):
    images = make_photographs(2, seed=9)
    jury = fit_method("jury", members=MEMBERS).method
    maps = fit_method("jury", members=MEMBERS).maps(images)
    with torch.no_grad():
        found = [dataclasses.replace(jury, rule=rule) for rule in ("fisher", "maximum")]
        for each in found:
            each.shapes_, each.fitted_, each.scales_ = jury.shapes_, jury.fitted_, jury.scales_
        one, two = (each.head().eval()(maps)[0] for each in found)
    assert not torch.allclose(one, two)
