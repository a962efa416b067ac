"""What training a detector takes: multiply-accumulates and memory.

Memory by two rules. The paper's counts the outputs of trained convolutions and batch norms, value and gradient, for one
image. The better one counts what is there at the peak: the cached features, one batch, what autograd keeps of it, the
gradients on their way, weights with their gradients and the optimizer's state. Neither holds Python, torch and ONNX
Runtime themselves, nor the scratch memory of single operations; `flawspot costs --measure` measures those too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from flawspot.methods.costs import MemoryItem


@dataclass(frozen=True)
class TrainingCosts:
    """What fitting takes. Every method first runs the backbone once over each image, tile by tile where it is cut.

    Attributes:
        backbone_macs: of that, for one image; for each way it is turned, where the method learns from turned ones.
        forward_macs, backward_input_macs, backward_weight_macs: for one image and epoch: of what is trained, forward,
            for gradients with respect to inputs, and to weights. Zero for methods that train nothing by gradients.
        epochs: how often each image is seen; 0 likewise.
        batch_size: images in a step, or tiles of them; 0 likewise.
        cached_layers: whose outputs are kept for every image, -1 for the photograph itself.
        cache_bytes: of these at float32, of turned images too.
        ram_paper: by the paper's rule; None for methods that train nothing by gradients.
        ram: by the better rule; the sum of `items`.
        items: what that consists of.
        selection_macs: for one image, at most, of choosing what is stored; 0 for methods that choose nothing.
        copies: varied ones of each photograph that are learned from too. Each counts as an image here, is kept, and
            goes through the backbone once.
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
        """Bytes at the peak."""
        return sum(item.bytes for item in self.items)

    @property
    def macs(self) -> int:
        """For one image and epoch."""
        return self.forward_macs + self.backward_input_macs + self.backward_weight_macs

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "macs": self.macs, "ram": self.ram}
