"""Streaming Gaussians against numpy's covariance."""

import numpy as np
import pytest

from flawspot.methods.padim.bands import unpack
from flawspot.methods.padim.gaussian import PositionGaussians, whitening


@pytest.mark.parametrize("batches", [[40], [1] * 40, [7, 13, 20]])
def test_streaming_equals_all_at_once(batches: list[int]) -> None:
    # A large mean would ruin a naive sum of squares.
    vectors = np.random.default_rng(0).normal(1000.0, 1.0, size=(5, 40, 6)).astype(np.float32)
    gaussians = PositionGaussians(5, 6)
    start = 0
    for size in batches:
        gaussians.add(vectors[:, start : start + size])
        start += size
    for position in range(5):
        np.testing.assert_allclose(gaussians.mean()[position], vectors[position].mean(0, dtype=np.float64), rtol=1e-7)
        expected = np.cov(vectors[position].astype(np.float64).T) + 0.01 * np.eye(6)
        np.testing.assert_allclose(gaussians.covariance(0.01)[position], expected, atol=1e-4)


def test_one_image_leaves_the_ridge() -> None:
    gaussians = PositionGaussians(2, 3)
    gaussians.add(np.ones((2, 1, 3), np.float32))
    np.testing.assert_allclose(gaussians.covariance(0.5), np.broadcast_to(0.5 * np.eye(3), (2, 3, 3)))


def test_whitening_gives_the_mahalanobis_distance() -> None:
    generator = np.random.default_rng(0)
    root = generator.normal(size=(4, 5, 5))
    covariance = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(5)
    x = generator.normal(size=(4, 5))
    whitened = np.einsum("pij,pj->pi", whitening(covariance), x)
    expected = np.sqrt(np.einsum("pi,pij,pj->p", x, np.linalg.inv(covariance), x))
    np.testing.assert_allclose(np.linalg.norm(whitened, axis=1), expected)


@pytest.mark.parametrize("diagonal", [False, True])
def test_variances(diagonal: bool) -> None:
    vectors = np.random.default_rng(0).normal(1000.0, 1.0, size=(5, 40, 21)).astype(np.float32)
    gaussians = PositionGaussians(5, 21, diagonal=diagonal)
    for start in range(0, 40, 16):
        gaussians.add(vectors[:, start : start + 16])
    np.testing.assert_allclose(gaussians.variance(), vectors.astype(np.float64).var(axis=1, ddof=1), rtol=1e-4)


def test_whitening_by_bands_and_some_positions_at_a_time_is_that_of_numpy() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 40, 21)).astype(np.float32)
    gaussians = PositionGaussians(300, 21)
    gaussians.add(vectors)
    want = [np.linalg.inv(np.linalg.cholesky(np.cov(v.astype(np.float64).T) + 0.01 * np.eye(21))) for v in vectors]
    np.testing.assert_allclose(unpack(gaussians.whitening_bands(0.01)), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gaussians.covariance(0.01, slice(7, 9)), gaussians.covariance(0.01)[7:9])
