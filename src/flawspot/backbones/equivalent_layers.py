"""The equivalents of one backbone's taps among another's layers: the rule behind the group ``equiv``.

The PaSTe paper (arXiv 2410.11591, section 4.5) calls layers of two backbones equivalent if they are at the same
percentage of the network's multiply-accumulates. It prints 25.31, 43.78 and 75.28 % for MobileNetV2's [3, 8, 14]
against 18.39, 43.64 and 80.61 % for WideResNet-50-2. But [2, 8, 15], at 16.72, 43.79 and 80.45 %, are nearer. For the
other three backbones of its Table 1, the nearest layers are even further from the listed ones.

Of the rules that were tried, one gives the paper's layers for MobileNetV2 and most of the others: the nearest share of
the *parameters*, as a ratio. A last block of only 1x1 convolutions is left out, since it merely widens the features for
the classifier. The rule yields Table 1's groups of MobileNetV2, MCUNet and MicroNet, and for PhiNet [3, 5, 8] where the
paper has [2, 6, 7]. This rule is used here. The percentages of multiply-accumulates, and the layers nearest by them,
are reported too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from flawspot.backbones.layer_costs import LayerCost, layer_costs
from flawspot.backbones.registry import family
from flawspot.errors import ConfigurationError

GROUP = "equiv"
"""The group of the reference's own taps: [1, 2, 3] for WideResNet-50-2, those of Table 1 for the others."""


@dataclass(frozen=True)
class Equivalent:
    """The layers of a backbone that are equivalent to a reference's, and how close they are.

    Attributes:
        backbone, reference: names.
        taps, reference_taps: indices. The n-th tap is equivalent to the n-th reference tap.
        parameters, reference_parameters: share of the parameters up to each tap, in percent, without a last block of
            1x1 convolutions. The taps are chosen by it.
        macs, reference_macs: share of all multiply-accumulates up to each tap, in percent.
        nearest_by_macs: the layers that are nearest by multiply-accumulates, each chosen separately.
    """

    backbone: str
    reference: str
    taps: tuple[int, ...]
    reference_taps: tuple[int, ...]
    parameters: tuple[float, ...]
    reference_parameters: tuple[float, ...]
    macs: tuple[float, ...]
    reference_macs: tuple[float, ...]
    nearest_by_macs: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"{self.backbone} {list(self.taps)} stand for {self.reference} {list(self.reference_taps)}: "
            f"{_percents(self.parameters)} % of the parameters for {_percents(self.reference_parameters)}, "
            f"{_percents(self.macs)} % of the MACs for {_percents(self.reference_macs)} "
            f"(nearest by MACs: {list(self.nearest_by_macs)})"
        )


def equivalent_layers(backbone: str, reference: str, input_size: int = 224) -> Equivalent:
    """Find the layers of `backbone` that are equivalent to the taps of `reference`, its group ``equiv``.

    Args:
        backbone, reference: names of backbones.
        input_size: side of the photographs for the percentages of MACs. The taps do not depend on it.

    Raises:
        ConfigurationError: an unknown backbone, or one with too few layers.
    """
    theirs = family(reference).layer_groups[GROUP]
    layers, reference_layers = layer_costs(backbone, input_size), layer_costs(reference, input_size)
    shares, reference_shares = _parameter_shares(backbone, layers), _parameter_shares(reference, reference_layers)
    wanted = [reference_shares[tap] for tap in theirs]
    candidates = [index for index, share in enumerate(shares) if share > 0]  # padding is not a layer to tap
    if len(candidates) < len(wanted):
        raise ConfigurationError(f"{backbone} has too few layers to stand for those of {reference}: name its layers")
    taps = min(
        itertools.combinations(candidates, len(wanted)),
        key=lambda chosen: sum(math.log(shares[i] / share) ** 2 for i, share in zip(chosen, wanted, strict=True)),
    )
    reference_macs = tuple(reference_layers[tap].percent for tap in theirs)
    return Equivalent(
        backbone=backbone,
        reference=reference,
        taps=taps,
        reference_taps=theirs,
        parameters=tuple(shares[tap] for tap in taps),
        reference_parameters=tuple(wanted),
        macs=tuple(layers[tap].percent for tap in taps),
        reference_macs=reference_macs,
        nearest_by_macs=tuple(
            min(layers, key=lambda layer: abs(layer.percent - percent)).index for percent in reference_macs
        ),
    )


def _parameter_shares(backbone: str, layers: Sequence[LayerCost]) -> list[float]:
    """Percent of the parameters up to each layer, without a last block that only widens."""
    with torch.device("meta"):
        last = family(backbone).build()[-1]
    kernels = [m.kernel_size for m in last.modules() if isinstance(m, nn.Conv2d)]
    trunk = layers[:-1] if all(kernel == (1, 1) for kernel in kernels) else layers
    return [100 * layer.parameters_so_far / trunk[-1].parameters_so_far for layer in trunk]


def _percents(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)
