"""The hierarchical search against all distances at once, in torch and in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.nested_bank import by_fineness
from flawspot.methods.patchcore.product_quantizer import subspaces, train_quantizer
from flawspot.methods.shapes import Size
from flawspot.runtime.session import open_session
from flawspot.training.recorded_graph import Input
from flawspot.training.recording import record

pytestmark = pytest.mark.usefixtures("one_thread")

LAYERS = {
    "56/14/7 in small": ((3, 4, 6), ((16, 16), (4, 4), (2, 2))),
    "two layers share the coarse grid": ((4, 3, 5), ((8, 8), (4, 4), (4, 4))),
    "two layers share the fine grid": ((3, 4, 5), ((8, 8), (8, 8), (4, 4))),
    "two layers": ((3, 7), ((12, 12), (4, 4))),
    "not square": ((3, 4, 6), ((8, 24), (4, 6), (2, 3))),
}


def feature_maps(seed: int, count: int, channels: tuple[int, ...], grids: tuple[Size, ...]) -> list[torch.Tensor]:
    """(N, C, *grid) of each tap, far from the origin."""
    generator = torch.Generator().manual_seed(seed)
    return [3 + torch.randn(count, c, *g, generator=generator) for c, g in zip(channels, grids, strict=True)]


def patches(maps: list[torch.Tensor]) -> NDArray[np.float32]:
    """(N P, C): coarse maps repeated over the finest grid."""
    height, width = (max(m.shape[axis] for m in maps) for axis in (2, 3))
    repeated = [m.repeat_interleave(height // m.shape[2], 2).repeat_interleave(width // m.shape[3], 3) for m in maps]
    whole = torch.cat(repeated, dim=1).permute(0, 2, 3, 1).flatten(0, 2).numpy()
    return np.ascontiguousarray(whole)


def by_grid(maps: list[torch.Tensor]) -> dict[Size, torch.Tensor]:
    grids = by_fineness([(m.shape[2], m.shape[3]) for m in maps])
    return {grid: torch.cat([m for m in maps if tuple(m.shape[2:]) == grid], dim=1) for grid in grids}


def brute_force(queries: NDArray[np.float32], bank: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.linalg.norm(queries[:, None].astype(np.float64) - bank[None], axis=2).min(axis=1)


@pytest.mark.parametrize("candidates", [(), (2,), (2, 8), (40, 80), (10_000,)], ids=str)
@pytest.mark.parametrize("layers", LAYERS)
def test_equals_brute_force_everywhere(layers: str, candidates: tuple[int, ...]) -> None:
    channels, grids = LAYERS[layers]
    bank = patches(feature_maps(0, 3, channels, grids))[::2]
    maps = feature_maps(1, 2, channels, grids)
    maps[0][1, :, 2:5, 2:5] += 20  # a defect, far from all
    maps[-1][1, :, 0, 0] -= 9
    search = HierarchicalSearch(bank, channels, grids, candidates=candidates, chunk=16)
    distance, slot = search(by_grid(maps))
    want = brute_force(patches(maps), bank)
    np.testing.assert_allclose(distance.reshape(-1), want, rtol=1e-5, atol=1e-5)
    # The slot is of a patch that is that far away.
    found = search.vectors(slot.reshape(-1))
    positions = torch.arange(slot.shape[1]).repeat(2)
    doubled = {grid: m.repeat_interleave(slot.shape[1], 0) for grid, m in by_grid(maps).items()}
    queries = search.query_vectors(doubled, positions)
    np.testing.assert_allclose((queries - found).norm(dim=1), want, rtol=1e-4, atol=1e-5)


def test_members_of_the_bank_are_at_no_distance() -> None:
    channels, grids = LAYERS["56/14/7 in small"]
    maps = feature_maps(0, 1, channels, grids)
    distance, _ = HierarchicalSearch(patches(maps), channels, grids, candidates=(4, 8))(by_grid(maps))
    np.testing.assert_allclose(distance, 0, atol=1e-6)


def test_a_bank_of_one_patch() -> None:
    channels, grids = LAYERS["two layers"]
    maps = feature_maps(1, 1, channels, grids)
    bank = patches(feature_maps(0, 1, channels, grids))[:1]
    distance, _ = HierarchicalSearch(bank, channels, grids)(by_grid(maps))
    np.testing.assert_allclose(distance[0], brute_force(patches(maps), bank), rtol=1e-5)


@pytest.mark.parametrize("quantized", [False, True])
def test_the_graph_equals_brute_force_whatever_is_unproved(quantized: bool) -> None:
    channels, grids = LAYERS["56/14/7 in small"]
    bank = patches(feature_maps(0, 4, channels, grids))[::3]
    quantizer = train_quantizer(bank, subspaces(channels, 5), bits=4) if quantized else None
    search = HierarchicalSearch(bank, channels, grids, quantizer, candidates=(4, 16), chunk=32).eval()

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.search = search

        def forward(self, fine: torch.Tensor, middle: torch.Tensor, coarse: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self.search({(16, 16): fine, (4, 4): middle, (2, 2): coarse})

    inputs = {
        f"map_{number}": Input(each, ["N", *each.shape[1:]])
        for number, each in enumerate(feature_maps(1, 2, channels, grids))
    }
    model = record(Graph().eval(), ["distance", "slot"], None, inputs)
    assert model is not None
    session = open_session(model.SerializeToString(), threads=1)
    stored = bank if quantizer is None else quantizer.decode(quantizer.encode(bank))
    few = feature_maps(0, 1, channels, grids)  # in the bank: all proved but for quantization
    some = feature_maps(2, 3, channels, grids)
    some[0][1, :, 3:9, 3:9] += 30  # nothing is proved here
    for maps in (few, some):
        names = [i.name for i in session.get_inputs()]
        distance, _ = session.run(None, dict(zip(names, (m.numpy() for m in maps), strict=True)))
        np.testing.assert_allclose(distance.reshape(-1), brute_force(patches(maps), stored), rtol=1e-4, atol=2e-5)


def test_distances_to_all_and_the_flat_search_agree() -> None:
    channels, grids = LAYERS["56/14/7 in small"]
    bank = patches(feature_maps(0, 2, channels, grids))[::2]
    search, flat = HierarchicalSearch(bank, channels, grids), NearestNeighbour(bank, grids)
    slot = torch.tensor([0, 5, 9])
    member = search.vectors(slot)
    to_all = search.distances_to_all(member) + member.square().sum(1, keepdim=True)
    finite = to_all[torch.isfinite(to_all)].reshape(3, -1)
    assert finite.shape == (3, len(bank))  # each patch once
    row = [int(np.abs(bank - bank.mean(0) - m.numpy()).sum(1).argmin()) for m in member]
    want = flat.distances_to_all(flat.vectors(torch.tensor(row)))
    want = want + flat.vectors(torch.tensor(row)).square().sum(1, keepdim=True)
    np.testing.assert_allclose(np.sort(finite), np.sort(want), rtol=1e-3, atol=1e-3)


def test_what_it_computes_is_counted() -> None:
    channels, grids = LAYERS["56/14/7 in small"]
    bank = patches(feature_maps(0, 4, channels, grids))
    search = HierarchicalSearch(bank, channels, grids, candidates=(4, 16))
    rows = {4: 4 * 16, 2: 4 * 4}  # distinct coarse rows: one for each cell of each image, 16 patches to a block
    assert search.width == 16
    coarse = 16 * rows[4] * 4 + 4 * rows[2] * 6
    first = 16 * 16 * 4 * search.width * 3
    second = 5 * 16 * 16 * search.width * 3
    last = 2 * 16 * rows[4] * search.width * 3
    winner = 256 * (search.width * 3 + 4 + 6)
    assert search.macs([5, 2]) == coarse + first + second + last + winner
    assert search.macs() > search.macs([5, 2])
    unproved = search.unproved(by_grid(feature_maps(1, 1, channels, grids)))
    assert len(unproved) == 2
    assert 16 >= unproved[0] >= unproved[1] >= 0


def test_cells_that_are_not_looked_at_are_not_searched_again() -> None:
    channels, grids = LAYERS["not square"]
    bank = patches(feature_maps(0, 4, channels, grids))
    search = HierarchicalSearch(bank, channels, grids, candidates=(4, 16))
    maps = by_grid(feature_maps(1, 2, channels, grids))
    inside = torch.zeros(2, *search.first_grid)
    inside[:, 1:3, 2:4] = 1
    whole, part = search(maps)[0], search(maps, inside)[0]
    looked_at = inside.repeat_interleave(2, 1).repeat_interleave(4, 2).flatten(1) == 1
    assert torch.equal(whole[looked_at], part[looked_at])
    assert (part >= whole - 1e-5).all()
    counts, all_counts = search.unproved(maps, inside), search.unproved(maps)
    assert max(counts) <= 8 < all_counts[0]
    assert counts[1] <= all_counts[1]
