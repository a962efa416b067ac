"""The blocked search against a sort of all products, where blocks and centres do not come out even."""

import pytest
import torch
import torch.nn.functional as F

from flawspot.methods.cfa import search
from flawspot.methods.cfa.search import BlockedSearch

GRIDS = [
    [(12, 12)],
    [(13, 5), (7, 3)],
    [(17, 19), (6, 7), (3, 3)],
    [(56, 56), (14, 14)],
    [(3, 2), (1, 1)],
]


@pytest.mark.parametrize("count", [7, 160, 1001])
@pytest.mark.parametrize("grids", GRIDS, ids=str)
def test_the_nearest_are_those_of_a_sort(grids, count, monkeypatch):
    monkeypatch.setattr(search, "PARTS", 3)
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    own, reaches, (height, width) = 3, [5, 9][: len(grids) - 1], grids[0]
    fine, coarse = (
        normal(2, height, width, own),
        [normal(2, *grid, reach) for grid, reach in zip(grids[1:], reaches, strict=True)],
    )
    centres = normal(count, own + max(reaches, default=0))
    slopes = normal(2, count) if coarse else None
    norms = centres.square().sum(1)
    want = norms + fine @ centres[:, :own].T
    for each in coarse:
        whole = F.interpolate(each.permute(0, 3, 1, 2), grids[0], mode="bilinear", align_corners=False)
        want = want + whole.permute(0, 2, 3, 1) @ centres[:, own : own + each.shape[3]].T
    if slopes is not None:
        axes = [-2 * torch.linspace(-1, 1, length, dtype=torch.float64) for length in grids[0]]
        want = want + axes[0][:, None, None] * slopes[0] + axes[1][:, None] * slopes[1]
    found = BlockedSearch(grids, own, count, 3)(fine, coarse, centres, norms, slopes)
    assert torch.equal(found, want.flatten(0, 2).topk(3, largest=False).indices)
