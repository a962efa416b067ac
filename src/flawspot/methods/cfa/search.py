"""The nearest centres of all patches of a photograph, block by block.

One matrix product gives a block's products with the centres, interpolation included (`flawspot.methods.cfa.blocks`).
The smallest are taken from them while they are in the processor's cache, before the next block is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from flawspot.methods.cfa.blocks import in_blocks
from flawspot.methods.cfa.smallest import smallest
from flawspot.methods.shapes import Size

MEMBERS = 16
"""Centres in a group. First the nearest of each group is found."""
AT_ONCE = 2**19
"""Number of products computed at once for one photograph, 2 MB; at least those of one block."""
PARTS = 32
"""Largest number of parts into which blocks are divided. Each part takes a dozen operators of the graph."""
FAR = 1e30
"""Squared length of a placeholder centre, which is never the nearest."""


class BlockedSearch:
    """Finds the nearest centres by ``|c|^2 - 2 q . c``, a part of which is interpolated.

    Args:
        grids: grids of the resolutions, finest first.
        own: F, number of components of the finest resolution.
        centres: M, number of centres.
        nearest: K, number of nearest centres.
    """

    def __init__(self, grids: Sequence[Size], own: int, centres: int, nearest: int) -> None:
        self.grid, self.coarser = grids[0], list(grids[1:])
        self.nearest, self.missing = nearest, -centres % MEMBERS
        coordinates = 2 if self.coarser else 0
        self.blocks = in_blocks(self.grid, self.coarser, own + coordinates)
        number, patches = math.prod(self.blocks.counts), math.prod(self.blocks.size)
        together = max(1, AT_ONCE // (patches * (centres + self.missing)), math.ceil(number / PARTS))
        self.parts = [slice(start, start + together) for start in range(0, number, together)]
        shared = np.broadcast_to(np.arange(own + coordinates), (number, own + coordinates))
        self.members = np.concatenate([shared, self.blocks.members(self.coarser, own + coordinates)], 1)

    def __call__(
        self, fine: Tensor, coarse: Sequence[Tensor], centres: Tensor, norms: Tensor, slopes: Tensor | None
    ) -> Tensor:
        """Search.

        Args:
            fine: (N, gh, gw, F), the patches' components at the finest resolution, times -2.
            coarse: (N, H, W, R) of each coarser resolution, times -2: the further components that it affects.
            centres: (M, D), the components of `fine` first.
            norms: (M,), squared lengths of the centres.
            slopes: (2, M), products of the centres with the contribution of a patch's row and column, each from -1 to
                1, to the further components; None without a coarser resolution.

        Returns:
            (N P, K) int64.
        """
        count, patches = fine.shape[0], self._in_blocks(fine)
        if self.missing:
            centres = F.pad(centres, (0, 0, 0, self.missing))
            norms = F.pad(norms, (0, self.missing), value=FAR)
            slopes = None if slopes is None else F.pad(slopes, (0, self.missing))
        against = centres[:, : fine.shape[3]].T  # (F, M)
        table = None if slopes is None else self._table(torch.cat([against, slopes]), coarse, centres, norms)
        found = []
        for part in self.parts:
            if table is None:
                products = torch.addmm(norms, patches[:, part].flatten(0, 2), against)
            else:
                members = torch.from_numpy(self.members[part])  # (blocks, F + 2 + cells)
                rows = table.index_select(1, members.flatten()).reshape(count, *members.shape, -1)
                products = (patches[:, part] @ rows).flatten(0, 2)
            nearest = smallest(products, self.nearest, MEMBERS)
            found.append(nearest.reshape(count, -1, patches.shape[2], self.nearest))
        return self._in_order(torch.cat(found, 1))

    def _table(self, shared: Tensor, coarse: Sequence[Tensor], centres: Tensor, norms: Tensor) -> Tensor:
        """(N, F + 2 + all cells, M): the rows `shared` by all blocks, then each cell's products. Those of the last
        resolution include the squared lengths, because weights sum to 1."""
        count, start = coarse[0].shape[0], shared.shape[0] - 2
        parts = [shared.expand(count, -1, -1)]
        for level, each in enumerate(coarse):
            flat, against = each.flatten(0, 2), centres[:, start : start + each.shape[3]].T
            last = level == len(coarse) - 1
            product = torch.addmm(norms, flat, against) if last else flat @ against
            parts.append(product.reshape(count, -1, len(centres)))
        return torch.cat(parts, 1)

    def _in_blocks(self, fine: Tensor) -> Tensor:
        """(N, blocks, patches, F + 2 + cells): the factors of a block's rows of the table."""
        (down, across), (height, width) = self.blocks.counts, self.blocks.size
        patches = torch.cat([fine, *self._fixed(fine)], 3) if self.coarser else fine
        beyond = [down * height - self.grid[0], across * width - self.grid[1]]
        if any(beyond):
            patches = F.pad(patches, (0, 0, 0, beyond[1], 0, beyond[0]))
        patches = patches.reshape(-1, down, height, across, width, patches.shape[3]).permute(0, 1, 3, 2, 4, 5)
        return patches.reshape(-1, down * across, height * width, patches.shape[5])

    def _fixed(self, like: Tensor) -> list[Tensor]:
        """(N, gh, gw, n) each: row and column times -2, and each coarser resolution's weights.

        They are expanded before they are multiplied, because products of constants would become constants of the graph.
        """
        count, (height, width) = like.shape[0], self.grid
        rows, columns = (torch.from_numpy(-2 * np.linspace(-1, 1, length)).to(like) for length in self.grid)
        fixed = [each.expand(count, height, width, -1) for each in (rows[:, None, None], columns[:, None])]
        for down, across in self.blocks.windows:
            first, second = (torch.from_numpy(window.weights).to(like) for window in (down, across))
            weights = first[:, None, :, None].expand(count, -1, -1, -1, -1) * second[:, None]
            fixed.append(weights.reshape(count, height, width, -1))
        return fixed

    def _in_order(self, found: Tensor) -> Tensor:
        """(N, blocks, patches, K) -> (N P, K)."""
        (down, across), (height, width) = self.blocks.counts, self.blocks.size
        found = found.reshape(-1, down, across, height, width, self.nearest).permute(0, 1, 3, 2, 4, 5)
        found = found.reshape(-1, down * height, across * width, self.nearest)
        return found[:, : self.grid[0], : self.grid[1]].reshape(-1, self.nearest)
