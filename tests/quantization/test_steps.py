import dataclasses

import numpy as np
import pytest

from flawspot.quantization.steps import Quantization, Steps, Units, quantized_bias, quantized_weights, steps_between


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.3, 2.7), (-4.0, -1.0), (2.0, 3.0), (0.0, 0.0)])
def test_steps_hold_zero_exactly_and_both_ends(low, high, bits):
    steps = steps_between(low, high, bits)
    most = 2**bits - 1
    stored = np.clip(np.rint(np.array([low, 0.0, high]) / steps.scale) + steps.zero, 0, most)
    real = steps.scale * (stored - steps.zero)
    assert real[1] == 0
    np.testing.assert_allclose(real, [low, 0, high], atol=steps.scale)
    assert 0 <= steps.zero <= most


def test_weights_are_off_by_half_a_step_of_their_channel_at_most():
    weights = np.random.default_rng(0).normal(0, 1, (7, 3, 3, 3)) * np.geomspace(1e-3, 10, 7)[:, None, None, None]
    weights[3] = 0
    whole, scale = quantized_weights(weights, np.zeros(7), 0.1)
    assert whole.dtype == np.int8
    assert scale.shape == (7,)
    assert (np.abs(whole.astype(int)) <= 127).all()
    error = np.abs(whole * scale[:, None, None, None].astype(np.float64) - weights).reshape(7, -1).max(axis=1)
    assert (error <= 0.51 * scale).all()


def test_a_bias_fits_whatever_the_weights():
    weights = np.full((2, 4, 1, 1), 1e-6)
    bias = np.array([1.0, 1e-6])
    whole, scale = quantized_weights(weights, bias, 0.02)
    stored = quantized_bias(bias, scale * np.float32(0.02))
    assert np.abs(stored).max() <= 2**29 + 1
    np.testing.assert_allclose(stored * scale.astype(np.float64) * 0.02, bias, rtol=1e-5)
    assert whole[1].max() == 127


def test_a_bias_beyond_32_bits_is_cut_off():
    scale = np.float32([1e-9, 0.5])
    assert quantized_bias(np.array([1e3, 1.26]), scale).tolist() == [2**31 - 1, 3]


def test_the_identity_is_of_all_that_decides_the_result():
    one = Quantization(
        {"a": Steps(0.5, 3)}, {"a": Units(np.ones(2), np.zeros(2))}, {"a": np.zeros(2)}, image_shift=0.25
    )
    others = [
        dataclasses.replace(one, steps={"a": Steps(0.5, 4)}),
        dataclasses.replace(one, steps={"a": Steps(0.5, 3, 16)}),
        dataclasses.replace(one, units={"a": Units(np.ones(2), np.array([0, 1e-9]))}),
        dataclasses.replace(one, corrections={"a": np.array([0, 1e-9])}),
        dataclasses.replace(one, image_shift=0.0),
    ]
    assert one.identity() == dataclasses.replace(one).identity()
    assert len({one.identity(), *(other.identity() for other in others)}) == 6
