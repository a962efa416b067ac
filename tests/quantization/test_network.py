import numpy as np
from onnx import TensorProto, helper, numpy_helper

from flawspot.quantization.network import Addition, read_network


def test_a_mobile_network_is_convolutions_clips_and_additions(float_model):
    network = read_network(float_model)
    operators = [node.op_type for node in float_model.graph.node if not node.name.startswith("resize.")]
    assert len(network.convolutions) == operators.count("Conv")
    additions = [layer for layer in network.layers if isinstance(layer, Addition)]
    assert len(additions) == operators.count("Add") > 0
    clipped = [layer for layer in network.convolutions if not layer.linear]
    assert len(clipped) == operators.count("Clip")
    assert all((layer.low, layer.high) == (0, 6) for layer in clipped)
    assert len({layer.key for layer in network.layers}) == len(network.layers)


def test_values_are_the_photograph_and_what_every_layer_gives(float_model):
    network = read_network(float_model)
    values = network.values()
    assert len(values) == len(network.layers) + 1
    first = network.convolutions[0]
    assert values[f"{first.key}.source"] == first.source


def graph(*nodes):
    weights = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "w")
    second = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "v")
    shape = ["N", 2, 4, 4]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    return helper.make_model(helper.make_graph(list(nodes), "g", inputs, outputs, [weights, second]))


def test_a_clip_of_what_something_else_takes_too_stays_an_operator():
    network = read_network(
        graph(
            helper.make_node("Conv", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["y"]),
        )
    )
    assert [layer.result for layer in network.layers] == ["a"]
    assert network.convolutions[0].linear


def test_a_relu_has_no_upper_end_and_operators_between_stay_out():
    network = read_network(
        graph(
            helper.make_node("Conv", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Sigmoid", ["b"], ["c"]),
            helper.make_node("Conv", ["c", "v"], ["d"]),
            helper.make_node("Mul", ["d", "c"], ["y"]),
        )
    )
    first, second = network.convolutions
    assert (first.result, first.low, first.high) == ("b", 0, np.inf)
    assert second.source == "c"
    assert network.values() == {"w.source": "x", "w": "b", "v.source": "c", "v": "d"}
    assert not network.taken_inside("d")
    assert not network.taken_inside("b")
