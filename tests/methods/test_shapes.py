"""Shapes without numbers, of features and of plans alike."""

import numpy as np
import pytest

from flawspot.backbones.registry import create
from flawspot.errors import ConfigurationError
from flawspot.methods.features import FeatureSet
from flawspot.methods.shapes import Shapes, check_input_size


def test_those_of_features() -> None:
    maps = {6: np.zeros((5, 2, 9, 9)), 3: np.zeros((5, 24, 16, 16)), 8: np.zeros((5, 64, 4, 4))}
    shapes = FeatureSet(create("mobilenet_v2", (3, 8)), (3, 8), 64, maps, np.array([1, 2])).shapes
    assert shapes == Shapes("mobilenet_v2", (3, 8), {6: (2, 9, 9), 3: (24, 16, 16), 8: (64, 4, 4)}, 64, 2)
    assert (shapes.tap_channels, shapes.tap_sides) == ((24, 64), (16, 4))
    assert (shapes.channels, shapes.grid, shapes.positions) == (88, 16, 256)


@pytest.mark.parametrize("size", [32, 224, 1024])
def test_sizes_within(size: int) -> None:
    check_input_size(size)


@pytest.mark.parametrize("size", [0, 31, 1025])
def test_sizes_out_of_range(size: int) -> None:
    with pytest.raises(ConfigurationError, match="give 32 to 1024 pixels"):
        check_input_size(size)
