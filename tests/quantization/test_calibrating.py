import numpy as np
import onnx
import pytest

from flawspot.backbones.registry import create_random
from flawspot.quantization.calibrating import calibrate
from flawspot.quantization.network import read_network
from flawspot.quantization.steps import Quantization
from flawspot.quantization.writing import quantized
from flawspot.runtime.session import open_session
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx

NAMES = ["early", "late"]
TAPS = (3, 8)


def run(model, photograph):
    return open_session(model.SerializeToString()).run(NAMES, {"image": photograph[None]})


def test_features_stay_what_they_are_but_for_a_little(float_model, photographs):
    found = calibrate(float_model, photographs[:4])
    rounded = quantized(float_model, found)
    for photograph in photographs:
        for want, got in zip(run(float_model, photograph), run(rounded, photograph), strict=True):
            assert got.shape == want.shape
            spread = ((want - want.mean((2, 3), keepdims=True)) ** 2).sum()
            assert ((want - got) ** 2).sum() < 0.05 * spread


def test_every_value_has_steps_and_what_is_clipped_begins_at_zero(float_model, photographs):
    found = calibrate(float_model, photographs[:4])
    network = read_network(float_model)
    assert set(found.steps) == set(network.values())
    for layer in network.convolutions:
        if not layer.linear:
            assert found.steps[layer.key].zero == 0
            # In its widest channel's unit, and never beyond the clip.
            assert found.steps[layer.key].scale * 255 <= 6.001


def test_what_is_known_is_kept(float_model, photographs):
    known = calibrate(float_model, photographs[:2])
    assert calibrate(float_model, photographs[2:], known=known) is known
    part = Quantization(
        dict(list(known.steps.items())[:6]), known.units, known.corrections, image_shift=known.image_shift
    )
    again = calibrate(float_model, photographs[2:], known=part)
    assert all(again.steps[key] == steps for key, steps in part.steps.items())
    assert set(again.steps) == set(known.steps)


def test_a_grey_level_is_a_step_where_channels_are_normalised_alike(photographs):
    network, _ = create_random("mobilenet_v2", TAPS, 0)
    model = onnx.load_from_string(to_onnx(FeatureGraph(Preprocess(64, (0.5,) * 3, (0.5,) * 3), network), NAMES))
    found = calibrate(model, photographs[:2])
    key = f"{read_network(model).convolutions[0].key}.source"
    assert found.steps[key].scale == pytest.approx(1 / 127.5)
    assert found.steps[key].zero == 128
    levels = (np.arange(256) - 127.5) / 127.5 - found.image_shift
    stored = np.rint(levels / found.steps[key].scale) + 128
    assert stored.tolist() == list(range(256))


def test_means_of_every_channel_are_those_of_the_float_network(float_model, photographs):
    """Bias correction: over the photographs that it is done on."""
    found = calibrate(float_model, photographs)
    rounded = quantized(float_model, found)
    want = np.mean([np.concatenate([v.mean((0, 2, 3)) for v in run(float_model, p)]) for p in photographs], axis=0)
    got = np.mean([np.concatenate([v.mean((0, 2, 3)) for v in run(rounded, p)]) for p in photographs], axis=0)
    spread = np.mean([np.concatenate([v.std((0, 2, 3)) for v in run(float_model, p)]) for p in photographs], axis=0)
    assert np.abs(want - got).max() < 0.25 * spread.max()
    assert np.abs(want - got).mean() < 0.02 * spread.mean()
