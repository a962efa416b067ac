"""Linear interpolation along one axis of maps whose channels come last, as matrix products."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolate_rows(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, size, W, C), pixel centres at half-integers: torch's ``align_corners=False``.

    A product with a nearly empty matrix, which is as fast as an interpolation, for H is small. ONNX's ``Resize`` is for
    channels that come first; along the second axis of four ONNX Runtime computes something else on a GPU.
    """
    count, height, width, channels = maps.shape
    rows = torch.matmul(_weights(height, size, maps), maps.reshape(count, height, width * channels))
    return rows.reshape(count, size, width, channels)


def interpolate_columns(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, H, size, C), as `interpolate_rows`."""
    return torch.matmul(_weights(maps.shape[2], size, maps), maps)


def _weights(length: int, size: int, like: Tensor) -> Tensor:
    """(size, length): of each result the two values that it lies between; rows sum to 1."""
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * length / size - 0.5
    away = torch.arange(length, dtype=torch.float64) - centres.clamp(0, length - 1)[:, None]
    return (1 - away.abs()).clamp(min=0).to(like)
