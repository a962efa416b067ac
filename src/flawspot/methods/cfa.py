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

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from flawspot.errors import ConfigurationError, TrainingError
from flawspot.features import FeatureSet
from flawspot.manifest import Part
from flawspot.methods.base import SIGMA, Method, Upsample, embed, training_device
from flawspot.methods.registry import method
from flawspot.progress import SILENT, Progress


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
        """Memorize the centres, then train the descriptor on cached features."""
        self.taps_, self.grid_, self.input_size_ = features.taps, features.grid, features.input_size
        positions = self.grid_**2
        if self.nearest + self.repelled > positions:
            raise ConfigurationError(
                f"nearest + repelled is {self.nearest + self.repelled}, but layers {list(self.taps_)} "
                f"have only {positions} positions: take lower values or an earlier layer"
            )
        device = training_device()
        descriptor = Descriptor(features.channels, self.grid_, self.seed).to(device)
        with torch.no_grad():
            mean = torch.zeros(1, features.channels, self.grid_, self.grid_, device=device)
            for start in range(0, len(features), self.batch_size):
                rows = np.arange(start, min(start + self.batch_size, len(features)))
                mean += self._patches(features, rows).sum(0, keepdim=True) / len(features)
            # The descriptor is linear, so the mean of its outputs is its output of the mean.
            centres = descriptor(mean)[0].flatten(1).T.contiguous()  # (P, C)

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
                described = descriptor(self._patches(features, rows))  # (B, C, G, G)
                loss = self._loss(described.flatten(2).transpose(1, 2), centres, radius)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(rows)
            self.training_losses_.append(total / len(features))
        if not np.isfinite(self.training_losses_[-1]):
            raise TrainingError(f"the descriptor diverged: lower learning_rate, now {self.learning_rate:g}")
        self.descriptor_, self.centres_ = descriptor.cpu().requires_grad_(False), centres.cpu()
        return self

    def _patches(self, features: FeatureSet, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
        """(B, C, G, G): pooled and interpolated features of some images."""
        maps = [torch.from_numpy(features.batch(tap, rows)).to(training_device()) for tap in self.taps_]
        return embed(maps, pool=True, mode="bilinear")

    def _loss(self, described: Tensor, centres: Tensor, radius: Tensor) -> Tensor:
        """The soft-boundary loss of (B, P, C) descriptors.

        Which centres are nearest is found without gradients; only the distances to those few are differentiated, which
        gives the same gradient as differentiating all of them for a thousandth of the backward pass.
        """
        flat = described.reshape(-1, described.shape[2])  # (B * P, C)
        with torch.no_grad():
            partial = torch.addmm(centres.square().sum(1), flat, centres.T, alpha=-2)  # (B * P, P)
            index = partial.topk(self.nearest + self.repelled, dim=1, largest=False).indices
        squared = (flat[:, None] - centres[index]).square().sum(2)  # (B * P, K + J)
        boundary = radius.square()
        attraction = (squared[:, : self.nearest] - boundary).clamp(min=0).mean()
        loss = attraction / self.nu
        if self.repelled:
            repulsion = (boundary - squared[:, self.nearest :] - self.alpha).clamp(min=0).mean()
            loss = loss + repulsion / self.nu
        return loss

    def head(self) -> nn.Module:
        """The descriptor and the distances to the K nearest centres; the image score is the smoothed map's maximum."""
        return CFAHead(self)

    def parts(self) -> list[Part]:
        """Descriptor, centres with the distances to them, and the smoothing."""
        positions, channels = self.centres_.shape
        weights = sum(t.numel() * 4 for t in self.descriptor_.state_dict().values())
        inputs = self.descriptor_.features.in_channels
        return [
            Part("descriptor", weights, positions * channels * inputs),
            Part("centres", self.centres_.numel() * 4, positions * positions * channels),
            Upsample(self.grid_, self.input_size_, self.sigma).part(),
        ]


class Descriptor(nn.Module):
    """A 1x1 convolution of the features and their two coordinates in [-1, 1] (CoordConv, as the paper uses it)."""

    coordinates: Tensor

    def __init__(self, channels: int, grid: int, seed: int) -> None:
        super().__init__()
        axis = torch.linspace(-1, 1, grid)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None])
        self.features = nn.Conv2d(channels, channels, 1)
        self.position = nn.Conv2d(2, channels, 1, bias=False)
        # As torch fills one convolution of channels + 2 inputs.
        generator = torch.Generator().manual_seed(seed)
        bound = (channels + 2) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, C, G, G) -> (N, C, G, G)."""
        described: Tensor = self.features(patches) + self.position(self.coordinates)
        return described


class CFAHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    centres: Tensor

    def __init__(self, fitted: CFA) -> None:
        super().__init__()
        self.taps, self.nearest = fitted.taps_, fitted.nearest
        self.descriptor = fitted.descriptor_
        self.register_buffer("centres", fitted.centres_)
        self.upsample = Upsample(fitted.grid_, fitted.input_size_, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        patches = embed([maps[tap] for tap in self.taps], pool=True, mode="bilinear")  # (N, C, G, G)
        grid = patches.shape[2]
        described = self.descriptor(patches).flatten(2).transpose(1, 2)  # (N, P, C)
        flat = described.reshape(-1, described.shape[2])  # (N * P, C)
        partial = self.centres.square().sum(1) - 2 * flat @ self.centres.T  # (N * P, P)
        index = partial.topk(self.nearest, dim=1, largest=False).indices  # (N * P, K)
        # From the differences: the expanded square loses its digits where distances are small.
        distance = (flat[:, None] - self.centres[index]).square().sum(2).sqrt()  # (N * P, K)
        certainty = torch.softmax(-distance, dim=1)[:, 0]
        anomaly_map = self.upsample((certainty * distance[:, 0]).reshape(-1, grid, grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
