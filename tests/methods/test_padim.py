"""PaDiM against the formulas of its paper in plain numpy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from flawspot.errors import ConfigurationError
from flawspot.methods.padim import PaDiM


def plain_embedding(maps, taps, selected):
    """(N, d, G, G)."""
    grid = maps[taps[0]].shape[2]
    repeated = []
    for tap in taps:
        features = maps[tap].numpy().astype(np.float64)
        factor = grid // features.shape[2]
        repeated.append(features.repeat(factor, axis=2).repeat(factor, axis=3))
    return np.concatenate(repeated, axis=1)[:, selected]


def test_equals_the_formula(fitted, make_photographs, one_thread):
    method = fitted("padim").method
    train = plain_embedding(fitted("padim").maps(make_photographs(12)), method.taps_, method.selected_)
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    test = plain_embedding(fitted("padim").maps(images), method.taps_, method.selected_)
    grid = train.shape[2]
    distance = np.empty((3, grid, grid))
    for i in range(grid):
        for j in range(grid):
            covariance = np.cov(train[:, :, i, j].T) + 0.01 * np.eye(train.shape[1])
            difference = test[:, :, i, j] - train[:, :, i, j].mean(0)
            distance[:, i, j] = np.sqrt(np.einsum("nd,de,ne->n", difference, np.linalg.inv(covariance), difference))
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(distance)[:, None], size=(64, 64), mode="bilinear")
    want = np.stack([gaussian_filter(m, 4 * 64 / 224, mode="reflect") for m in upsampled[:, 0].numpy()])
    with torch.no_grad():
        got, score = fitted("padim").method.head()(fitted("padim").maps(images))
    np.testing.assert_allclose(got, want, rtol=1e-4)
    np.testing.assert_allclose(score, want.max(axis=(1, 2)), rtol=1e-4)


def test_a_quarter_of_the_channels_by_default(fitted):
    method = fitted("padim").method
    assert len(method.selected_) == 62  # of 248, as the PaSTe paper
    assert (np.diff(method.selected_) > 0).all()


def test_more_channels_than_images_are_held_by_the_ridge(fit_method, one_thread):
    whitening = fit_method("padim", channels=60).method.whitening_  # 12 images
    assert np.isfinite(whitening).all()
    assert whitening.max() <= 10 + 1e-3  # 1 / sqrt(ridge)


def test_the_seed_chooses_the_channels(fit_method, one_thread):
    chosen = [fit_method("padim", seed=seed, channels=30).method.selected_.tolist() for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_more_channels_than_there_are(fit_method):
    with pytest.raises(ConfigurationError, match="have 248 in all"):
        fit_method("padim", channels=249)


@pytest.mark.parametrize("settings", [{"channels": 0}, {"ridge": 0.0}])
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        PaDiM(**settings)
