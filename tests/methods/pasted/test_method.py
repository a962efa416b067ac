"""It learns to find what it was shown, and refuses to learn from nothing."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, DataError
from flawspot.methods.features import PastedSet
from flawspot.methods.registry import create_method
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.session import open_session

pytestmark = pytest.mark.usefixtures("one_thread")


def test_without_pasted_defects_there_is_nothing_to_learn(fitted, make_photographs):
    features = fitted("pasted").features(make_photographs(4))
    with pytest.raises(DataError, match="learns from good photographs with pasted defects, and there are none"):
        create_method("pasted").fit(features)


def test_where_no_defect_can_be_seen_there_is_nothing_to_learn(fitted, make_photographs):
    found = fitted("pasted")
    images, none = make_photographs(8), np.zeros((8, *found.method.shapes_.input_size), np.uint8)
    pasted = PastedSet(found.features(images), none, np.arange(8), np.arange(8))
    with pytest.raises(DataError, match="sees none of the defects that were pasted on 8 photographs: give larger"):
        create_method("pasted").fit(found.features(images, pasted=pasted))


def test_it_finds_what_it_was_shown(exported, make_photographs):
    images = make_photographs(12, seed=5)
    for index, image in enumerate(images[6:]):
        image[4 + 6 * index : 16 + 6 * index, 20:34] = 255 * (index % 2)
    anomaly_map, score = open_session(exported("pasted"), threads=1).run(OUTPUTS, {"image": images})
    assert score[6:].min() > score[:6].max()
    for index, found in enumerate(anomaly_map[6:]):
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert 2 + 6 * index <= row < 18 + 6 * index
        assert 18 <= column < 36


def test_it_wants_as_many_photographs_as_it_is_told():
    assert create_method("pasted").pasted_photographs() == 400
    assert create_method("pasted", {"photographs": "31"}).pasted_photographs() == 31
    with pytest.raises(ConfigurationError, match="photographs must be 8 to 20000"):
        create_method("pasted", {"photographs": 3})


def test_nothing_in_it_depends_on_the_order_of_other_random_numbers(fit_method):
    import torch

    torch.manual_seed(1)
    one = fit_method("pasted", epochs=1).method.head().state_dict()
    torch.manual_seed(2)
    two = fit_method("pasted", epochs=1).method.head().state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
