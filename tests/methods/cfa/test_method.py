"""CFA against its formulas in plain numpy and torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from flawspot.errors import ConfigurationError
from flawspot.methods.cfa.costs import levels
from flawspot.methods.cfa.descriptor import Descriptor
from flawspot.methods.cfa.method import CFA
from flawspot.methods.cfa.nearest_by_layer import squared_distances
from flawspot.methods.cfa.training import hypersphere_loss
from flawspot.methods.patches import join, pool
from flawspot.methods.shapes import Shapes


def plain_description(fitted, images):
    """(N, P, C) float64: pooled, interpolated, and through the descriptor as one product with coordinates appended."""
    method = fitted.method
    maps = fitted.maps(images)
    pooled = [F.avg_pool2d(maps[tap].double(), 3, 1, 1) for tap in method.shapes_.taps]
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


def plain_loss(described, centres, radius, method):
    """Every distance differentiated."""
    squared = (described[:, None] - centres[None]).square().sum(2).sort(dim=1).values
    nearest, repelled = squared[:, : method.nearest], squared[:, method.nearest : method.nearest + method.repelled]
    attraction = (nearest - radius**2).clamp(min=0).mean() / method.nu
    return attraction + (radius**2 - repelled - method.alpha).clamp(min=0).mean() / method.nu


def test_the_loss_has_the_gradient_of_the_plain_one():
    """Differentiating only the nearest distances is exact."""
    method = CFA()
    generator = torch.Generator().manual_seed(0)
    described = torch.randn(60, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    centres = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    radius = torch.tensor(1.6, dtype=torch.float64, requires_grad=True)
    index = torch.cdist(described.detach(), centres).topk(6, largest=False).indices
    loss = hypersphere_loss(method, squared_distances(described, centres, index), radius)
    want = plain_loss(described, centres, radius, method)
    torch.testing.assert_close(loss, want)
    for one, other in zip(
        torch.autograd.grad(loss, [described, radius]), torch.autograd.grad(want, [described, radius]), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_training_is_the_plain_loop(fitted, fit_method, make_photographs, one_thread):
    """Pooled, interpolated, described anew in every step, and all distances differentiated: the same losses."""
    method = fit_method("cfa", epochs=3).method
    maps = fitted("cfa").maps(make_photographs(12))
    patches = join([pool(maps[tap]) for tap in method.shapes_.taps], (16, 16), "bilinear")  # (N, C, G, G)
    descriptor = Descriptor(levels(method.shapes_), 0)
    axis = torch.linspace(-1, 1, 16)
    where = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None]

    def describe(rows):
        return (descriptor.features(patches[rows]) + descriptor.position(where)).permute(0, 2, 3, 1).flatten(0, 2)

    with torch.no_grad():
        centres = describe(np.arange(12)).reshape(12, 256, -1).mean(0)
    torch.testing.assert_close(method.centres_, centres, rtol=1e-4, atol=1e-5)
    radius = torch.nn.Parameter(torch.tensor(1e-5))
    optimizer = torch.optim.AdamW([*descriptor.parameters(), radius], 1e-3, weight_decay=5e-4, amsgrad=True)
    generator = np.random.default_rng(0)
    losses = []
    for _ in range(3):
        total = 0.0
        for rows in np.array_split(generator.permutation(12), 3):
            loss = plain_loss(describe(rows), centres, radius, method)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / 12)
    assert method.training_losses_ == pytest.approx(losses, rel=1e-4)


def test_it_takes_at_most_six_hundred_million_macs_at_224():
    """MobileNetV2, layers 3, 8 and 14, with its backbone of 225.5 M: 2,861 M as one product with the centres."""
    maps = {3: (24, 56, 56), 8: (64, 14, 14), 14: (160, 7, 7)}
    total = 225.5e6 + sum(
        part.macs for part in CFA().planned_parts(Shapes("mobilenet_v2", (3, 8, 14), maps, (224, 224), 200))
    )
    assert 0.55e9 < total < 0.6e9


def test_training_lowers_the_loss(fit_method, one_thread):
    losses = fit_method("cfa", epochs=4).method.training_losses_
    assert len(losses) == 4
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("epochs", "copies", "passes"), [(30, 0, 30), (30, 2, 10), (10, 2, 4), (1, 5, 1)])
def test_copies_take_no_more_steps(epochs, copies, passes, fitted, make_photographs, one_thread):
    assert CFA(epochs=epochs).passes(copies) == passes
    if epochs == 10:
        features = fitted("cfa").features(make_photographs(6), copies=copies)
        assert len(CFA(epochs=epochs).fit(features).training_losses_) == passes
        shapes = features.shapes
        assert shapes.copies == copies
        assert CFA(epochs=epochs).training_costs(shapes).epochs == passes


@pytest.mark.parametrize("settings", [{"nearest": 0}, {"repelled": -1}, {"nu": 0.0}, {"epochs": 0}, {"alpha": -1.0}])
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        CFA(**settings)


def test_more_neighbours_than_positions(fit_method):
    with pytest.raises(ConfigurationError, match="only 256 positions"):
        fit_method("cfa", nearest=200, repelled=100)
