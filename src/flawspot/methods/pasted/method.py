"""Pasted: a small network on the frozen backbone's features that learns the appearance of defects from pasted ones.

Good photographs get defects of many kinds (`flawspot.data.varied_defects`), and the network learns which cells they
cover: a segmentation with the focal loss (Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 4).
Learning real defects from pasted ones is from CutPaste (Li et al., CVPR 2021) and DRAEM (Zavrtanik et al., ICCV 2021);
learning on frozen features with noise is from SimpleNet (Liu et al., CVPR 2023). The network, its size and the defects
are our own.

It knows only what it was shown, and misses real defects that resemble no pasted one. It works best together with a
method that measures how far features are from good ones (`flawspot.methods.jury`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.layer_groups import STAGES
from flawspot.errors import DataError
from flawspot.methods.base import Method
from flawspot.methods.costs import FittingCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.pasted import costs
from flawspot.methods.pasted.learning import Schedule, learn
from flawspot.methods.pasted.network import DefectNetwork
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import Upsample
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar


@method
@dataclass(kw_only=True)
class Pasted(Method):
    """A network that has learned pasted defects.

        >>> flawspot.Pasted(photographs=200).width
        32

    Attributes:
        photographs: number of good photographs, or tiles, that get defects; each gets one to four.
        width: channels of the network.
        blocks: number of residual blocks.
        epochs: how often each of `photographs` is used.
        batch_size: photographs with defects in a step, which also has a quarter as many good ones.
        learning_rate: highest learning rate of AdamW.
        noise: standard deviation of the noise on features during training, in their own deviations; it stands for the
            variation beyond the few training photographs.
        sigma: standard deviation of the Gaussian over the map, in pixels of 224.
        network_: the trained network, without batch norms.
    """

    name: ClassVar[str] = "pasted"
    source: ClassVar[str] = "flawspot, after CutPaste (arXiv 2104.04015) and SimpleNet (arXiv 2303.15140)"
    default_layers: ClassVar[str] = STAGES
    shortest_fit: ClassVar[Mapping[str, Scalar]] = {"epochs": 1}

    photographs: int = setting(400, low=8, high=20_000)
    width: int = setting(32, low=4, high=256)
    blocks: int = setting(2, low=0, high=8)
    epochs: int = setting(5, low=1)
    batch_size: int = setting(12, low=2)
    learning_rate: float = setting(3e-3, above=0)
    noise: float = setting(0.15, low=0)
    sigma: float = setting(2.0, low=0, high=224)

    network_: DefectNetwork = field(init=False, repr=False)

    def pasted_photographs(self) -> int:
        """The number of photographs that it learns from."""
        return self.photographs

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Learn to separate cells covered by a defect from the others."""
        self.shapes_ = features.shapes
        if features.pasted is None or not len(features.pasted.features):
            raise DataError(
                f"{self.name} learns from good photographs with pasted defects, and there are none: give more"
            )
        features.check_inside()
        schedule = Schedule(self.epochs, self.batch_size, self.learning_rate, self.noise, self.seed)
        network = DefectNetwork(self.shapes_, self.width, self.blocks)
        self.network_ = learn(network, features, features.pasted, schedule, progress)
        return self

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """An empty state: an update does not change the network."""
        return {}

    def head(self) -> nn.Module:
        """The network and the smoothing. The image score is the map's maximum."""
        return PastedHead(self)

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The network and the smoothing."""
        return costs.parts(self, shapes)

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The network."""
        return {costs.NETWORK: costs.planned_network(self, shapes)}

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """The costs of a step. Those of the photographs with defects are counted for every method elsewhere."""
        return costs.fitting(self, shapes)


class PastedHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    def __init__(self, fitted: Pasted) -> None:
        super().__init__()
        shapes = fitted.shapes_
        self.network = fitted.network_
        self.upsample = Upsample(shapes.grid, shapes.input_size, fitted.sigma)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,): the smoothed logits as ``log(1 + exp(logit))``, that is,
        the surprise at a defect-like place, in nats. It neither saturates nor falls below zero."""
        anomaly_map = F.softplus(self.upsample(self.network(maps, inside), inside))
        if inside is not None:
            anomaly_map = anomaly_map * inside
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
