"""PatchCore against the formulas of its paper in plain numpy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter, zoom

from flawspot.errors import ConfigurationError
from flawspot.methods.patchcore.candidates import channel_scales
from flawspot.methods.patchcore.coreset import SELECTION_BYTES
from flawspot.methods.patchcore.method import PatchCore
from flawspot.methods.registry import create_method
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.onnx_checks import check_model
from flawspot.training.graph import to_onnx


def plain_patches(maps, taps):
    """(N, G, G, C): 3 x 3 averages with zeros beyond the border, coarse layers repeated."""
    grid = maps[taps[0]].shape[2]
    pooled = []
    for tap in taps:
        features = maps[tap].numpy().astype(np.float64)
        mean = uniform_filter(features, size=(1, 1, 3, 3), mode="constant")
        factor = grid // features.shape[2]
        pooled.append(zoom(mean, (1, 1, factor, factor), order=0, grid_mode=True, mode="nearest"))
    return np.concatenate(pooled, axis=1).transpose(0, 2, 3, 1)


def plain(fitted, images):
    """Maps (N, S, S) and scores."""
    method = fitted.method
    patches = plain_patches(fitted.maps(images), method.shapes_.taps)
    if method.standardize:
        patches = patches * method.scales_
    bank = method.bank_.astype(np.float64)
    maps, scores = [], []
    for image in patches:
        flat = image.reshape(-1, image.shape[2])
        distances = np.linalg.norm(flat[:, None] - bank[None], axis=2)  # (G * G, M)
        nearest = distances.min(1)
        if method.reweight:
            worst = nearest.argmax()
            member = bank[distances[worst].argmin()]
            around = np.argsort(np.linalg.norm(bank - member, axis=1))[: method.neighbours]
            nearest *= 1 - np.exp(nearest[worst]) / np.exp(distances[worst, around]).sum()
        grid = torch.from_numpy(nearest.reshape(1, 1, *image.shape[:2]))
        upsampled = torch.nn.functional.interpolate(grid, size=(64, 64), mode="bilinear")[0, 0].numpy()
        maps.append(gaussian_filter(upsampled, method.sigma * 64 / 224, mode="reflect"))
        scores.append(maps[-1].max())
    return np.array(maps), np.array(scores)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"reweight": True, "bank_size": 100},
        *({"layers": layers, "bank_size": 300, "standardize": "channel"} for layers in ("equiv", "mid")),
        # Layers that nest and layers that do not.
        *({"layers": layers, "bank_size": 300} for layers in ("equiv", "mid", "low", "2,8")),
    ],
)
def test_equals_the_formula(settings, fit_method, make_photographs, one_thread):
    fitted = fit_method("patchcore", **settings)
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    want_map, want_score = plain(fitted, images)
    with torch.no_grad():
        got_map, got_score = fitted.method.head()(fitted.maps(images))
    np.testing.assert_allclose(got_map, want_map, rtol=1e-4)
    np.testing.assert_allclose(got_score, want_score, rtol=1e-4)


@pytest.mark.parametrize("layers", ["equiv", "mid"])
def test_the_second_search_of_the_reweighting_is_counted(layers, fit_method, one_thread):
    plain, weighed = (fit_method("patchcore", layers=layers, bank_size=100, reweight=r).method for r in (False, True))
    bank, own = (method.parts()[0] for method in (plain, weighed))
    assert own.bytes == bank.bytes
    # To all 100 members, less what nested ones share, and from the patch to nine of them.
    rows, channels = weighed.bank_.shape
    assert 9 * channels < own.macs - bank.macs <= (rows + 9) * channels * 1.05


def test_the_bank_holds_patches_of_the_training_images(fitted, make_photographs):
    method = fitted("patchcore").method
    everything = plain_patches(fitted("patchcore").maps(make_photographs(12)), method.shapes_.taps).reshape(-1, 248)
    for row in method.bank_[:20]:
        assert np.abs(everything - row).max(axis=1).min() < 1e-4


def test_bank_size_and_ratio(fit_method, one_thread):
    assert fit_method("patchcore", bank_size=37).method.bank_.shape == (37, 248)
    assert fit_method("patchcore", bank_ratio=0.05).method.bank_.shape == (round(0.05 * 12 * 256), 248)


def test_a_pool_bounds_what_the_bank_is_selected_from(fitted, fit_method, make_photographs, one_thread):
    """So many patches, of each photograph its share, as planned."""
    everything = plain_patches(fitted("patchcore").maps(make_photographs(12)), (3, 8, 14))
    one, two, other = (fit_method("patchcore", pool=100, bank_size=500, seed=seed).method for seed in (0, 0, 1))
    assert one.bank_.shape == (100, 248)
    np.testing.assert_array_equal(one.bank_, two.bank_)
    assert not np.array_equal(np.sort(one.bank_, axis=0), np.sort(other.bank_, axis=0))
    of = [np.abs(everything - row).max(axis=3).reshape(12, -1).min(1).argmin() for row in one.bank_]
    assert set(np.bincount(of, minlength=12)) == {8, 9}
    assert fit_method("patchcore", pool=100, bank_ratio=0.2).method.bank_.shape == (20, 248)
    costs = one.training_costs(one.shapes_)
    assert [item.bytes for item in costs.items] == [100 * 248 * 4, 100 * SELECTION_BYTES, 100 * 248 * 4]
    assert not any(item.per_image for item in costs.items)
    larger = fit_method("patchcore", pool=10**6).method
    # Fitted elsewhere with as many threads as there are: the same patches, but for the last bits.
    np.testing.assert_allclose(larger.bank_, fitted("patchcore").method.bank_, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bank_size": 0}, "bank_size"),
        ({"pool": 0}, "pool"),
        ({"bank_ratio": 1.5}, "bank_ratio"),
        ({"neighbours": 0}, "neighbours"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        PatchCore(**settings)


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"bank_size": "300"}, 300),
        ({"bank_ratio": "0.1"}, 0.1),
        ({"bank_ratio": "none"}, None),
        ({"reweight": "yes"}, True),
    ],
)
def test_settings_as_the_command_line_has_them(settings, value):
    assert getattr(create_method("patchcore", settings), next(iter(settings))) == value


@pytest.mark.parametrize("settings", [{"bank_size": "many"}, {"bank_size": 1.5}, {"reweight": 3}, {"sigma": "x"}])
def test_settings_of_the_wrong_type(settings):
    with pytest.raises(ConfigurationError, match="must be"):
        create_method("patchcore", settings)


@pytest.mark.parametrize("reweight", [False, True])
@pytest.mark.parametrize("layers", ["equiv", "mid"])
def test_quantized_the_distances_are_those_to_the_decoded_bank(
    layers, reweight, fit_method, make_photographs, one_thread
):
    settings = {"bank_size": 400, "quantization": "product", "bits": 6, "reweight": reweight}
    fitted = fit_method("patchcore", layers=layers, standardize="channel" if reweight else None, **settings)
    images = make_photographs(2, seed=9)
    images[1, 5:25, 5:25] = 220
    with torch.no_grad():
        got_map, got_score = fitted.method.head()(fitted.maps(images))
    exact = fitted.method.bank_
    assert fitted.method.quantizer_ is not None
    fitted.method.bank_ = fitted.method.quantizer_.decode(fitted.method.quantizer_.encode(exact))
    want_map, want_score = plain(fitted, images)
    np.testing.assert_allclose(got_map, want_map, rtol=1e-3)
    np.testing.assert_allclose(got_score, want_score, rtol=1e-3)


def test_a_quantized_bank_is_small_in_the_file_too(fit_method, one_thread):
    exact = fit_method("patchcore", bank_size=2000)
    coded = fit_method("patchcore", bank_size=2000, quantization="product", bits=4)
    sizes = [len(to_onnx(f.graph, OUTPUTS)) for f in (exact, coded)]
    stored = [f.method.parts()[0].bytes for f in (exact, coded)]
    assert stored[1] < stored[0] / 2
    # The exporter stores constants of up to 256 KiB more than once where they are cut or transposed.
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("quantization", [None, "product"])
def test_what_is_searched_in_rounds_can_be_shipped(quantization, fit_method):
    """A bank that is large enough for several rounds of the search."""
    detector = fit_method("patchcore", bank_size=700, quantization=quantization)
    assert detector.method.head().search.candidates
    check_model(to_onnx(detector.graph, OUTPUTS))


@pytest.mark.parametrize("layers", ["equiv", "mid", "3"])
def test_standardised_each_channel_is_divided_by_its_deviation(layers, fit_method, make_photographs, one_thread):
    settings = {"layers": layers, "bank_size": 300, "standardize": "channel"}
    fitted = fit_method("patchcore", **settings)
    train = plain_patches(fitted.maps(make_photographs(12)), fitted.method.shapes_.taps)
    deviation = train.reshape(-1, train.shape[3]).std(0)
    np.testing.assert_allclose(fitted.method.scales_, 1 / deviation, rtol=1e-5)
    bank = fitted.method.bank_.astype(np.float64)
    everything = (train / deviation).reshape(-1, train.shape[3])
    assert max(np.abs(everything - row).max(1).min() for row in bank[:10]) < 1e-3
    part = {part.name: part for part in fitted.method.parts()}["channel scales"]
    shapes = fitted.method.shapes_
    assert part.bytes == 4 * shapes.channels
    assert part.macs == sum(c * h * w for c, h, w in shapes.maps.values())


@pytest.mark.parametrize("layers", ["equiv", "mid"])
def test_a_bank_that_holds_every_standardised_patch_knows_them_all(layers, fit_method, make_photographs, one_thread):
    """Its rows and the queries went through the very same product."""
    fitted = fit_method("patchcore", layers=layers, bank_size=10**6, standardize="channel")
    with torch.no_grad():
        assert fitted.method.head()(fitted.maps(make_photographs(12)))[1].max() == 0


def test_by_default_nothing_is_standardised(fitted):
    head = fitted("patchcore").method.head()
    assert fitted("patchcore").method.scales_ is None
    assert not any("scales" in name for name in head.state_dict())


def test_channels_without_deviation_are_left_as_they_are():
    patches = np.random.default_rng(0).normal(5, 2, (10_000, 4)).astype(np.float32)
    patches[:, 1] = 1 / 3
    patches[:, 2] = 0
    patches[:, 3] = 1e6 + 0.25 * (np.arange(10_000) % 2)
    scales = channel_scales(patches)
    assert scales.dtype == np.float32
    np.testing.assert_allclose(scales, [1 / patches[:, 0].astype(np.float64).std(), 1, 1, 8], rtol=1e-6)
    assert channel_scales(patches[:1]).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("rotations", "turns"), [(1, ()), (2, (2,)), (4, (1, 2, 3))])
def test_a_bank_of_everything_knows_the_turned_photographs_too(rotations, turns, fit_method, make_photographs):
    fitted = fit_method("patchcore", bank_size=10**6, rotations=rotations)
    assert fitted.method.turns() == turns
    head, images = fitted.method.head(), make_photographs(12)
    with torch.no_grad():
        for quarters in range(4):
            turned = np.ascontiguousarray(np.rot90(images, quarters, (1, 2)))
            knows = float(head(fitted.maps(turned))[1].max()) == 0
            assert knows == (quarters == 0 or quarters in turns)
    assert len(fitted.method.bank_) == rotations * len(fit_method("patchcore", bank_size=10**6).method.bank_)


def test_a_bank_of_turned_photographs_is_no_larger_and_planned_as_such(fit_method):
    fitted = fit_method("patchcore", bank_size=300, rotations=4)
    assert len(fitted.method.bank_) == 300
    costs = fitted.method.training_costs(fitted.method.shapes_)
    assert costs.items[0].bytes == 4 * 4 * 248 * 12 * 256


def test_three_rotations_are_no_turns():
    with pytest.raises(ConfigurationError, match="rotations must be 1, 2 or 4, not 3"):
        create_method("patchcore", {"rotations": 3})
