"""Interpolation with channels last, in torch and in ONNX Runtime, against torch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.methods.cfa.interpolation import interpolate_columns, interpolate_rows
from flawspot.runtime.session import open_session
from flawspot.training.graph import to_onnx


class Spread(nn.Module):
    """(N, H, W, 3) uint8 -> the first 5 x 7 pixels brought to 12 x 20, columns first and rows first."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = image[:, :5, :7].float()
        return (
            interpolate_rows(interpolate_columns(maps, 20), 12),
            interpolate_columns(interpolate_rows(maps, 12), 20),
        )


@pytest.mark.slow
def test_both_orders_equal_bilinear_interpolation(one_thread: None) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 6, 9, 3), dtype=np.uint8)
    maps = torch.from_numpy(image[:, :5, :7]).float().permute(0, 3, 1, 2)
    want = F.interpolate(maps, size=(12, 20), mode="bilinear", align_corners=False).permute(0, 2, 3, 1).numpy()
    in_torch = Spread()(torch.from_numpy(image))
    model = to_onnx(Spread(), ["columns_first", "rows_first"])
    in_runtime = open_session(model, threads=1).run(None, {"image": image})
    for got in (*in_torch, *in_runtime):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
