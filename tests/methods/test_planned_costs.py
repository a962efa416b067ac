"""What a method is said to cost before it is fitted is what it says itself afterwards."""

import pytest

from flawspot.costs.configuration import configuration_costs
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.registry import methods

IMAGES = 12  # as the fixtures fit
SMALL = {
    "patchcore": [
        {"bank_size": 500},
        {"bank_size": 100_000},
        {"bank_ratio": 0.3},
        {"quantization": "product"},
        {"reweight": True},
        {"standardize": "channel", "precision": "int8"},
    ],
    "jury": [{"members": "patchcore:bank_size=500 + pasted:photographs=24,epochs=1"}],
    "padim": [
        {},
        {"channels": 7},
        {"selection": "projection", "precision": "float16", "covariance": "low_rank"},
        {"selection": "variance"},
        {"precision": "float16"},
        {"covariance": "diagonal"},
        {"covariance": "low_rank", "precision": "float16"},
    ],
    "paste": [{"epochs": 1}, {"epochs": 1, "students": 2}],
}


def tells_before_the_fit(name):
    return methods()[name].planned_parts is not Method.planned_parts


def settings_of(name):
    return SMALL.get(name, [dict(methods()[name].shortest_fit)])


@pytest.mark.parametrize(
    ("name", "settings"), [(name, settings) for name in methods() for settings in settings_of(name)]
)
@pytest.mark.usefixtures("one_thread")
@pytest.mark.grid(8)
def test_the_parts_are_those_of_the_fitted_method(name, settings, fit_method):
    fitted = fit_method(name, **settings)
    if not tells_before_the_fit(name):
        with pytest.raises(ConfigurationError, match="are known once it is fitted"):
            configuration_costs(backbone="mobilenet_v2", method=name, settings=settings)
        return
    costs = configuration_costs(backbone="mobilenet_v2", method=name, settings=settings, input_size=64, images=IMAGES)
    planned, told = list(costs.parts[1:]), fitted.method.parts()
    if fitted.method.planned_at_most:
        # How much of a bank is shared and searched depends on the photographs: planned is the most it can be, but for
        # the padding of blocks.
        assert [part.name for part in planned] == [part.name for part in told]
        assert planned[0].bytes >= 0.95 * told[0].bytes
        assert planned[0].macs >= told[0].macs
        planned, told = planned[1:], told[1:]
    assert planned == told
    tensors = fitted.network.state_dict().values()
    assert costs.parts[0].name == "backbone"
    assert costs.parts[0].bytes == sum(t.nbytes for t in tensors if t.is_floating_point())


@pytest.mark.slow
@pytest.mark.parametrize("name", methods())
@pytest.mark.usefixtures("one_thread")
def test_all_tiles_of_a_photograph_are_computed(name, wide):
    """Twelve tiles of four photographs, as `wide` fits them."""
    method = wide(name, tiles=3).method
    if not tells_before_the_fit(name):
        return
    settings, size = method.hyperparameters(), {"input_size": (64, 96), "images": 4}
    costs = configuration_costs(backbone="mobilenet_v2", method=name, settings=settings, tiles=3, **size)
    once = configuration_costs(backbone="mobilenet_v2", method=name, settings=settings, **size)
    assert [part.macs for part in costs.parts] == [
        pytest.approx(3 * part.macs, rel=1e-9) for part in once.parts
    ] or method.planned_at_most
    assert costs.parts[0].bytes == once.parts[0].bytes
    assert costs.training.cache_bytes == 3 * once.training.cache_bytes
    assert costs.training.backbone_macs == 3 * once.training.backbone_macs
    planned = method.planned_parts(method.shapes_)
    assert [(part.bytes, 3 * part.macs) for part in planned] == [(part.bytes, part.macs) for part in costs.parts[1:]]
    if not method.planned_at_most:
        assert method.parts() == planned


def test_tiles_are_one_or_more():
    with pytest.raises(ConfigurationError, match="tiles must be at least 1, not 0"):
        configuration_costs(backbone="mobilenet_v2", method="padim", tiles=0)


def test_features_of_turned_photographs_are_kept_too():
    plain, turned = (
        configuration_costs(backbone="mobilenet_v2", method="patchcore", settings={"rotations": rotations}).training
        for rotations in (1, 4)
    )
    assert turned.cache_bytes == 4 * plain.cache_bytes
    assert turned.backbone_macs == 4 * plain.backbone_macs
    assert turned.items[0].bytes == turned.cache_bytes


def test_photographs_with_defects_are_kept_while_each_member_of_a_jury_is_fitted():
    def kept(method, members=""):
        settings = {"members": members} if members else {"photographs": 50}
        costs = configuration_costs(backbone="mobilenet_v2", layers="3,6,10", method=method, settings=settings)
        return {item.name: item.bytes for item in costs.training.items}

    alone, jury = kept("pasted"), kept("jury", "patchcore + pasted:photographs=50")
    assert alone["features of pasted defects"] == 50 * 4 * (24 * 56**2 + 32 * 28**2 + 64 * 14**2)
    for name in ("features of pasted defects", "where the defects are"):
        assert jury[name] == alone[name]
    assert "coreset selection" in jury  # of PatchCore, which takes most
    assert "where the defects are" not in kept("jury", "padim + patchcore")
