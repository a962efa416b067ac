"""An untrained detector: everything that its costs depend on."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create
from flawspot.data.tolerances import Given, as_tolerance
from flawspot.errors import ConfigurationError
from flawspot.methods import DEFAULT_METHOD
from flawspot.methods.base import Method
from flawspot.methods.costs import BackboneCounts
from flawspot.methods.registry import create_method
from flawspot.methods.shapes import Shapes, Size, as_size, check_input_size, check_precision
from flawspot.runtime.manifest import Scalar


@dataclass(frozen=True)
class Plan:
    """A method on a backbone, without weights.

    Attributes:
        method: with its hyperparameters, not fitted.
        network: the backbone trimmed to its last tap, on torch's meta device, which has shapes but no numbers.
        required: the taps and other layers that the method needs, ascending.
        shapes: shapes of all these layers; for tiles, of one tile.
        precision: number format of the networks.
    """

    method: Method
    network: BlockList
    required: tuple[int, ...]
    shapes: Shapes
    precision: str = "float32"

    @functools.cached_property
    def backbone(self) -> BackboneCounts:
        """What the trimmed backbone stores, and computes for one photograph or tile."""
        parameters = sum(p.numel() for p in self.network.parameters())
        statistics = sum(b.numel() for b in self.network.buffers() if b.is_floating_point())
        macs = module_macs(self.network, torch.zeros(1, 3, *self.shapes.input_size, device="meta"))
        return BackboneCounts(parameters, parameters + statistics, macs)


def make_plan(
    *,
    backbone: str,
    layers: str | Sequence[int] | None = None,
    method: str = DEFAULT_METHOD,
    settings: Mapping[str, Scalar] | None = None,
    input_size: int | Size = 224,
    tiles: int = 1,
    images: int = 200,
    seed: int = 0,
    precision: str = "float32",
    tolerate: Given = None,
) -> Plan:
    """Make a plan. The arguments are those of `configuration_costs`.

    Raises:
        ConfigurationError: an unknown backbone, layer group, method, setting, precision or corruption, or a value
            out of its range.
    """
    check_input_size(input_size)
    check_precision(precision)
    if images < 1:
        raise ConfigurationError(f"images must be at least 1, not {images}")
    if tiles < 1:
        raise ConfigurationError(f"tiles must be at least 1, not {tiles}")
    size = as_size(input_size)
    chosen = create_method(method, settings, seed=seed, precision=precision)
    taps = resolve(backbone, chosen.default_layers if layers is None else layers)
    required = chosen.required(taps, backbone)
    with torch.device("meta"):
        network = create(backbone, required).frozen()
    tolerance = as_tolerance(tolerate)
    copies = 0 if tolerance is None else tolerance.copies
    shapes = Shapes(backbone, taps, network.shapes(size), size, images * (1 + copies) * tiles, tiles, copies)
    return Plan(chosen, network, required, shapes, precision)
