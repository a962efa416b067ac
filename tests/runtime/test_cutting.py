"""Parts of a graph: what they take, and what they say."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawspot.errors import ArtifactError
from flawspot.runtime.cutting import cut, named_values, value_beside
from flawspot.runtime.session import open_session

LAYER = "flawspot.layer.3"


def model(*head):
    """A photograph in float is its feature; its score is made of that by some operators."""
    nodes = [helper.make_node("Cast", ["image"], [LAYER], to=TensorProto.FLOAT), *head]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
        [
            numpy_helper.from_array(np.array([-1]), "rest"),
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return made.SerializeToString()


PLAIN = (helper.make_node("ReduceMax", [LAYER, "axes"], ["score"], keepdims=0),)
COUNTING = (
    helper.make_node("Shape", ["image"], ["count"], start=0, end=1),
    helper.make_node("Concat", ["count", "rest"], ["shape"], axis=0),
    helper.make_node("Reshape", [LAYER, "shape"], ["flat"]),
    helper.make_node("ReduceMax", ["flat", "axis"], ["score"], keepdims=0),
)
LOOKING = (
    helper.make_node("Cast", ["image"], ["again"], to=TensorProto.FLOAT),
    helper.make_node("ReduceMax", ["again", "axes"], ["score"], keepdims=0),
)
PHOTOGRAPH = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)


@pytest.mark.parametrize("head", [PLAIN, COUNTING])
def test_both_halves_say_what_the_whole_says(head):
    whole = model(*head)
    (maps,) = open_session(cut(whole, [LAYER])).run([LAYER], {"image": PHOTOGRAPH})
    second = open_session(cut(whole, ["score"], {LAYER: 4}))
    given = {LAYER: maps, "image": np.zeros((2, 1, 1, 3), np.uint8)}
    taken = [each.name for each in second.get_inputs()]
    assert sorted(taken) == ([LAYER, "image"] if head is COUNTING else [LAYER])
    (score,) = second.run(["score"], {name: given[name] for name in taken})
    np.testing.assert_array_equal(score, open_session(whole).run(["score"], {"image": PHOTOGRAPH})[0])


def test_a_head_that_looks_at_the_photograph_is_no_part():
    with pytest.raises(ArtifactError, match="uses the photograph itself"):
        cut(model(*LOOKING), ["score"], {LAYER: 4})


def test_a_value_that_is_not_there_is_named():
    with pytest.raises(ArtifactError, match="no value 'absent'"):
        cut(model(*PLAIN), ["absent"])


def test_values_are_found_by_how_their_names_begin():
    assert named_values(model(*COUNTING), "flawspot.") == [LAYER]
    assert named_values(model(*COUNTING), "s") == ["shape", "score"]


def test_the_value_beside_a_constant():
    scaled = model(
        helper.make_node("Sub", [LAYER, "rest"], ["moved"]),
        helper.make_node("Sub", ["axis", "moved"], ["turned"]),
        helper.make_node("ReduceMax", ["turned", "axes"], ["score"], keepdims=0),
    )
    assert value_beside(scaled, "rest") == LAYER
    assert value_beside(scaled, "axis") == "moved"
    assert value_beside(scaled, "nothing") is None
