"""CFA (Lee et al., CFA: Coupled-hypersphere-based Feature Adaptation, IEEE Access 2022; arXiv 2206.04325).

A linear patch descriptor phi is trained so that the features of good images come to lie within a radius r of memorized
centres. With d_k the k-th smallest squared distance of phi(p) to the centres, the coupled-hypersphere loss is
L_att + L_rep,

    L_att = mean over patches and k <= K of max(0, d_k - r^2) / nu
    L_rep = mean over patches and K < k <= K + J of max(0, r^2 - d_k - alpha) / nu

and the anomaly of a patch is its smallest distance times how certain that is, ``softmin(d)_1 * d_1`` over the K
smallest distances, not squared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError, TrainingError
from flawspot.methods.base import SIGMA, Method, Upsample, training_device
from flawspot.methods.cfa.centres import CentreCosts, NearestCentres
from flawspot.methods.cfa.interpolation import interpolate_columns, interpolate_rows
from flawspot.methods.cfa.nearest_by_layer import coordinates, nearest_by_layer, squared_distances
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import method
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part


@method
@dataclass(kw_only=True)
class CFA(Method):
    """Distance to memorized centres in an adapted feature space.

    Attributes:
        nearest: K, the centres that attract a patch (the paper's 3).
        repelled: J, the next ones that are pushed away (the paper's 3).
        nu, alpha: of the soft boundary, as in the paper.
        epochs, batch_size, learning_rate, weight_decay: of AdamW with amsgrad, as in the authors' implementation. The
            last epoch is kept: the authors choose theirs on the test set, which nobody has who needs a detector.
        sigma: of the Gaussian over the map, in pixels of 224.
        descriptor_: the trained descriptor.
        centres_: (P, C): the mean descriptor at each position, before training.
        shapes_: (C_l, side) of each tap's maps.
    """

    name: ClassVar[str] = "cfa"
    source: ClassVar[str] = "Lee et al., IEEE Access 2022 (arXiv 2206.04325)"

    nearest: int = 3
    repelled: int = 3
    nu: float = 1e-3
    alpha: float = 0.1
    epochs: int = 30
    batch_size: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    sigma: float = SIGMA

    descriptor_: Descriptor = field(init=False, repr=False)
    centres_: Tensor = field(init=False, repr=False)
    taps_: tuple[int, ...] = field(init=False, repr=False)
    shapes_: tuple[tuple[int, int], ...] = field(init=False, repr=False)
    grid_: int = field(init=False, repr=False)
    input_size_: int = field(init=False, repr=False)
    training_losses_: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("nearest", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.repelled < 0:
            raise ConfigurationError(f"repelled must be at least 0, not {self.repelled}")
        for name in ("nu", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be above 0, not {getattr(self, name):g}")

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Memorize the centres, then train the descriptor on features that were computed and pooled once."""
        self.taps_, self.grid_, self.input_size_ = features.taps, features.grid, features.input_size
        self.shapes_ = tuple(features.shape(tap)[:2] for tap in self.taps_)
        positions = self.grid_**2
        if self.nearest + self.repelled > positions:
            raise ConfigurationError(
                f"nearest + repelled is {self.nearest + self.repelled}, but layers {list(self.taps_)} "
                f"have only {positions} positions: take lower values or an earlier layer"
            )
        device = training_device()
        descriptor = Descriptor(self.shapes_, self.seed).to(device)
        pooled = [self._pooled(features, tap) for tap in self.taps_]
        with torch.no_grad():
            # The descriptor is linear, so the mean of its outputs is its output of the mean.
            means = [torch.from_numpy(maps.mean(0, dtype=np.float64, keepdims=True)).float() for maps in pooled]
            centres = descriptor([mean.to(device) for mean in means])[0].flatten(0, 1)  # (P, C)

        radius = nn.Parameter(torch.tensor(1e-5, device=device))
        optimizer = torch.optim.AdamW(
            [*descriptor.parameters(), radius], self.learning_rate, weight_decay=self.weight_decay, amsgrad=True
        )
        generator = np.random.default_rng(self.seed)
        self.training_losses_ = []
        for _ in progress.track(range(self.epochs), "training the descriptor"):
            order = generator.permutation(len(features))
            total = 0.0
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                maps = [torch.from_numpy(tap[rows]).to(device) for tap in pooled]
                index = descriptor.nearest(maps, centres, self.nearest + self.repelled)  # (B * P, K + J)
                described = descriptor(maps).flatten(0, 2)  # (B * P, C)
                loss = self._loss(squared_distances(described, centres, index), radius)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(rows)
            self.training_losses_.append(total / len(features))
        if not np.isfinite(self.training_losses_[-1]):
            raise TrainingError(f"the descriptor diverged: lower learning_rate, now {self.learning_rate:g}")
        self.descriptor_, self.centres_ = descriptor.cpu().requires_grad_(False), centres.cpu()
        return self

    def _pooled(self, features: FeatureSet, tap: int) -> NDArray[np.float32]:
        """(N, H, W, C): the 3 x 3 means of a tap's maps at its own resolution, channels last."""
        channels, height, width = features.shape(tap)
        pooled = np.empty((len(features), height, width, channels), np.float32)
        for start in range(0, len(features), 16):
            batch = slice(start, start + 16)
            pooled[batch] = pool(torch.from_numpy(features.batch(tap, batch))).permute(0, 2, 3, 1).numpy()
        return pooled

    def _loss(self, squared: Tensor, radius: Tensor) -> Tensor:
        """The soft-boundary loss of the K + J smallest squared distances, (B * P, K + J) ascending."""
        boundary = radius.square()
        loss = (squared[:, : self.nearest] - boundary).clamp(min=0).mean() / self.nu
        if self.repelled:
            repulsion = (boundary - squared[:, self.nearest :] - self.alpha).clamp(min=0).mean()
            loss = loss + repulsion / self.nu
        return loss

    def _search(self) -> NearestCentres:
        """Descriptor and centres as the graph has them."""
        weight, position, bias = (t.detach().double().numpy() for t in self.descriptor_.matrices())
        return NearestCentres(weight, position, bias, self.centres_.numpy(), self.shapes_, self.nearest)

    def head(self) -> nn.Module:
        """The descriptor and the distances to the K nearest centres; the image score is the smoothed map's maximum."""
        return CFAHead(self, self._search())

    def parts(self) -> list[Part]:
        """Descriptor, centres with the distances to them, and the smoothing.

        With C channels in all, n of them at the finest resolution G x G, P = G^2: the centres are 4 P (C + 3) bytes,
        the descriptor at most 4 C (C + 3), less what the rotation makes zero. Interpolation counts as two
        multiply-accumulates for each value and axis.
        """
        return [*centre_parts(self.shapes_, self.nearest), Upsample(self.grid_, self.input_size_, self.sigma).part()]


def centre_parts(shapes: Sequence[tuple[int, int]], nearest: int) -> list[Part]:
    """Descriptor and centres, which follow from the shapes (C_l, side) of the taps' maps alone."""
    costs = CentreCosts(shapes, max(side for _, side in shapes) ** 2, nearest)
    return [
        Part("descriptor", costs.describing_bytes(), costs.describing_macs()),
        Part("centres", costs.comparing_bytes(), costs.comparing_macs()),
    ]


class Descriptor(nn.Module):
    """A 1x1 convolution of the features and their two coordinates in [-1, 1] (CoordConv, as the paper uses it).

    Each layer is described at its own resolution and interpolated then, which is the same for fewer products.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], seed: int) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        self.grid = max(side for _, side in shapes)
        channels = sum(channels for channels, _ in shapes)
        self.features = nn.Conv2d(channels, channels, 1)
        self.position = nn.Conv2d(2, channels, 1, bias=False)
        # As torch fills one convolution of channels + 2 inputs.
        generator = torch.Generator().manual_seed(seed)
        bound = (channels + 2) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """(C, C) of the features, (C, 2) of the coordinates, (C,) bias."""
        assert self.features.bias is not None
        return self.features.weight[:, :, 0, 0], self.position.weight[:, :, 0, 0], self.features.bias

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, H_l, W_l, C_l) pooled maps, channels last -> (N, G, G, C)."""
        weight, position, bias = self.matrices()
        described = coordinates(self.grid, bias) @ position.T + bias  # (G, G, C)
        for features, part in zip(maps, self._split(weight), strict=True):
            product = features @ part.T  # (N, H_l, W_l, C)
            if features.shape[1] != self.grid:
                product = interpolate_columns(interpolate_rows(product, self.grid), self.grid)
            described = described + product
        return described

    @torch.no_grad()
    def nearest(self, maps: Sequence[Tensor], centres: Tensor, count: int) -> Tensor:
        """(N * P, count): the nearest centres of each patch, ascending, by products at each layer's own resolution."""
        weight, position, bias = self.matrices()
        folded = [-2 * (centres @ part).T for part in self._split(weight)]  # (C_l, P) each
        along = -2 * (centres @ position).T  # (2, P)
        constant = (centres.square().sum(1) - 2 * centres @ bias)[None]  # (1, P)
        return nearest_by_layer(maps, folded, along, constant, count)

    def _split(self, weight: Tensor) -> tuple[Tensor, ...]:
        return torch.split(weight, [channels for channels, _ in self.shapes], dim=1)


class CFAHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    def __init__(self, fitted: CFA, search: NearestCentres) -> None:
        super().__init__()
        self.taps, self.grid, self.search = fitted.taps_, fitted.grid_, search
        self.upsample = Upsample(fitted.grid_, fitted.input_size_, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        distance = self.search([pool(maps[tap]) for tap in self.taps])  # (N * P, K)
        certainty = torch.softmax(-distance, dim=1)[:, 0]
        anomaly_map = self.upsample((certainty * distance[:, 0]).reshape(-1, self.grid, self.grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def pool(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> means over 3 x 3, beyond the border zeros."""
    return F.avg_pool2d(maps, 3, stride=1, padding=1)
