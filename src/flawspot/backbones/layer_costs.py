"""The costs of each layer of a backbone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch

from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import family


@dataclass(frozen=True)
class LayerCost:
    """One layer of a backbone.

    Attributes:
        index: as in Table 1 of the PaSTe paper.
        shape: (C, H, W) of its output.
        macs: multiply-accumulates of its convolutions and linear layers for one image.
        macs_so_far: multiply-accumulates including all layers before it.
        parameters, parameters_so_far: number of parameters, and the same including all layers before it.
        percent: `macs_so_far` in percent of the whole feature extractor without classifier.
    """

    index: int
    shape: tuple[int, int, int]
    macs: int
    macs_so_far: int
    parameters: int
    parameters_so_far: int
    percent: float

    def as_dict(self) -> dict[str, Any]:
        """The costs as plain values for JSON."""
        return dataclasses.asdict(self)


def layer_costs(backbone: str, input_size: int = 224) -> list[LayerCost]:
    """Count every layer of `backbone` on photographs of `input_size` x `input_size`; no weights are needed.

    Raises:
        ConfigurationError: an unknown backbone.
    """
    # Only shapes matter, so nothing is allocated or computed.
    with torch.device("meta"):
        x = torch.zeros(1, 3, input_size, input_size)
        blocks = family(backbone).build()
    shapes, macs, parameters = [], [], []
    for block in blocks:
        block.eval()
        macs.append(module_macs(block, x))
        parameters.append(sum(p.numel() for p in block.parameters()))
        with torch.no_grad():
            x = block(x)
        shapes.append((x.shape[1], x.shape[2], x.shape[3]))
    return [
        LayerCost(
            index=index,
            shape=shape,
            macs=macs[index],
            macs_so_far=sum(macs[: index + 1]),
            parameters=parameters[index],
            parameters_so_far=sum(parameters[: index + 1]),
            percent=100 * sum(macs[: index + 1]) / sum(macs),
        )
        for index, shape in enumerate(shapes)
    ]
