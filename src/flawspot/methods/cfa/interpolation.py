"""Linear interpolation along one axis of maps whose channels come last, as one ONNX operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def interpolate_rows(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, size, W, C), pixel centres at half-integers: torch's ``align_corners=False``.

    Two multiply-accumulates for each value. torch's exporter knows interpolation with channels first alone, where ONNX
    Runtime goes value by value; with channels last it runs over whole rows of channels, several times faster.
    """
    if torch.onnx.is_in_onnx_export():
        count, _, width, channels = maps.shape
        attributes: dict[str, str | Sequence[int]] = {
            "mode": "linear",
            "coordinate_transformation_mode": "half_pixel",
            "axes": [1],
        }
        return torch.onnx.ops.symbolic(
            "Resize",
            (maps, None, None, torch.tensor([size])),
            attributes,  # type: ignore[arg-type]
            dtype=maps.dtype,
            shape=(count, size, width, channels),
            version=18,
        )
    channels_first = maps.permute(0, 3, 1, 2)
    resized = F.interpolate(channels_first, size=(size, maps.shape[2]), mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1)


def interpolate_columns(maps: Tensor, size: int) -> Tensor:
    """(N, H, W, C) -> (N, H, size, C), as `interpolate_rows`."""
    _, height, width, channels = maps.shape
    # Seen as rows: given a scale of 1 for the second axis, ONNX Runtime would take that one for the channels.
    rows = interpolate_rows(maps.reshape(-1, width, 1, channels), size)
    return rows.reshape(-1, height, size, channels)
