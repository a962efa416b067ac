"""The scale of heat maps is one of severity."""

import numpy as np
import pytest

from flawspot.runtime.colour_scale import TICKS, colours, place_on_scale


@pytest.mark.parametrize("threshold", [1e-6, 1.0, 4e5])
def test_the_ticks_stand_where_their_severities_are(threshold):
    for at, severity in TICKS:
        values = np.array([float(severity) * threshold], np.float32)
        assert place_on_scale(values, threshold)[0] == pytest.approx(at, rel=1e-6)


def test_the_limit_is_where_colours_turn_warm():
    below, above = colours(np.array([0.44, 0.5], np.float32)).astype(int)
    assert below[2] > below[0] and above[0] > above[2]
