"""Models that ask for more than a detector does are refused before ONNX Runtime sees them."""

import contextlib
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flawspot.errors import ArtifactError
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.protobuf import delimited

IMAGE = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
MAP = helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["N", 8, 8])
SCORE = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])
NUMBER = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])


def constant(name: str, values: object) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


ZERO = constant("zero", np.zeros((1, 8, 8), np.float32))
ENDS = [helper.make_node("Identity", ["zero"], ["anomaly_map"]), helper.make_node("Identity", ["leak"], ["score"])]


def model(
    nodes=(), constants=(), *, inputs=(IMAGE,), outputs=(MAP, SCORE), functions=(), domain="", sparse=()
) -> bytes:
    graph = helper.make_graph([*nodes, *ENDS], "g", list(inputs), list(outputs), [ZERO, *constants])
    graph.sparse_initializer.extend(sparse)
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10).SerializeToString()


def outside(location: str = "secret.txt", *, say_so: bool = True) -> TensorProto:
    tensor = TensorProto(name="leak", data_type=TensorProto.FLOAT, dims=[1])
    if say_so:
        tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def subgraph() -> onnx.GraphProto:
    return helper.make_graph([helper.make_node("Identity", ["zero"], ["x"])], "inner", [], [NUMBER])


def tensor(**fields) -> TensorProto:
    return TensorProto(**{"name": "leak", "data_type": TensorProto.FLOAT, "dims": [1], **fields})


def sparse() -> onnx.SparseTensorProto:
    values, places = constant("s", np.ones(1, np.float32)), constant("", np.zeros(1, np.int64))
    return onnx.SparseTensorProto(values=values, indices=places, dims=[2**33])


def function(domain: str = "mine") -> onnx.FunctionProto:
    inner = [helper.make_node("F", ["x"], ["y"], domain=domain)]
    return helper.make_function(domain, "F", ["x"], ["y"], inner, [helper.make_opsetid("", 20)])


LEAK = constant("leak", np.ones(1, np.float32))
HUGE = constant("shape", np.array([2**20, 2**20], np.int64))
LEAST = constant("least", np.array([-(2**63)], np.int64))
MINUS_ONE = constant("minus", np.array([-1], np.int64))
HOSTILE = {
    "a division that ends the process": (
        model(
            [
                helper.make_node("Div", ["least", "minus"], ["n"]),
                helper.make_node("Cast", ["n"], ["leak"], to=TensorProto.FLOAT),
            ],
            [LEAST, MINUS_ONE],
        ),
        "divides integers",
    ),
    "the same of the photograph": (
        model(
            [
                helper.make_node("Cast", ["image"], ["i"], to=TensorProto.INT64),
                helper.make_node("Add", ["i", "least"], ["j"]),
                helper.make_node("Div", ["j", "minus"], ["n"]),
            ],
            [LEAST, MINUS_ONE, LEAK],
        ),
        "divides integers",
    ),
    "a rest that ends the process": (
        model([helper.make_node("Mod", ["least", "minus"], ["n"])], [LEAST, MINUS_ONE, LEAK]),
        "divides integers",
    ),
    "a division behind a tensor that lends its name": (
        model(
            [
                helper.make_node("Constant", [], ["c"], value=constant("least", np.zeros(1, np.float32))),
                helper.make_node("Div", ["least", "minus"], ["n"]),
            ],
            [LEAST, MINUS_ONE, LEAK],
        ),
        "divides integers",
    ),
    "a division by places": (
        model(
            [
                helper.make_node("MaxPool", ["zero"], ["most", "places"], kernel_shape=[1]),
                helper.make_node("Div", ["least", "places"], ["n"]),
            ],
            [LEAST, LEAK],
        ),
        "divides integers",
    ),
    "a division by what may be 0 or less, however large it may be": (
        model(
            [
                helper.make_node("Shape", ["image"], ["i"]),
                helper.make_node("Max", ["i", "minus"], ["m"]),
                helper.make_node("Div", ["least", "m"], ["n"]),
            ],
            [LEAST, MINUS_ONE, LEAK],
        ),
        "divides integers",
    ),
    "two constants of one name": (model(constants=[LEAK, MINUS_ONE, LEAK]), "the same name"),
    "a constant that is worked out": (
        model([helper.make_node("Neg", ["zero"], ["minus"])], [LEAK, MINUS_ONE]),
        "the same name",
    ),
    "a negative setting": (model([helper.make_node("GatherND", ["zero", "i"], ["leak"], batch_dims=-1)]), "batch_dims"),
    "groups of nothing": (
        model([helper.make_node("GroupNormalization", ["zero"], ["leak"], num_groups=0)]),
        "num_groups",
    ),
    **{
        f"{operator} to {length}": (
            model(
                [helper.make_node(operator, ["zero", "length"], ["made"])],
                [LEAK, numpy_helper.from_array(np.array([length], np.int64), "length")],
            ),
            "makes a tensor of",
        )
        for operator, length in [
            ("TopK", -1),
            ("TopK", 0),
            ("Expand", -2),
            ("Tile", 0),
            ("Reshape", -2),
        ]
    },
    "what is not a number": (model(constants=[constant("leak", np.float32([1, np.nan]))]), "not a number"),
    "half of that": (model(constants=[constant("leak", np.float16([np.nan]))]), "not a number"),
    **{
        f"steps of {step}": (
            model(
                [helper.make_node("QuantizeLinear", ["zero", "step"], ["stored"])],
                [LEAK, constant("step", np.float32([step]))],
            ),
            "steps of a length",
        )
        for step in (0, -1, np.inf, 1e-45, 3e38)
    },
    "steps that are computed": (
        model(
            [
                helper.make_node("Neg", ["zero"], ["step"]),
                helper.make_node("DequantizeLinear", ["zero", "step"], ["made"]),
            ],
            [LEAK],
        ),
        "no constants",
    ),
    "a large setting": (model([helper.make_node("Relu", ["zero"], ["leak"], axis=-(10**6))]), "axis"),
    "large settings": (model([helper.make_node("Relu", ["zero"], ["leak"], pads=[0, 2**40])]), "pads"),
    "many settings": (model([helper.make_node("Relu", ["zero"], ["leak"], pads=[0] * 17)]), "pads"),
    "a long name": (model([helper.make_node("Identity", ["a" * 2000], ["leak"])]), "longer names"),
    "external": (model(constants=[outside()]), "outside of the file"),
    "external, absolute": (model(constants=[outside("/etc/hostname")]), "outside of the file"),
    "external, in memory": (model(constants=[outside("*/_ORT_MEM_ADDR_/*")]), "outside of the file"),
    "external, without saying so": (model(constants=[outside(say_so=False)]), "outside of the file"),
    "external in an attribute": (
        model([helper.make_node("Constant", [], ["leak"], value=outside())]),
        "outside of the file",
    ),
    "sparse": (model(sparse=[sparse()]), "sparse"),
    "sparse in an attribute": (model([helper.make_node("Constant", [], ["leak"], sparse_value=sparse())]), "sparse"),
    "If": (
        model([helper.make_node("If", ["zero"], ["leak"], then_branch=subgraph(), else_branch=subgraph())]),
        "graphs within graphs",
    ),
    "Loop": (model([helper.make_node("Loop", ["", "zero"], ["leak"], body=subgraph())]), "graphs within graphs"),
    "a loop without a body": (model([helper.make_node("Loop", ["", "zero"], ["leak"])]), "Loop"),
    "chance": (model([helper.make_node("RandomNormal", [], ["leak"], shape=[1])]), "RandomNormal"),
    "functions": (model(constants=[LEAK], functions=[function()]), "functions"),
    "a domain": (model([helper.make_node("F", ["zero"], ["leak"], domain="evil.example")]), "domain"),
    "an imported domain": (model(constants=[LEAK], domain="evil.example"), "domain"),
    "a shape without numbers": (model(constants=[tensor(dims=[2**31, 2**31])]), "no numbers for its shape"),
    "too few numbers": (model(constants=[tensor(dims=[2**31], raw_data=b"1234")]), "another size"),
    "a negative shape": (model(constants=[tensor(dims=[-5], raw_data=b"1234")]), "another size"),
    "text": (model(constants=[tensor(data_type=TensorProto.STRING, string_data=[b"a"])]), "type"),
    "expanded": (model([helper.make_node("ConstantOfShape", ["shape"], ["leak"])], [HUGE]), "ConstantOfShape"),
    "nodes": (
        model([helper.make_node("Sin", [f"a{i}"], [f"a{i + 1}"]) for i in range(10_001)], [LEAK]),
        "10,000 operators",
    ),
    "no score": (model(constants=[LEAK], outputs=[MAP]), "outputs"),
    "another input": (model(constants=[LEAK], inputs=[IMAGE, NUMBER]), "input"),
    "float photographs": (
        model(constants=[LEAK], inputs=[helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", "H", "W", 3])]),
        "input",
    ),
    "a score of two dimensions": (
        model(constants=[LEAK], outputs=[MAP, helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])]),
        "outputs",
    ),
    "two graphs": (2 * model(constants=[LEAK]), "2 graphs"),
    "no graph": (b"\x38\x01", "0 graphs"),
    "fields": (model(constants=[LEAK]) + b"\x78\x00" * 5_000_000, "500,000 fields"),
    "metadata": (model(constants=[LEAK]) + delimited(14, delimited(1, b"a")) * 100, "metadata"),
    "large metadata": (model(constants=[LEAK]) + delimited(14, delimited(2, bytes(5 << 20))), "metadata"),
    "another format": (b"\x38\x01\x38\x01ORTM" + model(constants=[LEAK]), "own format"),
}


def test_a_detector_passes(tiny_model):
    check_model(tiny_model)
    check_model(model(constants=[LEAK]))
    check_model(model([helper.make_node("Constant", [], ["leak"], value_ints=[2**63 - 1])]))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_detector_has_is_refused_quickly(name):
    data, message = HOSTILE[name]
    begin = time.process_time()
    with pytest.raises(ArtifactError, match=message) as error:
        check_model(data)
    assert time.process_time() - begin < 3
    assert "\n" not in str(error.value)


def test_a_division_by_what_is_one_or_more_passes():
    one = constant("one", np.array([1], np.int64))
    nodes = [
        helper.make_node("Shape", ["image"], ["i"]),
        helper.make_node("Max", ["i", "one"], ["m"]),
        helper.make_node("Max", ["minus", "m"], ["k"]),
        helper.make_node("Div", ["least", "k"], ["n"]),
    ]
    check_model(model(nodes, [LEAST, MINUS_ONE, LEAK, one]))


def test_a_damaged_model_is_refused_or_passes_but_raises_nothing_else(tiny_model):
    generator = np.random.default_rng(0)
    for _ in range(2000):
        data = bytearray(tiny_model)
        for place in generator.integers(0, len(data), generator.integers(1, 4)):
            data[place] = generator.integers(256)
        with contextlib.suppress(ArtifactError):
            check_model(bytes(data[: generator.integers(1, len(data) + 1)]))


@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_a_division_by_a_constant_above_zero_is_a_detectors(operator: str) -> None:
    """PatchCore's equation 7 finds the place of its worst patch so."""
    places = helper.make_node("ArgMax", ["zero"], ["i"], axis=0, keepdims=1)
    check_model(
        model([places, helper.make_node(operator, ["i", "seven"], ["n"])], [LEAK, constant("seven", np.array(7))])
    )
    for wrong in (np.array(0), np.array([3, -1])):
        divides = helper.make_node(operator, ["i", "seven"], ["n"])
        with pytest.raises(ArtifactError, match="divides integers"):
            check_model(model([places, divides], [LEAK, constant("seven", wrong)]))
