"""Principal factors with a diagonal, against Woodbury-free inverses."""

import numpy as np
import pytest

from flawspot.methods.padim.gaussian import PositionGaussians
from flawspot.methods.padim.whitening import principal_factors


@pytest.fixture
def vectors():
    """(P, B, C): three strong directions beside noise of each channel's own strength."""
    generator = np.random.default_rng(0)
    loadings = generator.normal(size=(300, 3, 9))
    noise = generator.normal(size=(300, 40, 9)) * generator.uniform(0.1, 0.5, (300, 1, 9))
    return (generator.normal(size=(300, 40, 3)) @ loadings + noise + 5).astype(np.float32)


def fit(vectors, rank, ridge=0.01):
    gaussians = PositionGaussians(len(vectors), vectors.shape[2])
    gaussians.add(vectors)
    scales, factors = (a.astype(np.float64) for a in principal_factors(gaussians, ridge, rank))
    # What they whiten is the inverse of W^T W.
    root = (np.eye(vectors.shape[2]) - factors @ factors.transpose(0, 2, 1)) * scales[:, None]
    return root, gaussians.covariance(ridge)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_they_whiten_the_largest_eigenvectors_and_the_rest_of_the_diagonal(vectors, rank):
    root, covariance = fit(vectors, rank)
    values, eigenvectors = np.linalg.eigh(covariance - 0.01 * np.eye(9))
    loadings = eigenvectors[:, :, -rank:] * np.sqrt(values[:, None, -rank:])
    model = loadings @ loadings.transpose(0, 2, 1)
    diagonal = np.arange(9)
    model[:, diagonal, diagonal] = covariance[:, diagonal, diagonal]
    np.testing.assert_allclose(root.transpose(0, 2, 1) @ root, np.linalg.inv(model), rtol=1e-3, atol=1e-3)


def test_with_all_factors_nothing_is_approximate(vectors):
    root, covariance = fit(vectors, 9)
    np.testing.assert_allclose(np.linalg.inv(root.transpose(0, 2, 1) @ root), covariance, rtol=1e-3, atol=1e-3)


def test_channels_that_never_change_leave_the_ridge(vectors):
    vectors[:] = 1
    root, _ = fit(vectors, 2, ridge=0.25)
    np.testing.assert_allclose(root, np.broadcast_to(2 * np.eye(9), root.shape), atol=1e-5)
