"""What training a detector takes: multiply-accumulates and memory.

Memory is counted in two ways. The paper's counts the outputs of trained convolutions and batch norms, values and
gradients, for one image. The better one counts what is held at the peak: the cached features, one batch, the tensors
that autograd keeps, current gradients, weights with their gradients, and the optimizer's state. Neither includes
Python, torch and ONNX Runtime themselves, nor the scratch memory of single operations. `flawspot costs --measure`
measures those too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from flawspot.methods.costs import MemoryItem


@dataclass(frozen=True)
class TrainingCosts:
    """The costs of fitting. Every method first runs the backbone once over each image, tile by tile if it is cut.

    Attributes:
        backbone_macs: multiply-accumulates of that, for one image; including each rotation, if the method learns from
            rotated ones.
        forward_macs, backward_input_macs, backward_weight_macs: multiply-accumulates of the trained part for one image
            and epoch: forward, for gradients with respect to inputs, and to weights. Zero for methods without
            gradients.
        epochs: how often each image is used; 0 for methods without gradients.
        batch_size: images, or tiles, in a step; 0 for methods without gradients.
        cached_layers: layers whose outputs are kept for every image; -1 is the photograph itself.
        cache_bytes: bytes of these at float32, rotated images included.
        ram_paper: memory as the paper counts; None for methods without gradients.
        ram: memory in the better way; the sum of `items`.
        items: the items of that memory.
        selection_macs: the most multiply-accumulates for one image to choose what is stored; 0 for methods that choose
            nothing.
        copies: number of varied copies of each photograph that are learned from. Each counts as an image here, is kept,
            and passes the backbone once.
    """

    backbone_macs: int
    forward_macs: int
    backward_input_macs: int
    backward_weight_macs: int
    epochs: int
    batch_size: int
    cached_layers: tuple[int, ...]
    cache_bytes: int
    ram_paper: int | None
    items: tuple[MemoryItem, ...]
    selection_macs: int = 0
    copies: int = 0

    @property
    def ram(self) -> int:
        """Bytes at the peak, in the better way."""
        return sum(item.bytes for item in self.items)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image and epoch."""
        return self.forward_macs + self.backward_input_macs + self.backward_weight_macs

    def as_dict(self) -> dict[str, Any]:
        """The costs as plain values for JSON."""
        return {**dataclasses.asdict(self), "macs": self.macs, "ram": self.ram}
