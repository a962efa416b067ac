"""CFA (Lee et al., CFA: Coupled-hypersphere-based Feature Adaptation, IEEE Access 2022; arXiv 2206.04325).

A linear patch descriptor phi is trained so that the features of good images are within a radius r of memorized centres.
With d_k the k-th smallest squared distance of phi(p) to the centres, the coupled-hypersphere loss is L_att + L_rep,

    L_att = mean over patches and k <= K of max(0, d_k - r^2) / nu
    L_rep = mean over patches and K < k <= K + J of max(0, r^2 - d_k - alpha) / nu

and the anomaly of a patch is its smallest distance times its certainty, ``softmin(d)_1 * d_1`` over the K smallest
distances, not squared. If only a part of the photographs is inspected, patches are those inside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError, DataError
from flawspot.methods.base import Method, training_device
from flawspot.methods.cfa import costs
from flawspot.methods.cfa.centres import NearestCentres
from flawspot.methods.cfa.descriptor import Descriptor
from flawspot.methods.cfa.training import Course, descend, pooled_maps, trained_arrays
from flawspot.methods.cfa.updating import CENTRES, FIRST, IMAGES, RADIUS
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import NOTHING_INSIDE, FeatureSet
from flawspot.methods.inside import Cells
from flawspot.methods.patches import pool
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import SIGMA, Upsample
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar


@method
@dataclass(kw_only=True)
class CFA(Method):
    """Distance to memorized centres in an adapted feature space.

        >>> flawspot.CFA(epochs=10).nearest
        3

    Attributes:
        nearest: K, number of nearest centres, which attract a patch (3 in the paper).
        repelled: J, number of the next centres, which repel it (3 in the paper).
        nu, alpha: parameters of the soft boundary, as in the paper.
        epochs: number of epochs; the last one is kept. The authors choose theirs on the test set, which is not
            available when a detector is trained. With a tolerance, the steps stay as many as they would be without
            varied copies; see `passes`.
        batch_size: images in a step.
        learning_rate, weight_decay: of AdamW with amsgrad, as in the authors' implementation.
        precision: precision of the stored centres, ``float32`` or ``float16``.
        sigma: standard deviation of the Gaussian over the map, in pixels of 224.
        descriptor_: the trained descriptor.
        centres_: (M, C): the mean descriptor at each position, before training, over the images in which the position
            is inspected. M is P, or less if some positions are never inspected.
        images_: (P,) number of these images.
        radius_: the trained r.
    """

    name: ClassVar[str] = "cfa"
    source: ClassVar[str] = "Lee et al., IEEE Access 2022 (arXiv 2206.04325)"

    shortest_fit: ClassVar[Mapping[str, Scalar]] = {"epochs": 1}
    update_share: ClassVar[float] = 1 / 3
    """The share of the epochs for which an update trains the descriptor further."""
    int8_settings: ClassVar[Mapping[str, Scalar]] = {"precision": "float16"}

    nearest: int = setting(3, low=1)
    repelled: int = setting(3, low=0)
    nu: float = setting(1e-3, above=0)
    alpha: float = setting(0.1, low=0)
    epochs: int = setting(30, low=1)
    batch_size: int = setting(4, low=1)
    learning_rate: float = setting(1e-3, above=0)
    weight_decay: float = setting(5e-4, low=0)
    precision: str = setting("float32", choices=["float32", "float16"])
    sigma: float = setting(SIGMA, low=0, high=224)

    descriptor_: Descriptor = field(init=False, repr=False)
    centres_: Tensor = field(init=False, repr=False)
    images_: NDArray[np.int64] = field(init=False, repr=False)
    radius_: float = field(init=False, repr=False)
    training_losses_: list[float] = field(init=False, repr=False)

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Memorize the centres, then train the descriptor on features that were computed and pooled once."""
        shapes = self.shapes_ = features.shapes
        self._check_positions(shapes.positions)
        device = training_device()
        descriptor = Descriptor(costs.levels(shapes), self.seed).to(device)
        pooled = pooled_maps(features)
        with torch.no_grad():
            if features.inside is None:
                # The descriptor is linear, so the mean of its outputs is its output for the mean.
                means = [torch.from_numpy(maps.mean(0, dtype=np.float64, keepdims=True)).float() for maps in pooled]
                centres = descriptor([mean.to(device) for mean in means])[0].flatten(0, 1)  # (P, C)
                self.images_ = np.full(shapes.positions, len(features), np.int64)
            else:
                centres = self._centres_inside(descriptor, pooled, features)  # (M, C)

        radius = nn.Parameter(torch.tensor(1e-5, device=device))
        generator = np.random.default_rng(self.seed)
        passes = self.passes(shapes.copies)
        course = Course(passes, lambda: generator.permutation(len(features)), "training the descriptor")
        self.training_losses_ = descend(self, descriptor, radius, centres, features, pooled, course, progress)
        self.descriptor_, self.centres_ = descriptor.cpu().requires_grad_(False), centres.cpu()
        self.radius_ = float(radius.detach())
        return self

    def passes(self, copies: int) -> int:
        """How often each image is learned from, if there are so many varied copies of each photograph: so often that
        there are as many steps as without copies. More steps only take longer: the last epoch is kept."""
        return math.ceil(self.epochs / (1 + copies))

    def _centres_inside(
        self, descriptor: Descriptor, pooled: Sequence[NDArray[np.float32]], features: FeatureSet
    ) -> Tensor:
        """(M, C): for each position that is ever inspected, the mean over the images in which it is inspected."""
        shapes, device = features.shapes, training_device()
        total = torch.zeros(shapes.positions, shapes.channels, dtype=torch.float64, device=device)
        images = torch.zeros(shapes.positions, 1, dtype=torch.float64, device=device)
        for start in range(0, len(features), self.batch_size):
            batch = slice(start, start + self.batch_size)
            cells = torch.from_numpy(features.cells(shapes.grid, batch)).to(total).flatten(1)  # (B, P)
            described = descriptor([torch.from_numpy(maps[batch]).to(device) for maps in pooled]).flatten(1, 2)
            total += (described * cells[:, :, None]).sum(0)
            images += cells.sum(0)[:, None]
        self.images_ = images[:, 0].cpu().numpy().astype(np.int64)
        known = images[:, 0] > 0
        if not known.any():
            raise DataError(NOTHING_INSIDE)
        self._check_positions(int(known.sum()))
        return (total[known] / images[known]).float()

    def _check_positions(self, positions: int) -> None:
        if self.nearest + self.repelled > positions:
            raise ConfigurationError(
                f"nearest + repelled is {self.nearest + self.repelled}, but layers {list(self.shapes_.taps)} "
                f"have only {positions} positions: take lower values or an earlier layer"
            )

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """The centres and the radius, and both descriptors: the initial one, for the centres, and the trained one with
        its rotation."""
        levels = costs.levels(self.shapes_)
        first = (tensor.detach().numpy() for tensor in Descriptor(levels, self.seed).matrices())
        known = {CENTRES: self.centres_.numpy(), IMAGES: self.images_, RADIUS: np.array([self.radius_], np.float32)}
        return {**dict(zip(FIRST, first, strict=True)), **trained_arrays(self.descriptor_)[0], **known}

    def replays(self) -> bool:
        """Yes: the descriptor is trained further."""
        return True

    def validates(self) -> bool:
        """No: the last epoch is kept, as in training."""
        return False

    def updates_in_int8(self) -> bool:
        """Yes: the descriptor and the centres stay in floating point."""
        return True

    def head(self) -> nn.Module:
        """The descriptor and the distances to the K nearest centres; the image score is the smoothed map's maximum."""
        return CFAHead(self)

    def parts(self) -> list[Part]:
        """The parts with the actual number of centres."""
        return costs.parts(self, self.shapes_, len(self.centres_))

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """Descriptor, centres with the distances to them, and the smoothing."""
        return costs.parts(self, shapes)

    def stored_width(self, part: str) -> int | None:
        """Bytes of a number; None for centres in half precision, because their norms are in float32."""
        return None if part == costs.CENTRES and self.precision == "float16" else super().stored_width(part)

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """The pooled features, and a step."""
        return costs.fitting(self, shapes)

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
        """The descriptor is stored twice."""
        return costs.of_paper(self, shapes, backbone)


class CFAHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    def __init__(self, fitted: CFA) -> None:
        super().__init__()
        shapes = fitted.shapes_
        self.taps, self.grid = shapes.taps, shapes.grid
        weight, position, bias = (t.detach().double().numpy() for t in fitted.descriptor_.matrices())
        centres, grids = fitted.centres_.numpy(), fitted.descriptor_.shapes
        self.search = NearestCentres(weight, position, bias, centres, grids, fitted.nearest, fitted.precision)
        self.upsample = Upsample(shapes.grid, shapes.input_size, fitted.sigma)
        self.cells = nn.ModuleList(Cells(grid, shapes.input_size) for grid in shapes.tap_grids)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        looked_at = [None if inside is None else cells(inside) for cells in self.cells]
        distance = self.search(
            [pool(maps[tap], own) for tap, own in zip(self.taps, looked_at, strict=True)]
        )  # (N P, K)
        certainty = torch.softmax(-distance, dim=1)[:, 0]
        anomaly_map = self.upsample((certainty * distance[:, 0]).reshape(-1, *self.grid), inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
