"""Costs told before training; that they are those of the fitted method is tested in tests/methods."""

import json

import pytest

from flawspot.backbones.registry import families, family
from flawspot.costs.configuration import configuration_costs, plan_costs
from flawspot.costs.plan import make_plan
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.registry import create_method, methods


@pytest.mark.slow
@pytest.mark.parametrize("name", methods())
@pytest.mark.parametrize("backbone", families())
def test_every_method_on_every_backbone(backbone, name):
    method = create_method(name)
    for group, taps in family(backbone).layer_groups.items():
        try:
            method.required(taps, backbone)
        except ConfigurationError:
            continue
        if type(method).planned_parts is Method.planned_parts:
            with pytest.raises(ConfigurationError, match="are known once it is fitted"):
                configuration_costs(backbone=backbone, layers=group, method=name)
            continue
        costs = configuration_costs(backbone=backbone, layers=group, method=name)
        assert costs.bytes == sum(part.bytes for part in costs.parts) > 0
        assert costs.macs >= costs.parts[0].macs > 0
        assert [memory.name for memory in costs.memory] == [part.name for part in costs.parts]
        assert json.loads(json.dumps(costs.as_dict(), allow_nan=False))["bytes"] == costs.bytes


def test_what_paste_shares_is_counted_once():
    stfpm, paste = (configuration_costs(backbone="mobilenet_v2", layers="paste", method=m) for m in ("stfpm", "paste"))
    (whole,), (tail,) = ([p for p in c.parts if p.name == "student"] for c in (stfpm, paste))
    assert stfpm.parts[0] == paste.parts[0]
    shared = configuration_costs(backbone="mobilenet_v2", layers=[6], method="padim").parts[0]
    assert whole.bytes - tail.bytes == shared.bytes
    assert whole.macs - tail.macs == shared.macs


def test_a_bank_is_never_larger_than_the_patches_there_are():
    settings = {"bank_size": 10**6}
    costs = configuration_costs(backbone="mobilenet_v2", method="patchcore", settings=settings, images=2)
    bank = costs.parts[1]
    # With the norms of each of three resolutions, the way from the second to the third, and the mean.
    assert bank.bytes == 4 * (2 * 56 * 56 * (248 + 3 + 1) + 248)


@pytest.mark.parametrize("name", ["padim", "patchcore", "paste"])
def test_varied_copies_are_kept_and_cost_nothing_at_run_time(name):
    settings = {"bank_size": 100} if name == "patchcore" else {}
    plain, tolerant = (
        configuration_costs(backbone="mobilenet_v2", method=name, settings=settings, tolerate=tolerate)
        for tolerate in (None, "line,copies=3")
    )
    assert tolerant.parts == plain.parts
    assert (plain.training.copies, tolerant.training.copies) == (0, 3)
    assert tolerant.training.cache_bytes == 4 * plain.training.cache_bytes
    for less, more in zip(plain.training.items, tolerant.training.items, strict=True):
        assert more.bytes == (4 if less.per_image else 1) * less.bytes, less.name
    with pytest.raises(ConfigurationError, match="tolerate 'fog'"):
        configuration_costs(backbone="mobilenet_v2", method=name, tolerate="fog=1")


def test_the_steps_of_cfa_stay_as_many_with_copies():
    for tolerate, epochs in ((None, 30), ("line", 10), ("line,copies=3", 8)):
        costs = configuration_costs(backbone="mobilenet_v2", method="cfa", tolerate=tolerate)
        assert costs.training.epochs == epochs


def test_nothing_is_allocated():
    settings = {"bank_size": 10**8}
    costs = configuration_costs(backbone="mobilenet_v2", method="patchcore", settings=settings, images=10**6)
    assert costs.bytes > 90e9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "resnet"}, "the known ones are"),
        ({"method": "magic"}, "the known ones are"),
        ({"layers": "3,99"}, "its layers are 0 to 18"),
        ({"layers": "low", "settings": {"colour": 1}}, "has no hyperparameter"),
        ({"method": "paste", "layers": "0,5"}, "choose layers of at least 1"),
        ({"input_size": 5}, "out of range"),
        ({"images": 0}, "at least 1"),
        ({"method": "padim", "settings": {"channels": 999}}, "have 248 in all"),
    ],
)
def test_mistakes_are_told_with_the_cure(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        configuration_costs(**{"backbone": "mobilenet_v2", **arguments})


@pytest.mark.parametrize("name", methods())
@pytest.mark.grid(2)
def test_what_grows_with_the_photographs_is_marked(name):
    plans = [make_plan(backbone="mobilenet_v2", method=name, images=images) for images in (300, 900)]
    if plans[0].method.training_costs(plans[0].shapes) is None:
        assert type(plans[0].method).training_costs is Method.training_costs
        return
    few, many = (plan_costs(plan).training for plan in plans)
    for less, more in zip(few.items, many.items, strict=True):
        assert more.bytes == (3 if less.per_image else 1) * less.bytes, less.name
    assert few.items[0].per_image
