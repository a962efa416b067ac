"""Regions of interest: cells against a plain loop, and what each method learns of them."""

import math

import numpy as np
import pytest
import torch

from flawspot.backbones.registry import create
from flawspot.errors import DataError
from flawspot.methods.covering import cells_inside
from flawspot.methods.features import FeatureSet
from flawspot.methods.inside import Cells
from flawspot.methods.patches import pool

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("grid", "size"), [((4, 6), (64, 96)), ((7, 5), (33, 40)), ((3, 3), (3, 3)), ((1, 2), (5, 8))])
def test_a_cell_is_inside_where_a_pixel_of_it_is(grid, size):
    pixels = np.random.default_rng(0).random((3, *size)) < 0.02
    want = np.zeros((3, *grid), bool)
    for row in range(grid[0]):
        for column in range(grid[1]):
            down = slice(row * size[0] // grid[0], math.ceil((row + 1) * size[0] / grid[0]))
            across = slice(column * size[1] // grid[1], math.ceil((column + 1) * size[1] / grid[1]))
            want[:, row, column] = pixels[:, down, across].any(axis=(1, 2))
    np.testing.assert_array_equal(cells_inside(pixels, grid), want)
    np.testing.assert_array_equal(Cells(grid, size)(torch.from_numpy(pixels).float()), want)


def test_features_know_the_cells_of_their_own_rows():
    maps = {3: np.zeros((6, 2, 4, 6), np.float32)}
    asked = []

    def inside(rows):
        asked.extend(rows.tolist())
        return np.arange(6)[rows][:, None, None] == np.zeros((32, 48)) + 4

    features = FeatureSet(create("mobilenet_v2", (3,)), (3,), (32, 48), maps, np.array([5, 4, 0]), inside=inside)
    cells = features.cells((4, 6), slice(1, 3))
    assert asked == [4, 0]
    assert cells[0].all()
    assert not cells[1].any()
    assert features.cells((4, 6), np.array([0])).sum() == 0
    features.check_inside()
    whole = FeatureSet(features.backbone, (3,), (32, 48), maps)
    assert whole.cells((4, 6), slice(0, 2)) is None
    whole.check_inside()


def test_patches_are_means_over_the_cells_inside():
    generator = torch.Generator().manual_seed(0)
    maps, cells = torch.randn(2, 3, 5, 6, generator=generator), torch.rand(2, 5, 6, generator=generator) < 0.5
    cells[0, :3, :3] = False
    got = pool(maps, cells.float())
    for image, row, column in np.ndindex(2, 5, 6):
        near = [
            (y, x)
            for y in range(max(row - 1, 0), min(row + 2, 5))
            for x in range(max(column - 1, 0), min(column + 2, 6))
        ]
        chosen = [maps[image, :, y, x] for y, x in near if cells[image, y, x]]
        # Zeros beyond the photograph's border, as without a region.
        want = torch.stack(chosen).mean(0) * len(near) / 9 if chosen else torch.zeros(3)
        torch.testing.assert_close(got[image, :, row, column], want)
    torch.testing.assert_close(pool(maps, torch.ones(2, 5, 6)), pool(maps))


@pytest.mark.parametrize("name", ["patchcore", "patchcore reweight=yes", "cfa", "stfpm", "paste"])
@pytest.mark.grid(2)
def test_other_features_outside_make_the_same_detector(name, wide, fit_method, region):
    detector = wide(name, part=True).method
    other = fit_method(name, size=(64, 96), region=region, outside=9.0, **detector.shortest_fit).method
    one, two = detector.head().state_dict(), other.head().state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    whole = wide(name).method.head().state_dict()
    assert any(whole[key].shape != one[key].shape or not torch.equal(whole[key], one[key]) for key in one)


def test_gaussians_inside_are_those_of_the_whole(wide):
    inside, whole = (wide("padim", part=part).method.mean_ for part in (True, False))
    np.testing.assert_allclose(inside, whole, rtol=1e-3, atol=1e-6)


def test_cfa_has_a_centre_where_anything_is_ever_looked_at(wide, region, fit_method):
    method = wide("cfa", part=True).method
    cells = cells_inside(region[None], (16, 24))[0]
    assert len(method.centres_) == cells.sum() < 16 * 24
    planned = {part.name: part for part in method.planned_parts(method.shapes_)}
    told = {part.name: part for part in method.parts()}
    assert told["centres"].bytes * 16 * 24 == planned["centres"].bytes * cells.sum()
    # Every photograph has the same region here, so a centre is the mean that it would be of the whole but for the rim.
    whole = fit_method("cfa", size=(64, 96), epochs=1).method.centres_.reshape(16, 24, -1)
    core = np.zeros((16, 24), bool)
    core[6:8, 10:12] = True
    of_core = method.centres_[torch.from_numpy(core[cells])]
    assert of_core.shape == (4, whole.shape[2])


def test_banks_are_of_patches_inside(wide, region, fit_method):
    cells = cells_inside(region[None], (16, 24))[0]
    method = fit_method("patchcore", size=(64, 96), region=region, bank_ratio=0.5).method
    assert len(method.bank_) == round(0.5 * 12 * cells.sum())
    assert len(fit_method("patchcore", size=(64, 96), region=region, bank_size=10**6).method.bank_) == 12 * cells.sum()


def test_photographs_to_validate_with_are_looked_at_too(wide, make_photographs):
    detector = wide("paste")
    features = detector.features(make_photographs(3, size=(64, 96)))
    nothing = detector.features(
        make_photographs(2, size=(64, 96)), inside=lambda rows: np.zeros((len(rows), 64, 96), bool)
    )
    with pytest.raises(DataError, match="region of interest"):
        type(detector.method)(epochs=1).fit(features, nothing)
