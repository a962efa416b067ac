"""Both ways of naming MobileNetV2's tensors come to the same block list."""

import torch
from torch import Tensor, nn

from flawspot.backbones.block_list import load_strictly
from flawspot.backbones.mobilenet_v2 import mobilenet_v2, rename


def flat_name(name: str) -> str:
    """torchvision's nested name -> tonylins' flat one (``features.2.conv.0.1.x`` -> ``features.2.conv.1.x``)."""
    parts = name.split(".")
    if parts[2:3] != ["conv"]:
        return name
    block, rest = parts[1], ".".join(parts[3:])
    table = {"1": {"0.0": "0", "0.1": "1", "1": "3", "2": "4"}}.get(
        block, {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4", "2": "6", "3": "7"}
    )
    place = next(p for p in sorted(table, key=len, reverse=True) if rest.startswith(p + "."))
    return f"features.{block}.conv.{table[place]}.{rest[len(place) + 1 :]}"


def checkpoint() -> dict[str, Tensor]:
    torch.manual_seed(0)
    tensors = {
        f"features.{n}": torch.randn_like(t.float()) for n, t in nn.ModuleList(mobilenet_v2()).state_dict().items()
    }
    return {**tensors, "classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}


def test_torchvision_names() -> None:
    tensors = checkpoint()
    blocks = nn.ModuleList(mobilenet_v2())
    load_strictly(blocks, rename(tensors), source="torchvision")
    assert torch.equal(blocks.state_dict()["5.conv.1.0.weight"], tensors["features.5.conv.1.0.weight"])


def test_flat_names_give_the_same() -> None:
    tensors = checkpoint()
    flat = {flat_name(name): tensor for name, tensor in tensors.items()}
    assert "features.2.conv.7.weight" in flat
    assert rename(flat).keys() == rename(tensors).keys()
    for name, tensor in rename(flat).items():
        assert torch.equal(tensor, rename(tensors)[name])
