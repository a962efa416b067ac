"""Costs by layer at the backbone's own size too."""

import json
from pathlib import Path

import pytest

from flawspot.backbones.layer_costs import layer_costs
from flawspot.errors import ConfigurationError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "backbones.json").read_text())["backbones"]


@pytest.mark.parametrize(("name", "key", "size"), [("mcunet_in3", "costs_at_176", 176), ("phinet", "costs", 224)])
def test_equal_to_the_reference(name: str, key: str, size: int) -> None:
    for layer, entry in zip(layer_costs(name, size), REFERENCE[name][key], strict=True):
        assert (layer.macs, layer.macs_so_far) == (entry["macs"], entry["cum"])
        assert (layer.parameters, layer.parameters_so_far) == (entry["params"], entry["cumparams"])
        assert list(layer.shape) == entry["out"]


def test_the_heavy_reference_of_the_paper() -> None:
    percents = [round(layer.percent, 2) for layer in layer_costs("wide_resnet50_2")]
    assert percents[1:4] == [18.39, 43.64, 80.61]


def test_an_unknown_backbone() -> None:
    with pytest.raises(ConfigurationError, match="the known ones are"):
        layer_costs("resnet")
