"""The distance of each patch to its nearest neighbour in a nested memory bank, exact, as a torch module for the graph.

The squared distance is a sum over the taps. So the part of the coarse taps is computed only once for each coarse cell,
and it is a lower bound of the whole. For each cell the blocks with the smallest coarse part are compared first. The
nearest patch of a query is proved if it is not farther than the coarse part of the last of these blocks. Cells with an
unproved query are searched again with more blocks. Cells that are still unproved are compared with the whole bank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.patchcore.nested_bank import candidates_of, nest, padded_slots, with_room
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer
from flawspot.methods.patchcore.stored_rows import Rows, squared_length, store, take, with_one
from flawspot.methods.shapes import Size

CHUNK = 1024
"""Blocks compared at once in the last round: bounds its matrix at 3,136 x 1,024 x 4 bytes = 13 MB an image."""


class HierarchicalSearch(nn.Module):
    """Exact nearest-neighbour search in a bank that is stored as a `flawspot.methods.patchcore.nested_bank.NestedBank`.

    Distances are compared in the expanded form ``|b|^2 - 2 q.b``, relative to the bank's mean to reduce cancellation.
    The returned distance is computed from the difference to the nearest patch.

    With a quantizer, the search is exact among the decoded patches.
    """

    def __init__(
        self,
        bank: NDArray[np.float32],
        channels: Sequence[int],
        grids: Sequence[Size],
        quantizer: ProductQuantizer | None = None,
        precision: str = "float32",
        *,
        candidates: Sequence[int] | None = None,
        chunk: int = CHUNK,
        room: float = 0.0,
    ) -> None:
        """Store the bank.

        Args:
            bank: (M, C), each row the taps' features one after the other.
            channels: number of channels of each tap.
            grids: height and width of each tap's map; `flawspot.methods.patchcore.nested_bank.nests` must hold.
            quantizer: if given, codes are stored instead of the patches.
            precision: precision of the stored patches, one of `stored_rows.PRECISIONS`.
            candidates: blocks compared in the first rounds; None for `nested_bank.candidates_of`.
            chunk: blocks compared at once in the last round.
            room: free rows for later patches, as a share of the used ones.
        """
        super().__init__()
        nested = nest(bank if quantizer is None else quantizer.decode(quantizer.encode(bank)), channels, grids)
        if room:
            nested = with_room(nested, [math.ceil((1 + room) * len(level.members)) for level in nested.levels])
        self.width, self.blocks = nested.members.shape
        self.grid, self.grids = nested.grid, [level.grid for level in nested.levels]
        mean = bank.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.chunk = chunk
        # A round over more than half of the bank would cost more than the last round.
        self.candidates = [count for count in candidates or candidates_of(self.blocks) if 2 * count <= self.blocks]
        for number, columns in enumerate([nested.columns, *(level.columns for level in nested.levels)]):
            self.register_buffer(f"mean_{number}", torch.from_numpy(mean[columns]))
        # Row ``place * B + block``.
        self.fine = store(bank, nested.members.reshape(-1), nested.columns, mean, quantizer, precision)
        self.levels = nn.ModuleList(
            store(bank, level.members, level.columns, mean, quantizer, precision) for level in nested.levels
        )
        for number, level in enumerate(nested.levels):
            if level.parents is not None:
                # ONNX accepts this type too. It has half the size of int64.
                self.register_buffer(f"parents_{number}", torch.from_numpy(level.parents.astype(np.int32)))
        self._padded = torch.from_numpy(padded_slots(nested.members))

    def forward(self, maps: Mapping[Size, Tensor], cells: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Search.

        Args:
            maps: {grid: (N, C, *grid)}, the taps of that resolution concatenated over channels.
            cells: (N, *`first_grid`), one for inspected cells of the first coarse level and zero for others, whose
                patches are compared in the first round only; None if all cells are inspected.

        Returns:
            Distances (N, P) at the P positions of the finest grid, and the slot of each patch's nearest member,
            ``block * W + place``, as (N, P) int64.
        """
        queries, of_levels = self._queries(maps)
        coarse = self._coarse_distances(of_levels)  # (U, B), less |q|^2
        block = self._rounds(coarse, queries, None if cells is None else cells.reshape(-1) == 0)  # (U, Q)
        return self._exact(block, queries, of_levels)

    @property
    def first_grid(self) -> Size:
        """Grid of the first coarse level."""
        return self.grids[0]

    def unproved(self, maps: Mapping[Size, Tensor], cells: Tensor | None = None) -> list[int]:
        """Number of cells searched in each round after the first, for `macs`. Not for the graph."""
        queries, of_levels = self._queries(maps)
        coarse = self._coarse_distances(of_levels)
        outside = torch.zeros(len(coarse), dtype=torch.bool) if cells is None else cells.reshape(-1) == 0
        counts = []
        for count in self.candidates:
            _, proved = self._compare(coarse, queries, count)
            waiting = ~(proved | outside)
            coarse, queries, outside = coarse[waiting], queries[waiting], outside[waiting]
            counts.append(len(coarse))
        return counts

    def macs(self, unproved: Sequence[float] | None = None) -> float:
        """Multiply-accumulates for one photograph, counted.

        Args:
            unproved: result of `unproved`, or its mean over photographs; None for the upper bound, where nothing is
                proved.
        """
        cells, per_cell = math.prod(self.grids[0]), math.prod(_factors(self.grid, self.grids[0]))
        searched = [cells] * (len(self.candidates) + 1) if unproved is None else [cells, *unproved]
        total = 0.0
        for number, grid in enumerate(self.grids):
            total += self._level(number).macs(math.prod(grid))
        fine = self.fine.channels
        for count, here in zip(self.candidates, searched, strict=False):
            total += here * per_cell * count * self.width * fine
        total += self.fine.macs(searched[-1] * per_cell)
        # The block of the nearest patch, from differences.
        channels = sum(self._level(number).channels for number in range(len(self.grids)))
        return total + float(math.prod(self.grid) * (self.width * fine + channels))

    def member_macs(self) -> float:
        """Multiply-accumulates of `distances_to_all` for one vector."""
        return self.fine.macs(1) + sum(self._level(number).macs(1) for number in range(len(self.grids)))

    def vectors(self, slot: Tensor) -> Tensor:
        """(N,) slots -> (N, C) patches relative to the mean, finest taps first."""
        index = slot // self.width
        parts = [self.fine.take(slot % self.width * self.blocks + index)]
        for number in range(len(self.grids)):
            if number:
                index = take(self._parents(number - 1), index)
            parts.append(self._level(number).take(index))
        return torch.cat(parts, dim=1)

    def query_vectors(self, maps: Mapping[Size, Tensor], position: Tensor) -> Tensor:
        """The patches at one position (N,) of each photograph, (N, C), in the form of `vectors`."""
        row, column = position // self.grid[1], position % self.grid[1]
        batch = torch.arange(position.shape[0])
        parts = []
        for number, grid in enumerate([self.grid, *self.grids]):
            down, across = _factors(self.grid, grid)
            parts.append(maps[grid][batch, :, row // down, column // across] - self._mean(number))
        return torch.cat(parts, dim=1)

    def distances_to_all(self, vectors: Tensor) -> Tensor:
        """(N, C) in the form of `vectors` -> (N, B * W) squared distances to each slot, minus the vector's own square;
        infinite for slots that repeat a patch."""
        sizes = [self.fine.channels, *(self._level(number).channels for number in range(len(self.grids)))]
        fine, *coarse = torch.split(vectors, sizes, dim=1)
        table: Tensor | None = None  # (N, R)
        for number in reversed(range(len(self.grids))):
            rows = self._level(number)
            own = rows.partial(with_one(coarse[number]), 0, rows.count)
            table = own if table is None else own + table.index_select(1, self._parents(number))
        assert table is not None  # a nested bank has coarse levels
        places = self.fine.partial(with_one(fine), 0, self.fine.count).reshape(-1, self.width, self.blocks)
        return (places + table[:, None]).transpose(1, 2).flatten(1).masked_fill(self._padded, torch.inf)

    def _queries(self, maps: Mapping[Size, Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Relative to the mean: the patches of each cell of the first coarse level (U, Q, C), and the coarse cells of
        each level (N, *grid, C)."""
        height, width = self.grids[0]
        down, across = _factors(self.grid, self.grids[0])
        fine, *cells = (
            maps[grid].permute(0, 2, 3, 1) - self._mean(number) for number, grid in enumerate([self.grid, *self.grids])
        )
        split = fine.reshape(-1, height, down, width, across, fine.shape[3]).permute(0, 1, 3, 2, 4, 5)
        return split.reshape(-1, down * across, fine.shape[3]), cells

    def _coarse_distances(self, cells: Sequence[Tensor]) -> Tensor:
        """(U, B): coarse part of the squared distance of each cell to each block, minus the cell's own square."""
        table: Tensor | None = None  # (R, cells) of the level before; the next level gathers its rows
        for number in reversed(range(len(self.grids))):
            grid, rows = self.grids[number], self._level(number)
            flat = with_one(cells[number].reshape(-1, rows.channels))
            own = rows.table(flat).T if table is None and number else rows.partial(flat, 0, rows.count)  # (cells, R)
            if table is not None:
                height, width = self.grids[number + 1]
                inherited = take(table, self._parents(number)).T.reshape(-1, height, 1, width, 1, rows.count)
                down, across = _factors(grid, self.grids[number + 1])
                own = own.reshape(-1, height, down, width, across, rows.count) + inherited
            own = own.reshape(-1, rows.count)
            table = own.T if number else own
        assert table is not None  # a nested bank has coarse levels
        return table

    def _rounds(self, coarse: Tensor, queries: Tensor, outside: Tensor | None) -> Tensor:
        """The nearest block of each patch, (U, Q); any block for cells that are `outside` (U,)."""
        if not self.candidates:
            return self._compare_all(coarse, queries)
        block, proved = self._compare(coarse, queries, self.candidates[0])
        waiting = (~proved if outside is None else (~(proved | outside)).long()).reshape(-1).nonzero()[:, 0]  # cells
        coarse, queries = coarse[waiting], queries[waiting]
        if len(self.candidates) == 1:
            better = self._compare_all(coarse, queries)
        else:
            better, proved = self._compare(coarse, queries, self.candidates[1])
            rest = (~proved).reshape(-1).nonzero()[:, 0]
            better = better.index_put((rest,), self._compare_all(coarse[rest], queries[rest]))
        return block.index_put((waiting,), better)

    def _compare(self, coarse: Tensor, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Compare with the `count` blocks that have the smallest coarse part.

        Returns:
            The nearest block of each patch (U, Q), and whether it is proved for all patches of a cell (U,).
        """
        nearest, index = coarse.topk(count, dim=1, largest=False)  # (U, L) ascending
        total: Tensor | None = None
        for place in range(self.width):
            partial = with_one(queries) @ self.fine.take_augmented(index + place * self.blocks).transpose(
                1, 2
            )  # (U, Q, L)
            total = partial if total is None else torch.minimum(total, partial)
        assert total is not None
        total = total + nearest[:, None]
        # The distance to every other block is at least the coarse part of the last one.
        proved = (total.amin(2) + squared_length(queries) <= nearest[:, -1:]).all(1)
        return index.gather(1, total.argmin(2)), proved

    def _compare_all(self, coarse: Tensor, queries: Tensor) -> Tensor:
        """Compare with every block: the nearest one of each patch (U, Q)."""
        per_cell = queries.shape[1]
        flat = with_one(queries).reshape(-1, queries.shape[2] + 1)
        best = block = None
        for start in range(0, self.blocks, self.chunk):
            stop = min(start + self.chunk, self.blocks)
            part: Tensor | None = None
            for place in range(self.width):
                offset = place * self.blocks
                partial = self.fine.partial(flat, offset + start, offset + stop)  # (U * Q, chunk)
                part = partial if part is None else torch.minimum(part, partial)
            assert part is not None
            total = part.reshape(-1, per_cell, stop - start) + coarse[:, None, start:stop]
            value, winner = total.amin(2), total.argmin(2) + start
            if best is None or block is None:
                best, block = value, winner
            else:
                closer = value < best
                best, block = torch.where(closer, value, best), torch.where(closer, winner, block)
        assert block is not None  # a bank has blocks
        return block

    def _exact(self, block: Tensor, queries: Tensor, cells: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Distances from differences, and slots of the nearest patches; both (N, P) in the order of the grid."""
        places = torch.stack([block + place * self.blocks for place in range(self.width)])  # (W, U, Q)
        fine = squared_length(queries - self.fine.take(places))
        squared, place = fine.amin(0), fine.argmin(0)
        index = block
        for number, (grid, x) in enumerate(zip(self.grids, cells, strict=True)):
            if number:
                index = take(self._parents(number - 1), index)
            # For every cell of the first level, the cell of this level that contains it.
            down, across = _factors(self.grids[0], grid)
            repeated = x[:, :, None, :, None].expand(-1, -1, down, -1, across, -1).reshape(-1, 1, x.shape[3])
            squared = squared + squared_length(repeated - self._level(number).take(index))
        return self._in_order(squared.sqrt()), self._in_order(block * self.width + place)

    def _in_order(self, values: Tensor) -> Tensor:
        """(U, Q) by cell -> (N, P) row by row."""
        split = values.reshape(-1, *self.grids[0], *_factors(self.grid, self.grids[0]))
        return split.permute(0, 1, 3, 2, 4).reshape(-1, math.prod(self.grid))

    def _level(self, number: int) -> Rows:
        rows: Rows = self.levels[number]  # type: ignore[assignment]
        return rows

    def _mean(self, number: int) -> Tensor:
        return self.get_buffer(f"mean_{number}")

    def _parents(self, number: int) -> Tensor:
        return self.get_buffer(f"parents_{number}")


def _factors(fine: Size, coarse: Size) -> Size:
    """Number of cells of the finer grid along each axis of a cell of the coarser grid."""
    return fine[0] // coarse[0], fine[1] // coarse[1]
