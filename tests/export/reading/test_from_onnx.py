"""From a graph to the intermediate form."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from flawspot.errors import ExportError
from flawspot.export.form import Addition, Conversion, Convolution, Input
from flawspot.export.head_operations import DirectionDistance, GaussianDistance, MapProduct
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.reading.onnx_graph import Graph
from flawspot.export.tensors import Quantization

from ..graphs import SIZE


def kinds(form):
    return Counter(type(operation) for operation in form.operations)


@pytest.mark.parametrize("name", ["floats", "codes", "resized as before"])
def test_a_teacher_and_its_student(name, detectors):
    form = read_form(detectors(name).model, SIZE)
    assert kinds(form) == {Input: 1, Convolution: 12, Addition: 1, DirectionDistance: 2, MapProduct: 1}
    assert isinstance(form.operations[0], Input)
    assert isinstance(form.operations[-1], MapProduct)
    assert form.quantized == (name == "codes")
    known = set()
    for operation in form.operations:
        assert {tensor.name for tensor in operation.inputs} <= known
        known.add(operation.y.name)


def test_a_distance_is_computed_as_soon_as_it_can_be(detectors):
    operations = read_form(detectors("floats").model, SIZE).operations
    for step, operation in enumerate(operations):
        if isinstance(operation, DirectionDistance):
            before = operations[step - 1]
            assert before.y in operation.inputs or isinstance(before, DirectionDistance)


def test_shapes_and_counts(detectors):
    first = next(
        each for each in read_form(detectors("floats").model, SIZE).operations if isinstance(each, Convolution)
    )
    assert (first.y.channels, first.y.height, first.y.width) == (8, 20, 20)
    assert first.macs == 20 * 20 * 8 * 27
    assert (first.low, first.high) == (0.0, 6.0)
    assert not first.depthwise
    assert not first.pointwise


def test_a_gaussian_at_each_place(detectors):
    form = read_form(detectors("gaussians").model, SIZE)
    found = next(each for each in form.operations if isinstance(each, GaussianDistance))
    assert [piece.channels.tolist() for piece in found.pieces] == [[1, 4, 9], [0, 2, 3, 11]]
    assert found.y.numbers == 100
    assert found.scale is not None


def test_layers_of_16_bits_are_computed_in_floats(detectors):
    form = read_form(detectors("wide").model, SIZE)
    assert kinds(form)[Conversion] > 0
    assert {each.y.quantization.bits for each in form.operations if each.y.quantization} == {8, 16}


def test_what_has_no_form_is_named(detectors):
    model = onnx.load_from_string(detectors("floats").model)
    clip = next(node for node in model.graph.node if node.op_type == "Clip")
    clip.op_type = "HardSwish"
    del clip.input[1:]
    with pytest.raises(ExportError, match="the operator 'HardSwish'"):
        read_form(model.SerializeToString(), SIZE)


@pytest.mark.parametrize("name", ["floats", "codes", "resized as before"])
def test_a_resize_by_another_rule_is_refused(name, detectors):
    model = onnx.load_from_string(detectors(name).model)
    if name == "resized as before":
        resize = next(node for node in model.graph.node if node.op_type == "Resize")
        del resize.attribute[:]
        resize.attribute.append(helper.make_attribute("mode", "linear"))
    else:  # of a triangle that rises again
        next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Abs"
    with pytest.raises(ExportError, match="resized by another rule"):
        read_form(model.SerializeToString(), SIZE)


def test_a_head_of_another_kind_is_refused(detectors):
    model = onnx.load_from_string(detectors("floats").model)
    next(node for node in model.graph.node if node.op_type == "ReduceL2").op_type = "ReduceL1"
    with pytest.raises(ExportError, match="its head"):
        read_form(model.SerializeToString(), SIZE)


def test_a_model_without_convolutions(tiny_model):
    with pytest.raises(ExportError, match="no translation yet"):
        read_form(tiny_model, 8)


def test_constants_are_read_as_the_onnx_package_does(detectors):
    model = onnx.load_from_string(detectors("codes").model)
    graph = Graph(detectors("codes").model)
    assert len(graph.nodes) == len(model.graph.node)
    for initializer in model.graph.initializer:
        wanted = onnx.numpy_helper.to_array(initializer)
        assert graph.constants[initializer.name].dtype == wanted.dtype
        np.testing.assert_array_equal(graph.constants[initializer.name], wanted)
    for node, wanted in zip(graph.nodes, model.graph.node, strict=True):
        for attribute in wanted.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            found = node.settings[attribute.name]
            assert found == (tuple(value) if isinstance(value, list) else value)


def test_halves_are_rounded_to_the_even_code():
    found = Quantization(1.0, 10).codes(np.array([0.5, 1.5, 2.5, -20, 300], np.float32))
    assert found.tolist() == [10, 12, 12, 0, 255]


def turned(matrix, perm=(1, 0)):
    tensor = numpy_helper.from_array(matrix, "matrix")
    node = helper.make_node("Transpose", ["matrix"], ["turned"], perm=perm)
    return helper.make_model(helper.make_graph([node], "g", [], [], [tensor])).SerializeToString()


def test_a_matrix_that_is_turned_in_the_graph_is_a_constant():
    """Exporters do so with large ones, such as those that enlarge a map to 224 x 224."""
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(Graph(turned(matrix)).constants["turned"], matrix.T)
    assert "turned" not in Graph(turned(matrix[None], (0, 2, 1))).constants
