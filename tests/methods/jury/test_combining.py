"""Each rule by a plain reference, and what a scale promises."""

import numpy as np
import pytest
import torch

from flawspot.errors import TrainingError
from flawspot.methods.jury.combining import RULES, Combination
from flawspot.methods.jury.scales import TAIL, scale_of

GENERATOR = np.random.default_rng(0)
GOOD = [GENERATOR.exponential(2, 20_000).astype(np.float32), GENERATOR.normal(5, 1, 20_000).astype(np.float32) ** 2]
SCALES = [scale_of(values, "a member") for values in GOOD]
WEIGHTS = [1.0, 0.5]


def softplus(x):
    return np.logaddexp(0, x)


def reference(rule, x):
    z = [(each - scale.mean) / scale.deviation for each, scale in zip(x, SCALES, strict=True)]
    surprise = [softplus((each - scale.centre) / scale.width) for each, scale in zip(x, SCALES, strict=True)]
    if rule == "fisher":
        return sum(w * s for w, s in zip(WEIGHTS, surprise, strict=True))
    if rule == "norm":
        return np.sqrt(sum(w * s**2 for w, s in zip(WEIGHTS, surprise, strict=True)))
    if rule == "cauchy":
        mean = sum(w * np.exp(s) for w, s in zip(WEIGHTS, surprise, strict=True)) / sum(WEIGHTS)
        return np.log(mean)
    if rule == "sum":
        return np.maximum(sum(w * each for w, each in zip(WEIGHTS, z, strict=True)), 0)
    if rule == "product":
        return np.prod([softplus(each) ** w for w, each in zip(WEIGHTS, z, strict=True)], axis=0)
    return np.maximum(np.max(z, axis=0), 0)


@pytest.mark.parametrize("rule", RULES)
def test_it_is_what_the_rule_says(rule):
    x = [np.abs(GENERATOR.normal(0, 6, (2, 5, 4))), GENERATOR.normal(25, 20, (2, 5, 4))]
    combined = Combination(rule, SCALES, WEIGHTS)([torch.from_numpy(each).float() for each in x])
    np.testing.assert_allclose(combined, reference(rule, x), rtol=1e-4, atol=1e-4)
    assert combined.min() >= 0


@pytest.mark.parametrize("rule", RULES)
def test_whatever_the_maps_are_it_is_finite_and_grows_with_each(rule):
    low = [torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)]
    high = [torch.full((1, 2, 2), 1e6), torch.full((1, 2, 2), 1e6)]
    combination = Combination(rule, SCALES, WEIGHTS)
    assert torch.isfinite(combination(high)).all()
    for number in range(2):
        one = [high[k] if k == number else low[k] for k in range(2)]
        assert (combination(one) > combination(low)).all()


def test_surprise_is_the_share_of_good_pixels_as_high():
    for values, scale in zip(GOOD, SCALES, strict=True):
        start = np.quantile(values.astype(np.float64), 1 - TAIL)
        at_start, beyond = (np.exp(-softplus((x - scale.centre) / scale.width)) for x in (start, start + scale.width))
        assert at_start == pytest.approx(TAIL, rel=1e-6)
        assert beyond == pytest.approx(TAIL / np.e, rel=0.02)
    # Of an exponential distribution it is right far out: one in 100,000.
    far = 2 * np.log(1e5)
    assert softplus((far - SCALES[0].centre) / SCALES[0].width) == pytest.approx(np.log(1e5), rel=0.1)


def test_a_map_that_says_nothing_is_no_member():
    with pytest.raises(TrainingError, match="the map of padim is the same everywhere on good photographs"):
        scale_of(np.zeros(100, np.float32), "padim")
