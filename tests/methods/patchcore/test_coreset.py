"""The coreset with bounds against the plain algorithm."""

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from flawspot.methods.patchcore import clusters
from flawspot.methods.patchcore import coreset as module
from flawspot.methods.patchcore.coreset import farthest_first


def plain_farthest_first(points: NDArray[np.float32], count: int, first: int) -> tuple[list[int], float]:
    """Every distance to every centre; the selected points are out of the running."""
    chosen = [first]
    squared = ((points - points[first]) ** 2).sum(1)
    squared[first] = -1
    while len(chosen) < min(count, len(points)):
        chosen.append(int(squared.argmax()))
        squared = np.minimum(squared, ((points - points[chosen[-1]]) ** 2).sum(1))
        squared[chosen[-1]] = -1
    return chosen, float(np.sqrt(max(squared.max(), 0)))


def cached_norms(points: NDArray[np.float32], count: int, first: int) -> tuple[list[int], float]:
    """The usual implementation: ``|x|^2 - 2 x.c + |c|^2`` with a matrix-vector product for each centre."""
    norms = np.einsum("nd,nd->n", points, points)
    chosen, squared = [first], np.full(len(points), np.inf, np.float32)
    for _ in range(count):
        np.minimum(squared, norms - 2 * (points @ points[chosen[-1]]) + norms[chosen[-1]], out=squared)
        chosen.append(int(squared.argmax()))
    return chosen[:count], float(np.sqrt(squared.max()))


def cloud(kind: str, seed: int, total: int, dimensions: int) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(total, dimensions))
    if kind == "clusters":
        points += 10 * generator.normal(size=(20, dimensions))[generator.integers(20, size=total)]
    if kind == "far from zero":
        points = 0.1 * points + 100
    if kind == "in a plane":  # a sketch leaves nothing out
        points = generator.normal(size=(total, 3)) @ generator.normal(size=(3, dimensions))
    if kind == "repeated":  # as coarse features over a fine grid
        points[:, dimensions // 2 :] = np.repeat(points[:, dimensions // 2 :][::16], 16, axis=0)[:total]
    if kind == "heavy tails":
        points = points**5
    return points.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dimensions", [1, 8, 100])
@pytest.mark.parametrize("kind", ["plain", "clusters", "far from zero", "in a plane", "repeated", "heavy tails"])
def test_the_same_selection_as_with_all_distances(kind: str, dimensions: int, seed: int) -> None:
    points = cloud(kind, seed, 2000, dimensions)
    coreset = farthest_first(points, 150, seed=seed)
    first = int(coreset.indices[0])
    chosen, radius = plain_farthest_first(points, 150, first)
    assert coreset.radius == pytest.approx(radius, rel=1e-4)
    # Distances that differ in their last bit may change places.
    if kind in ("plain", "clusters", "repeated") and dimensions > 1:
        assert coreset.indices.tolist() == chosen
        assert coreset.radius == pytest.approx(cached_norms(points, 150, first)[1], rel=1e-4)
    assert coreset.distances_computed <= 150 * 2000 + 150 * 149 / 2  # at worst all, and those between the centres


@pytest.mark.parametrize("dimensions", [2, 90])
@pytest.mark.parametrize("count", [1, 2, 40, 399, 400, 1000])
def test_ties_go_to_the_first_point(dimensions: int, count: int) -> None:
    # Small whole numbers: every distance is exact, most occur many times, and so do the points themselves.
    points = np.random.default_rng(count).integers(0, 3, (400, dimensions)).astype(np.float32)
    points[:, 4:] = 0
    coreset = farthest_first(points, count)
    chosen, radius = plain_farthest_first(points, count, int(coreset.indices[0]))
    assert coreset.indices.tolist() == chosen
    assert coreset.radius == pytest.approx(radius, rel=1e-6)


def test_without_a_place_for_caches_it_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def refuse(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(clusters.numba, "njit", refuse)
    assert clusters._compiled(lambda x: x + 1)(2) == 3


def test_gaps_are_closed_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    close = module.close_gaps
    monkeypatch.setattr(module, "close_gaps", lambda *a: closed.append(close(*a)) or closed[-1])
    # On a line each new centre halves a gap, so that points move many times.
    points = np.random.default_rng(0).random((5000, 1)).astype(np.float32)
    coreset = farthest_first(points, 1500)
    assert closed
    assert coreset.indices.tolist() == plain_farthest_first(points, 1500, int(coreset.indices[0]))[0]


def test_bounds_save_most_distances_on_clustered_points() -> None:
    generator = np.random.default_rng(0)
    centres = 30 * generator.normal(size=(50, 100))
    points = (centres[generator.integers(50, size=5000)] + generator.normal(size=(5000, 100))).astype(np.float32)
    coreset = farthest_first(points, 200)
    assert coreset.distances_computed < 0.1 * 200 * 5000
    assert coreset.sketches_compared < 0.2 * 200 * 5000


@pytest.mark.parametrize("total", [1, 2, 30])
def test_asking_for_all_gives_each_point_once(total: int) -> None:
    points = np.random.default_rng(0).normal(size=(total, 3)).astype(np.float32)
    coreset = farthest_first(points, 100)
    assert sorted(coreset.indices) == list(range(total))
    assert coreset.radius == 0.0


def test_equal_points_do_not_disturb() -> None:
    coreset = farthest_first(np.ones((10, 3), np.float32), 4)
    assert len(set(coreset.indices.tolist())) == 4
    assert coreset.radius == 0.0


def test_the_points_are_left_as_they_are() -> None:
    points = cloud("clusters", 0, 500, 100)
    before = points.copy()
    points.flags.writeable = False
    farthest_first(points, 50)
    np.testing.assert_array_equal(points, before)


def test_the_seed_chooses_the_first_point() -> None:
    points = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    assert farthest_first(points, 9, seed=3).indices.tolist() == farthest_first(points, 9, seed=3).indices.tolist()
    assert farthest_first(points, 9, seed=3).indices[0] != farthest_first(points, 9, seed=4).indices[0]
