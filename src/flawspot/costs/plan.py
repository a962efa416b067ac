"""A detector that has not been trained: everything about it that its costs follow from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.registry import create_method
from flawspot.runtime.manifest import Scalar


@dataclass(frozen=True)
class Plan:
    """A method on a backbone, without weights.

    Attributes:
        method: with its hyperparameters, not fitted.
        network: the backbone trimmed to its last tap, on torch's meta device: shapes and no numbers.
        taps: the layers that are compared.
        required: those and the others that the method asks for, ascending.
        shapes: {layer: (C, H, W)} of every required layer.
        input_size: side of the photographs in pixels.
        images: how many the method is fitted on.
    """

    method: Method
    network: BlockList
    taps: tuple[int, ...]
    required: tuple[int, ...]
    shapes: Mapping[int, tuple[int, int, int]]
    input_size: int
    images: int

    @property
    def backbone(self) -> str:
        """Its name."""
        return self.network.name

    @property
    def channels(self) -> int:
        """Of all taps together."""
        return sum(self.shapes[tap][0] for tap in self.taps)

    @property
    def grid(self) -> int:
        """The side of the finest tap's map."""
        return max(self.shapes[tap][1] for tap in self.taps)

    @property
    def positions(self) -> int:
        """P, of the finest tap's map."""
        return self.grid**2

    def input(self, batch: int = 1) -> Tensor:
        """Photographs for `network`: (B, 3, S, S), without numbers."""
        return torch.zeros(batch, 3, self.input_size, self.input_size, device="meta")

    def backbone_macs(self) -> int:
        """Multiply-accumulates of the trimmed backbone for one photograph."""
        return module_macs(self.network, self.input())


def make_plan(
    *,
    backbone: str,
    layers: str | Sequence[int] | None = None,
    method: str = "paste",
    settings: Mapping[str, Scalar] | None = None,
    input_size: int = 224,
    images: int = 200,
    seed: int = 0,
) -> Plan:
    """Put a plan together; the arguments are those of `configuration_costs`.

    Raises:
        ConfigurationError: an unknown backbone, layer group, method or setting, or a value out of its range.
    """
    if not 32 <= input_size <= 1024:
        raise ConfigurationError(f"input size {input_size} is out of range: give 32 to 1024 pixels, 224 as a rule")
    if images < 1:
        raise ConfigurationError(f"images must be at least 1, not {images}")
    chosen = create_method(method, settings, seed=seed)
    taps = resolve(backbone, chosen.default_layers if layers is None else layers)
    required = chosen.required(taps, backbone)
    with torch.device("meta"), torch.no_grad():
        network = create(backbone, required).frozen()
        outputs = network(torch.zeros(1, 3, input_size, input_size))
    shapes = {layer: (output.shape[1], output.shape[2], output.shape[3]) for layer, output in outputs.items()}
    return Plan(chosen, network, taps, required, shapes, input_size, images)
