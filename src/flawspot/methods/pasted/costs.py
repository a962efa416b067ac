"""The costs of the network for pasted defects: memory, computation and training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flawspot.backbones.macs import module_bytes
from flawspot.methods.costs import FLOAT, FittingCosts, MemoryItem
from flawspot.methods.pasted.network import DefectNetwork, network_macs
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import upsampling_part
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.pasted.method import Pasted

NETWORK = "network"
_KEPT = 6
"""Numbers per cell and channel that autograd keeps for each block: of ReLU, two convolutions and a batch norm."""


def planned_network(method: Pasted, shapes: Shapes) -> DefectNetwork:
    """The network as it is shipped, without numbers."""
    with torch.device("meta"):
        return DefectNetwork(shapes, method.width, method.blocks, norm=False).eval()


def parts(method: Pasted, shapes: Shapes) -> list[Part]:
    """The network, the matrices that resize its taps to the finest grid, and the smoothing."""
    network = planned_network(method, shapes)
    macs = network_macs(shapes, method.width, method.blocks)
    return [Part(NETWORK, module_bytes(network), macs), upsampling_part(shapes.grid, shapes.input_size)]


def fitting(method: Pasted, shapes: Shapes) -> FittingCosts:
    """The costs of training."""
    one = sum(channels * height * width for channels, height, width in shapes.maps.values())
    step = method.batch_size + max(method.batch_size // 4, 1)
    cells = shapes.positions * method.width
    macs = network_macs(shapes, method.width, method.blocks)
    return FittingCosts(
        items=(
            MemoryItem("a step's features", 3 * FLOAT * step * one),
            MemoryItem("kept by autograd", FLOAT * step * cells * (_KEPT * method.blocks + 2 * len(shapes.taps) + 2)),
        ),
        forward_macs=macs,
        backward_input_macs=macs,
        backward_weight_macs=macs,
        epochs=max(round(method.epochs * method.photographs / max(shapes.images, 1)), 1),
        batch_size=method.batch_size,
    )
