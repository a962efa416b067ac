"""The two parts of a graph, given what does not fit them."""

import numpy as np
import pytest
from onnx import helper

from flawspot.errors import ArtifactError
from flawspot.runtime.seen import Eye, Mind, Seen

from .test_cutting import LAYER, PLAIN, model

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def test_a_value_whose_name_only_begins_like_the_mask_is_none():
    graph = model(helper.make_node("Identity", [LAYER], ["flawspot.inside2"]), *PLAIN)
    seen = Eye(graph, [3])(PIXELS)
    assert seen.inside is None
    assert Mind(graph, [3])(seen) == 47


@pytest.mark.parametrize("axes", [2, 3, 5])
def test_features_that_do_not_fit_end_in_one_line(axes):
    with pytest.raises(ArtifactError, match="cannot be updated") as found:
        Mind(model(*PLAIN), [3])(Seen({3: np.zeros((1,) * axes, np.float32)}, None))
    assert "\n" not in str(found.value)
