"""Batch norms folded, against torch's own folding."""

import torch
from torch import nn

from flawspot.costs.folding import folded_numbers


def test_batch_norms_fold_into_one_bias_a_channel() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 4, 1, bias=False)
    )
    assert folded_numbers(network) == 3 * 9 * 8 + 8 + 8 * 4
    fused = torch.nn.utils.fusion.fuse_conv_bn_eval(network[0].eval(), network[1].eval())
    assert sum(p.numel() for p in fused.parameters()) == 3 * 9 * 8 + 8
