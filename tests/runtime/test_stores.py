"""Constants of a graph, read and written anew without the onnx package, and parts of a graph."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawspot.errors import ArtifactError
from flawspot.runtime.cutting import cut, named_values
from flawspot.runtime.stores import names_of_stores, stores, with_stores

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)
INDEX = np.array([2, 0, 1], np.int32)


def constant(name, array):
    return numpy_helper.from_array(array, name)


@pytest.fixture(scope="module")
def model():
    """``score = sum(2 image @ weights)``, with the features ``seen.1`` in the middle."""
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "two"], ["seen.1"]),
        helper.make_node("MatMul", ["seen.1", "weights"], ["products"]),
        helper.make_node("ReduceSum", ["products", "axes"], ["score"], keepdims=0),
        helper.make_node("Gather", ["weights", "index"], ["unused"], axis=1),
    ]
    held = [
        constant("two", np.array(2, np.float32)),
        constant("weights", WEIGHTS),
        constant("axes", np.array([1], np.int64)),
        constant("index", INDEX),
        constant("cast", INDEX.astype(np.int64)),
        constant("other", np.array([2, 0, 2], np.int64)),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
        held,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    made.metadata_props.add(key="told", value="something")
    return made.SerializeToString()


def run(model, name, **fed):
    return onnxruntime.InferenceSession(model).run([name], fed)[0]


IMAGE = np.array([[1, 2], [3, 4]], np.uint8)


def test_constants_are_read_by_name(model):
    assert names_of_stores(model) == ["two", "weights", "axes", "index", "cast", "other"]
    found = stores(model, ["weights", "index", "nothing"])
    assert list(found) == ["weights", "index"]
    np.testing.assert_array_equal(found["weights"], WEIGHTS)
    assert found["index"].dtype == np.int32


def test_other_numbers_in_their_places(model):
    changed = with_stores(model, {"weights": WEIGHTS[::-1].copy(), "two": np.array(1, np.float32)})
    onnx.checker.check_model(changed)
    np.testing.assert_allclose(run(changed, "score", image=IMAGE), (IMAGE @ WEIGHTS[::-1]).sum(1))
    assert onnx.load_from_string(changed).metadata_props[0].value == "something"


def test_the_same_numbers_change_no_byte(model):
    assert with_stores(model, stores(model, names_of_stores(model))) == model


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"nothing": WEIGHTS}, "no constant nothing"),
        ({"weights": WEIGHTS[:1]}, "of another training"),
        ({"weights": WEIGHTS.astype(np.float16)}, "of another training"),
    ],
)
def test_what_does_not_fit_is_refused(model, arrays, told):
    with pytest.raises(ArtifactError, match=told):
        with_stores(model, arrays)


def test_numbers_that_are_not_raw_bytes_are_refused(model):
    proto = onnx.load_from_string(model)
    tensor = next(each for each in proto.graph.initializer if each.name == "weights")
    tensor.ClearField("raw_data")
    tensor.float_data.extend(WEIGHTS.ravel())
    with pytest.raises(ArtifactError, match="cannot be changed"):
        stores(proto.SerializeToString(), ["weights"])


def test_the_first_part_of_a_graph(model):
    part = cut(model, ["seen.1"])
    np.testing.assert_array_equal(run(part, "seen.1", image=IMAGE), 2.0 * IMAGE)
    assert names_of_stores(part) == ["two"]
    assert not onnx.load_from_string(part).metadata_props


def test_the_second_part_of_a_graph(model):
    part = cut(model, ["score"], {"seen.1": 2})
    given = np.array([[1, 1], [0, 2]], np.float32)
    np.testing.assert_allclose(run(part, "score", **{"seen.1": given}), (given @ WEIGHTS).sum(1))
    assert names_of_stores(part) == ["weights", "axes"]


def test_both_parts_are_the_whole(model):
    seen = run(cut(model, ["seen.1"]), "seen.1", image=IMAGE)
    np.testing.assert_array_equal(
        run(cut(model, ["score"], {"seen.1": 2}), "score", **{"seen.1": seen}), run(model, "score", image=IMAGE)
    )


def test_values_are_found_by_how_their_names_begin(model):
    assert named_values(model, "seen.") == ["seen.1"]
    assert named_values(model, "none") == []


def test_what_is_not_there_cannot_be_cut_out(model):
    with pytest.raises(ArtifactError, match="no value 'nothing'"):
        cut(model, ["nothing"])


def test_a_part_that_needs_the_photograph_has_no_other_input(model):
    with pytest.raises(ArtifactError, match="uses the photograph itself"):
        cut(model, ["score"], {"elsewhere": 2})
