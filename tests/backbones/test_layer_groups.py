"""The group `stages` is the same idea on every backbone."""

import pytest

from flawspot.backbones.layer_groups import STAGES, resolve, stages
from flawspot.backbones.registry import create, families
from flawspot.errors import ConfigurationError


@pytest.mark.parametrize("backbone", families())
@pytest.mark.grid(3)
def test_stages_are_of_a_quarter_an_eighth_and_a_sixteenth(backbone):
    taps = resolve(backbone, STAGES)
    assert taps == stages(backbone)
    assert [height for _, height, _ in create(backbone, taps).shapes((224, 224)).values()] == [56, 28, 14]
    following = create(backbone, [tap + 1 for tap in taps]).shapes((224, 224))
    for tap, shape in create(backbone, taps).shapes((224, 224)).items():
        assert following[tap + 1] != shape  # the last of its kind


def test_those_of_mobilenet_v2():
    assert resolve("mobilenet_v2", "stages") == (3, 6, 10)


def test_the_error_names_it():
    with pytest.raises(ConfigurationError, match="stages, equiv:wide_resnet50_2, or indices"):
        resolve("mobilenet_v2", "stage")
