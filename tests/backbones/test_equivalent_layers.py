"""The rule behind the group `equiv`, against the figures of the PaSTe paper, section 4.5 and Table 1."""

import pytest

from flawspot.backbones.equivalent_layers import equivalent_layers
from flawspot.backbones.layer_groups import equivalent, resolve
from flawspot.backbones.registry import families, family
from flawspot.errors import ConfigurationError

REFERENCE = "wide_resnet50_2"


def test_mobilenet_v2_as_in_the_paper() -> None:
    assert resolve("mobilenet_v2", f"equiv:{REFERENCE}") == (3, 8, 14)
    found = equivalent_layers("mobilenet_v2", REFERENCE)
    # The paper prints 43.78 for the second: its counter adds the batch norms' parameters.
    assert found.macs == pytest.approx((25.31, 43.785, 75.28), abs=0.006)
    assert found.reference_macs == pytest.approx((18.39, 43.64, 80.61), abs=0.005)


@pytest.mark.parametrize("name", ["mcunet_in3", "micronet_m1", "mobilenet_v2"])
def test_the_rule_gives_table_1(name: str) -> None:
    assert equivalent_layers(name, REFERENCE).taps == family(name).layer_groups["equiv"]


def test_where_the_paper_departs_from_the_rule() -> None:
    assert equivalent_layers("phinet", REFERENCE).taps == (3, 5, 8)
    assert resolve("phinet", "equiv") == (2, 6, 7)


def test_what_is_nearest_by_macs_is_told_beside() -> None:
    found = equivalent_layers("mobilenet_v2", REFERENCE)
    assert found.nearest_by_macs == (2, 8, 15)
    for part in ("25.31 / 43.79 / 75.28", "18.39 / 43.64 / 80.61", "[3, 8, 14]", "[1, 2, 3]", "[2, 8, 15]"):
        assert part in str(found)


@pytest.mark.parametrize("name", families())
def test_every_backbone_stands_for_itself(name: str) -> None:
    assert equivalent_layers(name, name).taps == family(name).layer_groups["equiv"]


@pytest.mark.parametrize("name", families())
def test_every_backbone_has_three_layers_in_order(name: str) -> None:
    taps = equivalent_layers(name, REFERENCE).taps
    assert len(taps) == 3
    assert list(taps) == sorted(set(taps))


def test_other_layers_stand_for_nothing() -> None:
    assert equivalent("mobilenet_v2", "equiv") is None
    assert equivalent("mobilenet_v2", [3, 8, 14]) is None


def test_an_unknown_reference_lists_the_known() -> None:
    with pytest.raises(ConfigurationError, match="unknown backbone 'resnet': the known ones are"):
        resolve("mobilenet_v2", "equiv:resnet")
