"""The trained descriptor of CFA: the description of a patch, and its nearest centres."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flawspot.methods.cfa.interpolation import interpolate_columns, interpolate_rows
from flawspot.methods.cfa.nearest_by_layer import coordinates, nearest_by_layer
from flawspot.methods.shapes import Size


class Descriptor(nn.Module):
    """A 1x1 convolution of the features and their two coordinates in [-1, 1] (CoordConv, as the paper uses it).

    Each layer is described at its own resolution and then interpolated. The result is the same with fewer products.
    """

    def __init__(self, shapes: Sequence[tuple[int, Size]], seed: int) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        self.grid = max((grid for _, grid in shapes), key=math.prod)
        channels = sum(channels for channels, _ in shapes)
        self.features = nn.Conv2d(channels, channels, 1)
        self.position = nn.Conv2d(2, channels, 1, bias=False)
        # The same initial values as in torch for one convolution of channels + 2 inputs.
        generator = torch.Generator().manual_seed(seed)
        bound = (channels + 2) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """(C, C) of the features, (C, 2) of the coordinates, (C,) bias."""
        assert self.features.bias is not None
        return self.features.weight[:, :, 0, 0], self.position.weight[:, :, 0, 0], self.features.bias

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, H_l, W_l, C_l) pooled maps, channels last -> (N, gh, gw, C), of the finest grid."""
        weight, position, bias = self.matrices()
        described = coordinates(self.grid, bias) @ position.T + bias  # (gh, gw, C)
        for features, part in zip(maps, self._split(weight), strict=True):
            product = features @ part.T  # (N, H_l, W_l, C)
            if (features.shape[1], features.shape[2]) != self.grid:
                product = interpolate_columns(interpolate_rows(product, self.grid[0]), self.grid[1])
            described = described + product
        return described

    @torch.no_grad()
    def nearest(self, maps: Sequence[Tensor], centres: Tensor, count: int) -> Tensor:
        """(N P, count): the nearest centres of each patch, ascending, by products at each layer's own resolution."""
        weight, position, bias = self.matrices()
        folded = [-2 * (centres @ part).T for part in self._split(weight)]  # (C_l, M) each
        along = -2 * (centres @ position).T  # (2, M)
        constant = (centres.square().sum(1) - 2 * centres @ bias)[None]  # (1, M)
        return nearest_by_layer(maps, folded, along, constant, count)

    def _split(self, weight: Tensor) -> tuple[Tensor, ...]:
        return torch.split(weight, [channels for channels, _ in self.shapes], dim=1)
