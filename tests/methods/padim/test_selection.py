"""Which numbers are kept, against plain numpy."""

import dataclasses

import numpy as np
import pytest

from flawspot.methods.padim.selection import most_varying, principal_components, semi_orthogonal


@pytest.fixture
def features(fitted, make_photographs):
    return fitted("padim").features(make_photographs(12))


def repeated(features):
    """(N, C, H, W)."""
    maps = [features.batch(tap, slice(None)).astype(np.float64) for tap in features.taps]
    height = max(each.shape[2] for each in maps)
    factors = [height // each.shape[2] for each in maps]
    return np.concatenate([m.repeat(f, axis=2).repeat(f, axis=3) for m, f in zip(maps, factors, strict=True)], axis=1)


def test_a_random_matrix_is_semi_orthogonal():
    one, two, other = (semi_orthogonal(50, 20, seed) for seed in (3, 3, 4))
    np.testing.assert_allclose(one.T @ one, np.eye(20), atol=1e-12)
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


def test_components_are_those_of_all_patches(features):
    patches = repeated(features).transpose(0, 2, 3, 1).reshape(-1, 248)
    covariance = np.cov(patches.T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    found = principal_components(features, 30)
    np.testing.assert_allclose(found.T @ found, np.eye(30), atol=1e-12)
    explained = np.diag(found.T @ covariance @ found)
    np.testing.assert_allclose(explained, values[::-1][:30], rtol=1e-4)
    assert abs(found[:, 0] @ vectors[:, -1]) == pytest.approx(1, abs=1e-5)
    assert (found[np.abs(found).argmax(0), np.arange(30)] > 0).all()


def test_the_channels_that_vary_most(features):
    variance = repeated(features).var(axis=0, ddof=1).mean((1, 2))
    np.testing.assert_array_equal(most_varying(features, 30), np.sort(np.argsort(-variance)[:30]))


def test_each_tile_has_variances_of_its_own(features):
    """Tiles that differ from each other do not vary for that."""
    cut = dataclasses.replace(features, tiles=3)
    variance = repeated(features).reshape(4, 3, 248, 16, 16).var(axis=0, ddof=1).mean((0, 2, 3))
    np.testing.assert_array_equal(most_varying(cut, 30), np.sort(np.argsort(-variance)[:30]))


@pytest.mark.parametrize("choose", [most_varying, principal_components])
def test_what_is_outside_is_not_asked(choose, fitted, region, change_elsewhere, make_photographs):
    """Even where it varies."""
    features = fitted("padim").features(
        make_photographs(6, size=(64, 96)), inside=lambda rows: region[None].repeat(len(rows), 0)
    )
    changed = change_elsewhere(features.maps, features.taps, region, 0.0)
    for number in range(6):
        one = {layer: each[number : number + 1] for layer, each in changed.items()}
        for layer, each in change_elsewhere(one, features.taps, region, 40.0 * number).items():
            changed[layer][number] = each[0]
    other = dataclasses.replace(features, maps=changed)
    np.testing.assert_allclose(choose(other, 20), choose(features, 20), atol=1e-5)
