"""CFA against its formulas in plain numpy and torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from flawspot.errors import ConfigurationError
from flawspot.methods.cfa import CFA


def plain_description(fitted, images):
    """(N, P, C) float64: pooled, interpolated, and through the descriptor as one product with coordinates appended."""
    method = fitted.method
    maps = fitted.maps(images)
    pooled = [F.avg_pool2d(maps[tap].double(), 3, 1, 1) for tap in method.taps_]
    grid = pooled[0].shape[2]
    patches = torch.cat([F.interpolate(p, size=(grid, grid), mode="bilinear") for p in pooled], 1)
    axis = torch.linspace(-1, 1, grid).double()
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    coordinates = torch.stack([rows, columns]).expand(len(images), -1, -1, -1)
    weight = torch.cat([method.descriptor_.features.weight, method.descriptor_.position.weight], 1)[:, :, 0, 0].double()
    stacked = torch.cat([patches, coordinates], 1).flatten(2)
    described = torch.einsum("oc,ncp->npo", weight, stacked) + method.descriptor_.features.bias.double()
    return described.numpy(), grid


def test_equals_the_formula(fitted, make_photographs, one_thread):
    method = fitted("cfa").method
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    described, grid = plain_description(fitted("cfa"), images)
    want = []
    for image in described:
        distances = np.linalg.norm(image[:, None] - method.centres_.double().numpy()[None], axis=2)
        nearest = np.sort(distances, axis=1)[:, : method.nearest]
        certainty = np.exp(-nearest[:, 0]) / np.exp(-nearest).sum(1)
        anomaly = torch.from_numpy((certainty * nearest[:, 0]).reshape(1, 1, grid, grid))
        upsampled = F.interpolate(anomaly, size=(64, 64), mode="bilinear")[0, 0].numpy()
        want.append(gaussian_filter(upsampled, 4 * 64 / 224, mode="reflect"))
    with torch.no_grad():
        got, score = method.head()(fitted("cfa").maps(images))
    np.testing.assert_allclose(got, want, rtol=1e-4)
    np.testing.assert_allclose(score, np.max(want, axis=(1, 2)), rtol=1e-4)


def test_the_loss_has_the_gradient_of_the_plain_one():
    """Differentiating only the nearest distances is exact."""
    method = CFA()
    generator = torch.Generator().manual_seed(0)
    described = torch.randn(2, 30, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    centres = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    radius = torch.tensor(1.6, dtype=torch.float64, requires_grad=True)
    loss = method._loss(described, centres, radius)
    got = torch.autograd.grad(loss, [described, radius])
    squared = (described.reshape(-1, 1, 6) - centres[None]).square().sum(2).sort(dim=1).values
    attraction = (squared[:, :3] - radius**2).clamp(min=0).mean() / 1e-3
    repulsion = (radius**2 - squared[:, 3:6] - 0.1).clamp(min=0).mean() / 1e-3
    want = torch.autograd.grad(attraction + repulsion, [described, radius])
    torch.testing.assert_close(loss, attraction + repulsion)
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other)


def test_training_lowers_the_loss(fit_method, one_thread):
    losses = fit_method("cfa", epochs=4).method.training_losses_
    assert len(losses) == 4
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("settings", [{"nearest": 0}, {"repelled": -1}, {"nu": 0.0}, {"epochs": 0}])
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        CFA(**settings)


def test_more_neighbours_than_positions(fit_method):
    with pytest.raises(ConfigurationError, match="only 256 positions"):
        fit_method("cfa", nearest=200, repelled=100)
