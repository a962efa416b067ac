"""PaDiM against the formulas of its paper in plain numpy."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from flawspot.errors import ConfigurationError
from flawspot.methods.padim.method import PaDiM
from flawspot.methods.padim.selection import SELECTIONS
from flawspot.methods.shapes import Shapes


def plain_embedding(maps, taps, selected):
    """(N, d, G, G)."""
    grid = maps[taps[0]].shape[2]
    repeated = []
    for tap in taps:
        features = maps[tap].numpy().astype(np.float64)
        factor = grid // features.shape[2]
        repeated.append(features.repeat(factor, axis=2).repeat(factor, axis=3))
    joined = np.concatenate(repeated, axis=1)
    return joined[:, selected] if np.ndim(selected) == 1 else np.einsum("nchw,cd->ndhw", joined, selected)


def smoothed(distance):
    """(N, G, G) -> (N, 64, 64)."""
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(distance)[:, None], size=(64, 64), mode="bilinear")
    return np.stack([gaussian_filter(m, 4 * 64 / 224, mode="reflect") for m in upsampled[:, 0].numpy()])


@pytest.fixture
def judged(make_photographs):
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    return images


def predict(fitted, images):
    with torch.no_grad():
        return fitted.method.head()(fitted.maps(images))


def kept(method):
    """What the channels are indexed or multiplied with: (d,) or (C, d)."""
    if len(method.selected_):
        return method.selected_
    return np.concatenate([own.astype(np.float64).T for _, own in method.chosen_])


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_equals_the_formula(covariance, selection, fitted, make_photographs, judged, one_thread):
    detector = fitted(f"padim covariance={covariance} selection={selection}")
    method = detector.method
    train = plain_embedding(detector.maps(make_photographs(12)), method.shapes_.taps, kept(method))
    test = plain_embedding(detector.maps(judged), method.shapes_.taps, kept(method))
    grid = train.shape[2]
    distance = np.empty((3, grid, grid))
    for i in range(grid):
        for j in range(grid):
            covariances = np.cov(train[:, :, i, j].T) + 0.01 * np.eye(train.shape[1])
            if covariance == "diagonal":
                covariances = np.diag(np.diag(covariances))
            difference = test[:, :, i, j] - train[:, :, i, j].mean(0)
            distance[:, i, j] = np.sqrt(np.einsum("nd,de,ne->n", difference, np.linalg.inv(covariances), difference))
    want = smoothed(distance)
    got, score = predict(detector, judged)
    near = 2e-5 if len(method.selected_) else 1e-4
    np.testing.assert_allclose(got, want, rtol=near)
    np.testing.assert_allclose(score, want.max(axis=(1, 2)), rtol=near)


@pytest.mark.parametrize(
    "variant", ["", " covariance=diagonal", " covariance=low_rank", " covariance=low_rank precision=float16"]
)
def test_the_head_is_its_whitening(variant, fitted, judged, one_thread):
    """Bands, scales and factors multiply as the matrix they stand for."""
    detector = fitted("padim" + variant)
    method = detector.method
    test = plain_embedding(detector.maps(judged), method.shapes_.taps, method.selected_)
    difference = test.transpose(2, 3, 1, 0).reshape(256, -1, 3) - method.mean_[..., None]  # (P, d, N)
    distance = np.linalg.norm(method.whitening_.astype(np.float64) @ difference, axis=1)
    got, _ = predict(detector, judged)
    np.testing.assert_allclose(got, smoothed(distance.T.reshape(3, 16, 16)), rtol=1e-5)


def test_more_factors_come_closer_to_the_full_covariance(fitted, fit_method, judged, one_thread):
    want, _ = predict(fitted("padim"), judged)
    errors = []
    for variant in ("covariance=diagonal", "covariance=low_rank rank=2", "covariance=low_rank rank=12"):
        got, _ = predict(fit_method(f"padim {variant}"), judged)
        errors.append(float((got - want).abs().mean() / want.mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3  # 12 images vary in 11 directions


def test_half_precision_changes_little(fitted, judged, one_thread):
    want, _ = predict(fitted("padim"), judged)
    got, _ = predict(fitted("padim precision=float16"), judged)
    np.testing.assert_allclose(got, want, rtol=2e-3)


@pytest.mark.parametrize(
    ("settings", "mebibytes"),
    [({}, 27), ({"precision": "float16"}, 15), ({"covariance": "low_rank"}, 8), ({"covariance": "diagonal"}, 2)],
)
def test_what_it_stores_at_224(settings, mebibytes):
    """62 channels at 56 x 56 positions, which are 46.7 MiB with whole matrices."""
    maps = {3: (24, 56, 56), 8: (64, 14, 14), 14: (160, 7, 7)}
    parts = PaDiM(**settings).planned_parts(Shapes("mobilenet_v2", (3, 8, 14), maps, (224, 224), 200))
    assert sum(part.bytes for part in parts) <= mebibytes * 2**20


@pytest.mark.parametrize("covariance", ["full", "low_rank", "diagonal"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_parts_are_what_is_stored(covariance, precision, fit_method, one_thread):
    """Down to the byte: arrays as `fit` leaves them, and the smoothing's matrix."""
    method = fit_method("padim", covariance=covariance, precision=precision).method
    stored = {"means": method.mean_.nbytes, "smoothing": 4 * 64 * 16}
    if covariance == "full":
        stored["inverse covariances"] = sum(band.nbytes for band in method.bands_)
    else:
        stored["deviations"] = method.scale_.nbytes
    if covariance == "low_rank":
        stored["factors"] = method.factors_.nbytes
    assert {part.name: part.bytes for part in method.parts()} == stored
    assert len(method.mean_[0]) == method.kept(method.shapes_) == 62


def test_a_finest_layer_without_selected_channels(fit_method, make_photographs, one_thread):
    """The map keeps the finest grid."""
    for seed in range(20):
        detector = fit_method("padim", channels=2, seed=seed)
        if len(detector.method.chosen_) == 1 and detector.method.chosen_[0][0] != 3:
            break
    assert detector.method.mean_.shape == (256, 2)
    assert predict(detector, make_photographs(1))[0].shape == (1, 64, 64)


@pytest.mark.parametrize("covariance", ["full", "low_rank", "diagonal"])
def test_each_tile_has_gaussians_of_its_own(covariance, fit_method, make_photographs, one_thread):
    """Those that a detector of that tile alone has; of other photographs, however many in a batch."""
    detector = fit_method("padim", size=(64, 96), tiles=3, covariance=covariance)
    images = make_photographs(6, seed=9, size=(64, 96))
    with torch.no_grad():
        found, _ = detector.method.head()(detector.maps(images))
        for tile in range(3):
            alone = PaDiM(covariance=covariance)
            alone.fit(
                dataclasses.replace(detector.features(make_photographs(12, size=(64, 96))), rows=np.arange(tile, 12, 3))
            )
            assert np.array_equal(alone.mean_, detector.method.mean_[tile * 384 : (tile + 1) * 384])
            want, _ = alone.head()(detector.maps(images[tile::3]))
            np.testing.assert_allclose(found[tile::3], want, rtol=1e-4)
    once = {part.name: part for part in alone.parts()}
    for part in detector.method.parts():
        assert part.macs == once[part.name].macs
        assert part.bytes == once[part.name].bytes * (1 if part.name == "smoothing" else 3)


def test_tiles_that_are_no_whole_photographs_are_refused(wide, make_photographs):
    with pytest.raises(ValueError, match="5 tiles are not whole photographs of 3 tiles each"):
        PaDiM().fit(wide("padim").features(make_photographs(5, size=(64, 96)), tiles=3))


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


def test_more_factors_than_channels(fit_method):
    with pytest.raises(ConfigurationError, match="only 5 channels are kept"):
        fit_method("padim", channels=5, covariance="low_rank", rank=6)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 0},
        {"ridge": 0.0},
        {"rank": 0},
        {"covariance": "half"},
        {"precision": "int8"},
        {"selection": "best"},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        PaDiM(**settings)
