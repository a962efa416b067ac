"""Factorized distances to centres against all of them from differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from flawspot.methods.cfa.centres import NearestCentres
from flawspot.methods.cfa.costs import CentreCosts
from flawspot.methods.cfa.nearest_by_layer import coordinates, nearest_by_layer

SHAPES = [
    [(5, (12, 12)), (7, (6, 6)), (9, (3, 3))],
    [(5, (12, 12)), (7, (5, 5))],
    [(5, (6, 6)), (7, (12, 12)), (4, (12, 12)), (3, (4, 4)), (2, (3, 3))],
    [(5, (12, 12))],
    [(5, (12, 12)), (4, (12, 12))],
    [(5, (8, 12)), (7, (4, 6)), (9, (2, 3))],
    [(5, (7, 4)), (7, (3, 3)), (4, (2, 1)), (3, (7, 4))],
    [(5, (4, 9))],
]


def plain(maps, weight, position, bias):
    """(N P, D) float64."""
    grid = tuple(max(m.shape[axis] for m in maps) for axis in (2, 3))
    same = [F.interpolate(m.double(), size=grid, mode="bilinear", align_corners=False) for m in maps]
    axes = [torch.linspace(-1, 1, length, dtype=torch.float64) for length in grid]
    where = torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(maps[0]), -1, -1, -1)
    matrix = torch.cat([weight, position], 1)
    return (torch.einsum("dc,nchw->nhwd", matrix, torch.cat([*same, where], 1)) + bias).flatten(0, 2)


@pytest.fixture(params=SHAPES, ids=str)
def case(request):
    shapes = request.param
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    size = sum(channels for channels, _ in shapes)
    maps = [normal(2, channels, *grid).float() for channels, grid in shapes]
    # Centres off the origin, as real ones are, and no multiple of what is compared at once.
    return shapes, maps, normal(size, size), normal(size, 2), normal(size) + 3, normal(500, size) + 3


def test_the_search_of_the_graph(case):
    shapes, maps, weight, position, bias, centres = case
    search = NearestCentres(*(a.numpy() for a in (weight, position, bias, centres)), shapes, 3)
    want = torch.cdist(plain(maps, weight, position, bias), centres).topk(3, largest=False).values
    torch.testing.assert_close(search(maps).double(), want, rtol=1e-4, atol=1e-5)


def test_centres_in_half_precision_are_compared_as_they_are_kept(case):
    shapes, maps, weight, position, bias, centres = case
    given = [a.numpy() for a in (weight, position, bias, centres)]
    halved, whole = (NearestCentres(*given, shapes, 3, precision) for precision in ("float16", "float32"))
    assert halved.centres.dtype == torch.float16
    assert halved.centres.nbytes == whole.centres.nbytes // 2
    torch.testing.assert_close(halved(maps), whole(maps), rtol=0.01, atol=0.01)
    whole.centres = halved.centres.float()
    whole.norms = (whole.centres.double() ** 2).sum(1).float()
    torch.testing.assert_close(halved(maps), whole(maps), rtol=1e-3, atol=1e-3)


def test_the_search_of_training(case):
    shapes, maps, weight, position, bias, centres = case
    parts = weight.split([channels for channels, _ in shapes], dim=1)
    described = plain(maps, weight, position, bias)
    found = nearest_by_layer(
        [m.double().permute(0, 2, 3, 1) for m in maps],
        [-2 * (centres @ part).T for part in parts],
        -2 * (centres @ position).T,
        (centres.square().sum(1) - 2 * centres @ bias)[None],
        4,
    )
    assert torch.equal(found, torch.cdist(described, centres).topk(4, largest=False).indices)


def test_small_distances_keep_their_digits():
    """A patch a hair's breadth from its centre, both far from the origin."""
    centres = torch.randn(300, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 100
    search = NearestCentres(np.eye(9), np.zeros((9, 2)), np.zeros(9), centres.numpy(), [(5, (4, 4)), (4, (4, 4))], 1)
    patches = (centres[:16] + 1e-3).T.reshape(1, 9, 4, 4)
    got = search.double()([patches[:, :5], patches[:, 5:]])[:, 0].numpy()
    np.testing.assert_allclose(got, 3e-3, rtol=2e-2)


def test_costs_are_those_of_the_layers_own_resolution():
    size = 24 + 64 + 160
    shapes = [(24, (56, 56)), (64, (14, 14)), (160, (7, 7))]
    costs = CentreCosts(shapes, 3136, 3)
    products = 3136 * (3136 * 24 + 196 * 64 + 49 * 224)
    interpolation = 2 * 3136 * (56 * 14 + 3136 + 56 * 7 + 3136)
    assert costs.comparing_macs() == products + interpolation + 3136 * 3 * size + 2 * 56 * 3136
    assert costs.comparing_bytes() == 4 * 3136 * (size + 3)
    search = NearestCentres(np.eye(size), np.zeros((size, 2)), np.zeros(size), np.zeros((3136, size)), shapes, 3)
    assert costs.comparing_bytes() + costs.describing_bytes() == sum(t.nbytes for t in search.state_dict().values())


def test_costs_of_what_is_not_square():
    shapes = [(24, (16, 24)), (64, (4, 6)), (160, (2, 3))]
    size, count = 24 + 64 + 160, 16 * 24
    costs = CentreCosts(shapes, count, 3)
    products = count * (count * 24 + 24 * 64 + 6 * 224)
    # The first coarse resolution comes down before it comes across, the other one the other way round.
    interpolation = 2 * count * (16 * 6 + 16 * 24 + 2 * 24 + 16 * 24)
    assert costs.comparing_macs() == products + interpolation + count * 3 * size + (16 + 24) * count
    search = NearestCentres(np.eye(size), np.zeros((size, 2)), np.zeros(size), np.zeros((count, size)), shapes, 3)
    assert costs.comparing_bytes() + costs.describing_bytes() == sum(t.nbytes for t in search.state_dict().values())


def test_coordinates_run_from_corner_to_corner():
    where = coordinates((3, 3), torch.zeros(1))
    assert where[0, 2].tolist() == [-1, 1]
    assert where[1, 1].tolist() == [0, 0]


def test_more_neighbours_than_centres():
    with pytest.raises(ValueError, match="4 nearest of 3"):
        NearestCentres(np.eye(2), np.zeros((2, 2)), np.zeros(2), np.zeros((3, 2)), [(2, (4, 4))], 4)
