"""Shapes without numbers, of features and of plans alike."""

import numpy as np
import pytest

from flawspot.backbones.registry import create
from flawspot.errors import ConfigurationError
from flawspot.methods.features import FeatureSet
from flawspot.methods.shapes import Shapes, Size, as_size, check_input_size


def test_those_of_features() -> None:
    maps = {6: np.zeros((5, 2, 9, 9)), 3: np.zeros((5, 24, 16, 24)), 8: np.zeros((5, 64, 4, 6))}
    shapes = FeatureSet(create("mobilenet_v2", (3, 8)), (3, 8), (64, 96), maps, np.array([1, 2, 3, 4]), 2).shapes
    assert shapes == Shapes("mobilenet_v2", (3, 8), {6: (2, 9, 9), 3: (24, 16, 24), 8: (64, 4, 6)}, (64, 96), 4, 2)
    assert (shapes.tap_channels, shapes.tap_grids) == ((24, 64), ((16, 24), (4, 6)))
    assert (shapes.channels, shapes.grid, shapes.positions) == (88, (16, 24), 384)


@pytest.mark.parametrize("size", [32, 224, 1024, (32, 1024)])
def test_sizes_within(size: int | Size) -> None:
    check_input_size(size)


@pytest.mark.parametrize("size", [0, 31, 1025, (64, 31), (2000, 64)])
def test_sizes_out_of_range(size: int | Size) -> None:
    with pytest.raises(ConfigurationError, match="give 32 to 1024 pixels"):
        check_input_size(size)


def test_the_side_of_a_square_is_a_size_too() -> None:
    assert as_size(64) == (64, 64)
    assert as_size([64, 96]) == (64, 96)
    with pytest.raises(ConfigurationError, match="not 3 numbers"):
        as_size([1, 2, 3])
