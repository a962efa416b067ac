"""A small network from the taps of the frozen backbone to one number for each cell: how much it looks like a defect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from flawspot.methods.inside import Cells
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import Upsample

_LITTLE = 1e-6
"""A limit below any real weight of inspected cells."""
LOGIT_BEFORE = -3.0
"""The logit of an untrained network everywhere, as defects are rare."""


class Block(nn.Module):
    """A residual block: ReLU, depthwise 3 x 3, 1 x 1."""

    def __init__(self, width: int, *, norm: bool) -> None:
        super().__init__()
        self.depthwise: nn.Conv2d = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, width, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()

    def forward(self, x: Tensor, cells: Tensor | None = None) -> Tensor:
        """(N, width, H, W). Cells outside, by `cells` (N, 1, H, W), are treated like places beyond the border."""
        y = torch.relu(x)
        y = y if cells is None else y * cells
        result: Tensor = x + self.norm(self.pointwise(self.depthwise(y)))
        return result


class DefectNetwork(nn.Module):
    """Each tap passes a 1 x 1 convolution at its own resolution, is resized to the finest grid, and summed; then
    blocks.

    Args:
        shapes: shapes of its input.
        width: channels.
        blocks: how many residual blocks.
        norm: whether it is to be trained, with batch norms; `folded` folds them into the convolutions.
    """

    def __init__(self, shapes: Shapes, width: int, blocks: int, *, norm: bool = True) -> None:
        super().__init__()
        self.shapes, self.taps, self.grid, self.width = shapes, shapes.taps, shapes.grid, width
        self.projections = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in shapes.tap_channels)
        self.spread = nn.ModuleList(Upsample(grid, shapes.grid) for grid in shapes.tap_grids)
        self.cells = nn.ModuleList(Cells(grid, shapes.input_size) for grid in (*shapes.tap_grids, shapes.grid))
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(width, norm=norm) for _ in range(blocks))
        self.out = nn.Conv2d(width, 1, 1)
        self._at_grid = [grid == shapes.grid for grid in shapes.tap_grids]

    def forward(self, maps: Mapping[int, Tensor], inside: Tensor | None = None) -> Tensor:
        """{tap: (N, C, H, W)}, (N, h, w) -> logits (N, *grid)."""
        cells = None if inside is None else self.cells[-1](inside)[:, None]
        summed: Tensor = torch.zeros(())
        for number, tap in enumerate(self.taps):
            projected = self.projections[number](maps[tap])  # (N, width, H, W)
            looked_at = None if inside is None else self.cells[number](inside)[:, None]
            summed = summed + self._brought(number, projected, looked_at)
        y = self.norm(summed if cells is None else summed * cells)
        for block in self.blocks:
            y = block(y, cells)
        logits: Tensor = self.out(torch.relu(y))[:, 0]
        return logits

    def _brought(self, number: int, projected: Tensor, cells: Tensor | None) -> Tensor:
        """Resize to the finest grid, bilinearly, from inspected cells only."""
        if self._at_grid[number]:
            return projected
        spread = self.spread[number]
        if cells is None:
            brought: Tensor = spread(projected)
            return brought
        weighed: Tensor = spread(projected * cells) / spread(cells).clamp(min=_LITTLE)
        return weighed

    def kernels(self) -> Iterator[nn.Conv2d]:
        """Its convolutions."""
        return (module for module in self.modules() if isinstance(module, nn.Conv2d))

    def folded(self, means: list[Tensor], deviations: list[Tensor]) -> DefectNetwork:
        """The network for unstandardised features, after training on ``(features - mean) / deviation``.

        Args:
            means, deviations: (C,) of each tap.

        Returns:
            A network without batch norms, in evaluation mode, with the same map up to rounding.
        """
        plain = DefectNetwork(self.shapes, self.width, len(self.blocks), norm=False)
        scale, shift = _affine(self.norm)
        with torch.no_grad():
            for number, (mean, deviation) in enumerate(zip(means, deviations, strict=True)):
                theirs, mine = (cast(nn.Conv2d, network.projections[number]) for network in (self, plain))
                assert theirs.bias is not None and mine.bias is not None
                weight = scale[:, None] * theirs.weight[:, :, 0, 0].double() / deviation.double()
                mine.weight.copy_(weight[:, :, None, None])
                mine.bias.copy_(scale * theirs.bias.double() - weight @ mean.double() + (0 if number else shift))
            for number in range(len(self.blocks)):
                block, same = (cast(Block, network.blocks[number]) for network in (self, plain))
                same.depthwise.load_state_dict(block.depthwise.state_dict())
                norm = cast(nn.BatchNorm2d, block.norm)
                same.pointwise.load_state_dict(fuse_conv_bn_eval(block.pointwise.eval(), norm.eval()).state_dict())
            plain.out.load_state_dict(self.out.state_dict())
        return plain.eval().requires_grad_(False)


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(C,) twice: the factor and the offset of a batch norm."""
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - scale * norm.running_mean.double()


def network_macs(shapes: Shapes, width: int, blocks: int) -> int:
    """Multiply-accumulates for one photograph or tile, including the resizing of taps to the finest grid."""
    height, across = shapes.grid
    total = 0
    for channels, (rows, columns) in zip(shapes.tap_channels, shapes.tap_grids, strict=True):
        total += channels * width * rows * columns
        if (rows, columns) != shapes.grid:
            total += width * (height * rows * columns + height * columns * across)
    return total + height * across * (blocks * (9 * width + width * width) + width)
