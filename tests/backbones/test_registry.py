"""Every registered backbone against independent figures: outputs, parameters, multiply-accumulates."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create, create_pretrained, families, family
from flawspot.backbones.weights import find
from flawspot.costs.macs import module_macs
from flawspot.errors import ConfigurationError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "backbones.json").read_text())
BACKBONES = list(families())


def golden_input() -> Tensor:
    """REFERENCE["input"]."""
    x = 2 * torch.sin(torch.arange(3 * 224 * 224, dtype=torch.float64) * 0.01)
    return x.float().reshape(1, 3, 224, 224)


def fill(blocks: nn.Module, prefix: str, others: dict[str, tuple[int, ...]]) -> None:
    """REFERENCE["synthetic_fill"]: the n-th tensor in the order of names gets a sine of its own phase.

    `others` are the tensors of the full network that the block list lacks, with their shapes: they take part in the
    numbering.
    """
    own = {prefix + n: t for n, t in blocks.state_dict().items() if t.is_floating_point()}
    for number, name in enumerate(sorted([*own, *others])):
        if name not in own:
            continue
        tensor = own[name]
        a = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.37 + number).reshape(tensor.shape)
        if name.endswith("running_var"):
            a = 1 + 0.5 * a * a
        elif tensor.ndim == 1:
            a = 1 + 0.1 * a if name.endswith(".weight") else 0.1 * a
        else:
            a = a * math.sqrt(2 / tensor[0].numel())
        tensor.copy_(a)


def check_outputs(outputs: dict[int, Tensor], expected: list[dict[str, Any]]) -> None:
    assert sorted(outputs) == [entry["idx"] for entry in expected]
    for entry in expected:
        output = outputs[entry["idx"]]
        assert list(output.shape) == entry["shape"]
        figures = {"mean": output.mean(), "std": output.std(), "absmax": output.abs().max()}
        for name, value in figures.items():
            assert value.item() == pytest.approx(entry[name], rel=1e-3, abs=1e-6), (entry["idx"], name)
        first = output.flatten()[:5].tolist()
        assert first == pytest.approx(entry["first5"], rel=1e-3, abs=1e-3 * entry["absmax"])


# The classifiers that the block lists leave out: name -> shape.
CLASSIFIERS: dict[str, dict[str, tuple[int, ...]]] = {
    "mobilenet_v2": {"classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}
}
PREFIXES = {"mobilenet_v2": "features."}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_output_with_synthetic_weights(name: str) -> None:
    known = family(name)
    network = create(name, range(known.last + 1)).frozen()
    fill(network.blocks, PREFIXES[name], CLASSIFIERS[name])
    check_outputs(network(golden_input()), REFERENCE[name]["synthetic"])


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in BACKBONES if "pretrained" in REFERENCE.get(n, {})])
def test_every_output_with_pretrained_weights(name: str) -> None:
    reference = REFERENCE[name]["pretrained"]
    if find(name, family(name).weights, reference["weights"]) is None:
        pytest.skip(f"no weights: flawspot weights pull {name} --weights {reference['weights']}")
    network, file = create_pretrained(name, range(family(name).last + 1), reference["weights"])
    assert file.name == reference["weights"]
    check_outputs(network(golden_input()), reference["outputs"])


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_and_macs_of_every_block(name: str) -> None:
    x = torch.zeros(1, 3, 224, 224)
    for block, entry in zip(family(name).build(), REFERENCE[name]["costs"], strict=True):
        block.eval()
        assert sum(p.numel() for p in block.parameters()) == entry["params"]
        assert module_macs(block, x) == entry["macs"]
        with torch.no_grad():
            x = block(x)
        assert list(x.shape[1:]) == entry["out"]


@pytest.mark.parametrize("name", BACKBONES)
def test_layer_groups_are_taps_of_the_backbone(name: str) -> None:
    known = family(name)
    assert known.last == len(known.build()) - 1
    for group, taps in known.layer_groups.items():
        assert create(name, taps).taps == taps == resolve(name, group)
    assert known.shared_until == known.layer_groups["paste"][0] - 1


def test_table_1_of_the_paste_paper() -> None:
    groups = family("mobilenet_v2").layer_groups
    assert groups == {
        "low": (4, 7, 10),
        "mid": (7, 10, 13),
        "high": (10, 13, 16),
        "equiv": (3, 8, 14),
        "paste": (7, 10, 14),
    }


@pytest.mark.parametrize("text", ["3,8,14", "3 8 14", "[3, 8, 14]", "(3,8,14)"])
def test_layers_as_a_list(text: str) -> None:
    assert resolve("mobilenet_v2", text) == (3, 8, 14)
    assert resolve("mobilenet_v2", [3, 8, 14]) == (3, 8, 14)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("deep", "low, mid, high, equiv, paste"),
        ("3,x", "unknown layers"),
        ("", "no layers"),
        ("3,19", "its layers are 0 to 18"),
        ([-1, 3], "its layers are 0 to 18"),
        ("8,3", "write 3, 8"),
    ],
)
def test_wrong_layers_are_refused_with_the_cure(layers: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        resolve("mobilenet_v2", layers)


def test_an_unknown_backbone_lists_the_known() -> None:
    with pytest.raises(ConfigurationError, match="mobilenet_v2"):
        create("mobilenet_v9", [1])
