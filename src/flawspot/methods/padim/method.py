"""PaDiM (Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR 2020; arXiv 2011.08785).

A Gaussian N(mu_ij, Sigma_ij) at every position of the finest tap's grid; the anomaly of x_ij is its Mahalanobis
distance ``sqrt((x - mu)^T Sigma^-1 (x - mu))`` (section III-C). With L L^T = Sigma that is ``|L^-1 (x - mu)|``, and
L^-1 is computed once in training.

There are two named approximations. ``diagonal`` treats the channels as independent (PaDiM-Lite of Stropeni et al.,
Efficient Visual Anomaly Detection at the Edge, 2026; arXiv 2603.20288). ``low_rank`` keeps the few directions of the
largest common variation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.padim import costs
from flawspot.methods.padim.bands import unpack
from flawspot.methods.padim.gaussian import PositionGaussians
from flawspot.methods.padim.selection import (
    PROJECTIONS,
    SELECTIONS,
    Numbers,
    by_tap,
    embed,
    embed_rows,
    most_varying,
    principal_components,
    rows_by_tap,
    semi_orthogonal,
)
from flawspot.methods.padim.whitening import whitened
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import SIGMA, Upsample
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

COVARIANCES = ("full", "low_rank", "diagonal")
PRECISIONS: dict[str, type[np.floating]] = {"float32": np.float32, "float16": np.float16}


@method
@dataclass(kw_only=True)
class PaDiM(Method):
    """Mahalanobis distance to a Gaussian at each position. Parts must have the same place in every photograph.

        >>> flawspot.PaDiM(covariance="low_rank").rank
        8

    A photograph cut into T tiles has T P positions, each with its own Gaussian. If only a part of the photograph is
    inspected, there are still Gaussians for the whole photograph, because they are independent of each other. Positions
    outside are left out of the map.

    With P positions, d channels and w bytes for a number (4, or 2 at float16), the means take 4 P d bytes. In addition,
    ``full`` stores w P times the numbers in the bands of a triangle (about d (d + 9) / 2: 2,164 for d = 62), with one
    multiply-accumulate each. ``low_rank`` stores w P d (rank + 1) bytes and takes 2 P d rank multiply-accumulates.
    ``diagonal`` stores w P d bytes. Scaling and squaring take P d each.

    Attributes:
        channels: d, how many numbers are kept of the channels of all taps; None keeps a quarter, as the PaSTe paper
            does of MobileNetV2's 248 (62).
        selection: how the d numbers are chosen. ``random`` takes channels by the seed, as in the paper. ``variance``
            takes the channels that vary most over the photographs. ``projection`` takes products with a random
            semi-orthogonal matrix, by the seed (Kim et al., 2021; arXiv 2105.14737). ``components`` takes products with
            the first principal components of all patches. The last two multiply all C channels with (C, d) numbers,
            each layer at its own resolution.
        ridge: added to the diagonal of each covariance, epsilon = 0.01 in the paper (equation 1).
        covariance: ``full`` as in the paper, or an approximation: ``diagonal`` keeps only the variances, ``low_rank``
            keeps `rank` principal factors and a diagonal.
        rank: number of factors of ``low_rank``. Eight factors, the diagonal and the mean take ten numbers for each
            channel, 7.4 MiB for 62 channels at 56 x 56: a quarter of ``full`` and five times ``diagonal``.
        precision: precision of everything stored but the means, ``float32`` or ``float16``. Computation is in float32.
        sigma: standard deviation of the Gaussian over the map, in pixels of 224 (section IV-B).
        selected_: (d,) indices into the concatenated channels, ascending; None for the projections.
        chosen_: for each layer the indices of its channels, or a (d, C_layer) matrix that multiplies them.
        mean_: (T P, d) float32; P positions row by row, for each of T tiles in turn. T is 1 without tiles and omitted
            below.
        bands_: for ``full``: (P, rows, columns) each, the bands of the lower triangular L^-1 (`methods.padim.bands`).
        scale_: for the others: (P, d), one over the deviation that no factor explains.
        factors_: for ``low_rank``: (P, d, rank), F of `methods.padim.whitening`.
        gaussians_: the sums from which everything is computed.
    """

    name: ClassVar[str] = "padim"
    source: ClassVar[str] = "Defard et al., ICPR 2020 (arXiv 2011.08785)"
    refits_quickly: ClassVar[bool] = True
    int8_settings: ClassVar[Mapping[str, Scalar]] = {"precision": "float16"}

    channels: int | None = setting(None, low=1)
    selection: str = setting("random", choices=SELECTIONS)
    ridge: float = setting(0.01, above=0)
    covariance: str = setting("full", choices=COVARIANCES)
    rank: int = setting(8, low=1)
    precision: str = setting("float32", choices=PRECISIONS)
    sigma: float = setting(SIGMA, low=0, high=224)

    selected_: NDArray[np.int64] = field(init=False, repr=False)
    mean_: NDArray[np.float32] = field(init=False, repr=False)
    bands_: list[NDArray[np.floating]] = field(init=False, repr=False)
    scale_: NDArray[np.floating] = field(init=False, repr=False)
    factors_: NDArray[np.floating] = field(init=False, repr=False)
    chosen_: tuple[tuple[int, Numbers], ...] = field(init=False, repr=False)
    gaussians_: PositionGaussians = field(init=False, repr=False)

    def kept(self, shapes: Shapes) -> int:
        """d, the number of kept channels.

        Raises:
            ConfigurationError: there are fewer channels, or more factors than kept channels.
        """
        total = shapes.channels
        count = max(total // 4, 1) if self.channels is None else self.channels
        if count > total:
            raise ConfigurationError(f"channels is {count}, but the layers {list(shapes.taps)} have {total} in all")
        if self.covariance == "low_rank" and self.rank > count:
            raise ConfigurationError(f"rank is {self.rank}, but only {count} channels are kept: take a lower rank")
        return count

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Mean and covariance at each position, accumulated over the images; then the inverse Cholesky factors."""
        shapes = self.shapes_ = features.shapes
        count = self.kept(shapes)
        if len(features) % shapes.tiles:
            raise ValueError(f"{len(features)} tiles are not whole photographs of {shapes.tiles} tiles each")
        features.check_inside()
        self._select(features, count, progress)
        positions = shapes.tiles * shapes.positions
        gaussians = PositionGaussians(positions, count, diagonal=self.covariance == "diagonal")
        at_once = costs.rows_at_once(shapes)
        batches = range(0, len(features), at_once)
        for start in progress.track(batches, "fitting a Gaussian at each position"):
            rows = slice(start, start + at_once)
            # Channels are selected before coarse maps are repeated over the fine grid.
            embedded = embed_rows(features, rows, self.chosen_)  # (B T, d, P)
            embedded = embedded.reshape(-1, shapes.tiles, count, shapes.positions)  # (B, T, d, P)
            gaussians.add(embedded.permute(1, 3, 0, 2).flatten(0, 1).numpy())  # (T P, B, d)
        self.gaussians_ = gaussians
        with progress.step("inverting the covariances"):
            found = whitened(gaussians, self.covariance, self.ridge, self.rank, PRECISIONS[self.precision])
        self.mean_ = gaussians.mean().astype(np.float32)
        if self.covariance == "full":
            self.bands_ = found
        elif self.covariance == "diagonal":
            (self.scale_,) = found
        else:
            self.scale_, self.factors_ = found
        return self

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """The sums of the Gaussians, and the chosen numbers."""
        chosen = {f"chosen.{tap}": own for tap, own in self.chosen_}
        return {**self.gaussians_.arrays(), **chosen}

    def _select(self, features: FeatureSet, count: int, progress: Progress) -> None:
        """Choose the kept numbers: set `selected_` and `chosen_`."""
        shapes = features.shapes
        self.selected_ = np.empty(0, np.int64)
        if self.selection in PROJECTIONS:
            if self.selection == "projection":
                matrix = semi_orthogonal(shapes.channels, count, self.seed)
            else:
                matrix = principal_components(features, count, progress)
            # Fitting uses the products with the stored, rounded numbers.
            self.chosen_ = rows_by_tap(matrix.astype(PRECISIONS[self.precision]), shapes)
            return
        if self.selection == "variance":
            self.selected_ = most_varying(features, count, progress)
        else:
            generator = np.random.default_rng(self.seed)
            self.selected_ = np.sort(generator.choice(shapes.channels, count, replace=False))
        self.chosen_ = by_tap(self.selected_, shapes)

    @property
    def whitening_(self) -> NDArray[np.floating]:
        """(T P, d, d): W, with which the anomaly is ``|W (x - mean)|``, unpacked; lower triangular for ``full``."""
        if self.covariance == "full":
            return unpack(self.bands_)
        scale = self.scale_.astype(np.float32)
        whitening = np.zeros((*scale.shape, scale.shape[1]), np.float32)
        whitening[:] = np.eye(scale.shape[1], dtype=np.float32)
        if self.covariance == "low_rank":
            factors = self.factors_.astype(np.float32)
            whitening -= factors @ factors.transpose(0, 2, 1)
        return whitening * scale[:, None]

    def head(self) -> nn.Module:
        """A few small matrix-vector products at each position; the image score is the smoothed map's maximum."""
        return PaDiMHead(self)

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """Means, whitening and smoothing."""
        return costs.parts(self, shapes)

    def stored_width(self, part: str) -> int | None:
        """Bytes of a number: those of `precision`, except for the means and the smoothing."""
        return costs.width(self, part)

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """The sums, and the matrices that are inverted at once."""
        return costs.fitting(self, shapes)

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
        """Whole matrices."""
        return costs.of_paper(self, shapes, backbone)


class PaDiMHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    mean: Tensor
    scale: Tensor
    factors: Tensor

    def __init__(self, fitted: PaDiM) -> None:
        super().__init__()
        shapes = fitted.shapes_
        self.grid, self.tiles, self.covariance = shapes.grid, shapes.tiles, fitted.covariance
        self.taps = [tap for tap, _ in fitted.chosen_]
        for tap, own in fitted.chosen_:
            self.register_buffer(f"channels{tap}", torch.from_numpy(own))
        self.register_buffer("mean", torch.from_numpy(fitted.mean_.T.copy()))  # (d, P)
        self.bands = len(fitted.bands_) if fitted.covariance == "full" else 0
        for index in range(self.bands):
            turned = np.ascontiguousarray(fitted.bands_[index].transpose(0, 2, 1))
            self.register_buffer(f"turned{index}", torch.from_numpy(turned))  # (P, columns, rows)
        if fitted.covariance != "full":
            self.register_buffer("scale", torch.from_numpy(fitted.scale_.T.copy()))  # (d, P)
        if fitted.covariance == "low_rank":
            self.register_buffer("factors", torch.from_numpy(fitted.factors_))  # (P, d, rank)
        self.upsample = Upsample(shapes.grid, shapes.input_size, fitted.sigma)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N T, C, H, W)}, (N T, h, w) -> (N T, h, w), (N T,)."""
        chosen = [(tap, self.get_buffer(f"channels{tap}")) for tap in self.taps]
        vectors = embed(maps, chosen, self.grid)  # (N T, d, P)
        if self.tiles > 1:
            vectors = vectors.reshape(-1, self.tiles, *vectors.shape[1:]).transpose(1, 2).flatten(2)  # (N, d, T P)
        squared = self._squared(vectors - self.mean)  # (N, T P)
        anomaly_map = self.upsample(squared.sqrt().reshape(-1, *self.grid), inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))

    def _squared(self, difference: Tensor) -> Tensor:
        """(N, d, T P) -> (N, T P): squared Mahalanobis distances."""
        if self.covariance == "full":
            # Row vectors before the bands, so that the numbers that are rearranged and summed are contiguous in memory.
            vectors = difference.permute(2, 0, 1)  # (P, N, d)
            bands = [self.get_buffer(f"turned{index}").to(vectors.dtype) for index in range(self.bands)]
            whitened = torch.cat([vectors[:, :, : band.shape[1]] @ band for band in bands], 2)
            return _squared_length(whitened, 2).T
        scaled = difference * self.scale.to(difference.dtype)
        if self.covariance == "diagonal":
            return _squared_length(scaled)
        factors = self.factors.to(difference.dtype)
        explained = (scaled.permute(2, 0, 1) @ factors).transpose(1, 2)  # (P, rank, N)
        return _squared_length(scaled.permute(2, 1, 0) - factors @ explained).T


def _squared_length(vectors: Tensor, axis: int = 1) -> Tensor:
    """Squared length of the vectors along an axis. ``square`` would be exported as ``Pow``, which is much slower."""
    return (vectors * vectors).sum(axis)
