"""The pruned coreset against the plain algorithm."""

import numpy as np
import pytest
from numpy.typing import NDArray

from flawspot.kernels.coreset import farthest_first


def plain_farthest_first(points: NDArray[np.float32], count: int, first: int) -> tuple[list[int], float]:
    """Every distance to every centre."""
    chosen = [first]
    squared = ((points - points[first]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(squared.argmax()))
        squared = np.minimum(squared, ((points - points[chosen[-1]]) ** 2).sum(1))
    return chosen, float(np.sqrt(squared.max()))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("clustered", [False, True])
def test_the_same_selection_as_without_pruning(seed: int, clustered: bool) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(2000, 8)).astype(np.float32)
    if clustered:
        points += 10 * generator.normal(size=(20, 8)).astype(np.float32)[generator.integers(20, size=2000)]
    coreset = farthest_first(points, 100, seed=seed)
    chosen, radius = plain_farthest_first(points, 100, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    assert coreset.radius == pytest.approx(radius, rel=1e-4)
    assert coreset.distances_computed < 100 * 2000


def test_pruning_saves_most_distances_on_clustered_points() -> None:
    generator = np.random.default_rng(0)
    centres = 30 * generator.normal(size=(50, 4))
    points = (centres[generator.integers(50, size=5000)] + generator.normal(size=(5000, 4))).astype(np.float32)
    assert farthest_first(points, 200).distances_computed < 0.2 * 200 * 5000


def test_asking_for_all_gives_each_point_once() -> None:
    points = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    coreset = farthest_first(points, 100)
    assert sorted(coreset.indices) == list(range(30))
    assert coreset.radius == 0.0


def test_equal_points_do_not_disturb() -> None:
    coreset = farthest_first(np.ones((10, 3), np.float32), 4)
    assert len(coreset.indices) == 4
    assert coreset.radius == 0.0


def test_the_seed_chooses_the_first_point() -> None:
    points = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    assert farthest_first(points, 9, seed=3).indices.tolist() == farthest_first(points, 9, seed=3).indices.tolist()
    assert farthest_first(points, 9, seed=3).indices[0] != farthest_first(points, 9, seed=4).indices[0]
