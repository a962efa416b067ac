"""Linear interpolation along one axis of channels-last maps, as matrix products."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolate_rows(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, size, W, C), pixel centres at half-integers: torch's ``align_corners=False``.

    It is a product with a sparse matrix, as fast as an interpolation because H is small. ONNX's ``Resize`` expects
    channels first; along the second axis of four, ONNX Runtime gives wrong results on a GPU.
    """
    count, height, width, channels = maps.shape
    rows = torch.matmul(_weights(height, size, maps), maps.reshape(count, height, width * channels))
    return rows.reshape(count, size, width, channels)


def interpolate_columns(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, H, size, C), like `interpolate_rows`."""
    return torch.matmul(_weights(maps.shape[2], size, maps), maps)


def _weights(length: int, size: int, like: Tensor) -> Tensor:
    """(size, length): weights of the two values between which each result lies. Rows sum to 1."""
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * length / size - 0.5
    away = torch.arange(length, dtype=torch.float64) - centres.clamp(0, length - 1)[:, None]
    return (1 - away.abs()).clamp(min=0).to(like)
