"""Every registered backbone against independent figures: outputs, parameters, multiply-accumulates."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flawspot.backbones.block_list import load_strictly
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create, create_pretrained, families, family
from flawspot.backbones.weights import find
from flawspot.errors import ConfigurationError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "backbones.json").read_text())["backbones"]
BACKBONES = list(families())


def golden_input() -> Tensor:
    """As the reference's "input" says."""
    x = 2 * torch.sin(torch.arange(3 * 224 * 224, dtype=torch.float64) * 0.01)
    return x.float().reshape(1, 3, 224, 224)


def torchvision_name(name: str) -> str:
    """The published name of a tensor of WideResNet-50-2."""
    first, rest = name.split(".", 1)
    return rest if first == "1" else {"0": "conv1", "2": "layer2", "3": "layer3", "4": "layer4"}[first] + "." + rest


# How tensors are called in the published checkpoint, and which of it a block list lacks: the numbering needs both.
PUBLISHED: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "mobilenet_v2": ("features.{}".format, ["classifier.1.weight", "classifier.1.bias"]),
    "wide_resnet50_2": (torchvision_name, ["fc.weight", "fc.bias"]),
    "phinet": ("_layers.{}".format, ["classifier.2.weight", "classifier.2.bias"]),
    "micronet_m1": (
        "features.{}".format,
        [n for n in REFERENCE["micronet_m1"]["checkpoint"] if n.startswith("classifier.") and "num_batches" not in n],
    ),
}


def fill(blocks: nn.Module, name: str) -> None:
    """As the reference's "synthetic_fill" says: the n-th tensor in the order of names gets a sine of its own phase."""
    published, others = PUBLISHED[name]
    own = {published(n): t for n, t in blocks.state_dict().items() if t.is_floating_point()}
    for number, tensor_name in enumerate(sorted([*own, *others])):
        if tensor_name not in own:
            continue
        tensor = own[tensor_name]
        a = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.37 + number).reshape(tensor.shape)
        if tensor_name.endswith("running_var"):
            a = 1 + 0.5 * a * a
        elif tensor.ndim == 1:
            a = 1 + 0.1 * a if tensor_name.endswith(".weight") else 0.1 * a
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


@pytest.mark.parametrize("name", [n for n in BACKBONES if "synthetic" in REFERENCE[n]])
def test_every_output_with_synthetic_weights(name: str) -> None:
    network = create(name, range(family(name).last + 1)).frozen()
    fill(network.blocks, name)
    check_outputs(network(golden_input()), REFERENCE[name]["synthetic"])


@pytest.mark.parametrize("name", [n for n in BACKBONES if "checkpoint" in REFERENCE[n]])
def test_published_checkpoints_load_strictly(name: str) -> None:
    """Names and shapes of the official files, which are not at hand."""
    tensors = {n: torch.zeros(shape) for n, shape in REFERENCE[name]["checkpoint"].items()}
    load_strictly(nn.ModuleList(family(name).build()), family(name).rename(tensors), source=name)


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in BACKBONES if "pretrained" in REFERENCE[n]])
def test_every_output_with_pretrained_weights(name: str) -> None:
    reference = REFERENCE[name]["pretrained"]
    if find(name, family(name).weights, reference["weights"]) is None:
        pytest.skip(f"no weights: flawspot weights pull {name} --weights {reference['weights']}")
    network, loaded = create_pretrained(name, range(family(name).last + 1), reference["weights"])
    assert loaded.name == reference["weights"]
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


TABLE_1 = {
    "phinet": [(4, 5, 6), (5, 6, 7), (6, 7, 8), (2, 6, 7), (5, 6, 7)],
    "micronet_m1": [(1, 2, 3), (2, 3, 4), (3, 4, 5), (2, 4, 5), (3, 4, 5)],
    "mcunet_in3": [(3, 6, 9), (6, 9, 12), (9, 12, 15), (2, 6, 14), (6, 10, 14)],
    "mobilenet_v2": [(4, 7, 10), (7, 10, 13), (10, 13, 16), (3, 8, 14), (7, 10, 14)],
}


@pytest.mark.parametrize("name", TABLE_1)
def test_table_1_of_the_paste_paper(name: str) -> None:
    groups = dict(zip(("low", "mid", "high", "equiv", "paste"), TABLE_1[name], strict=True))
    assert family(name).layer_groups == groups


@pytest.mark.parametrize("text", ["3,8,14", "3 8 14", "[3, 8, 14]", "(3,8,14)"])
def test_layers_as_a_list(text: str) -> None:
    assert resolve("mobilenet_v2", text) == (3, 8, 14)
    assert resolve("mobilenet_v2", [3, 8, 14]) == (3, 8, 14)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.grid(3)
def test_stages_are_a_quarter_an_eighth_and_a_sixteenth(name: str) -> None:
    found = resolve(name, "stages")
    with torch.device("meta"):
        shapes = create(name, found).shapes((224, 224))
    sides = [shapes[layer][1] for layer in found]
    assert sides == [side for side in (56, 28, 14) if side in sides]
    assert sides
    assert name != "mobilenet_v2" or found == (3, 6, 10)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("deep", "low, mid, high, equiv, paste, stages"),
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


@pytest.mark.parametrize("name", BACKBONES)
def test_a_layer_beyond_the_last_says_the_range(name: str) -> None:
    last = family(name).last
    for beyond in (last + 1, 99):
        for refused in (create, resolve):
            with pytest.raises(ConfigurationError, match=f"{name} has no layer {beyond}: its layers are 0 to {last}"):
                refused(name, [1, beyond])


def test_an_unknown_backbone_lists_the_known() -> None:
    with pytest.raises(ConfigurationError, match="mobilenet_v2"):
        create("mobilenet_v9", [1])
