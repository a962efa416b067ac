"""Changes of an ONNX graph that keep it a graph, and things put into it that no detector has."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPERATORS = [
    "Add",
    "AveragePool",
    "Cast",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "Div",
    "Einsum",
    "Expand",
    "EyeLike",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GridSample",
    "Identity",
    "If",
    "Loop",
    "LSTM",
    "MatMul",
    "MaxPool",
    "Mod",
    "MaxUnpool",
    "NonZero",
    "OneHot",
    "Pad",
    "Pow",
    "Range",
    "ReduceMax",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "RoiAlign",
    "Scan",
    "ScatterND",
    "Shape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Transpose",
    "Trilu",
    "Unique",
    "Unsqueeze",
    "Upsample",
    "Where",
    "Foo",
    "NonMaxSuppression",
    "DFT",
    "STFT",
    "Hardmax",
    "HannWindow",
    "MelWeightMatrix",
    "RandomUniform",
    "SequenceEmpty",
    "Compress",
    "ReverseSequence",
    "QLinearConv",
    "GRU",
    "Col2Im",
]
_WHOLE = (-1, 0, 1, 2, 3, 7, 64, 10**4, 10**6, 10**9, -(10**6), 2**31, 2**33, 2**62, -(2**63))


def changed(model: onnx.ModelProto, rng: random.Random) -> None:
    """One change."""
    rng.choice(_CHANGES)(model, rng)


def _operator(model: onnx.ModelProto, rng: random.Random) -> None:
    rng.choice(model.graph.node).op_type = rng.choice(OPERATORS)


def _input(model: onnx.ModelProto, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    names = [constant.name for constant in model.graph.initializer] + [
        n for each in model.graph.node for n in each.output
    ]
    if node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice([*names, "", "nothing", "image"])


def _attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    attribute = rng.choice(rng.choice(nodes).attribute)
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_WHOLE)
    elif attribute.floats:
        attribute.floats[rng.randrange(len(attribute.floats))] = rng.choice(
            (0.0, -1.0, 1e9, float("nan"), float("inf"))
        )
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = rng.choice(_WHOLE)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice((0.0, -1.0, 1e9, 1e38, float("nan"), float("inf")))
    elif attribute.type == onnx.AttributeProto.STRING:
        attribute.s = rng.choice((b"", b"SAME_UPPER", b"linear", b"cubic", b"reflect", b"\xff\n", b"ij,jk->ik"))
    else:
        attribute.type = rng.randrange(12)


def _new_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    name = rng.choice(
        ("axis", "axes", "pads", "group", "dilations", "strides", "kernel_shape", "to", "keepdims", "mode")
    )
    value = rng.choice((rng.choice(_WHOLE), [rng.choice(_WHOLE)] * 4, 1.5, "a"))
    rng.choice(model.graph.node).attribute.append(helper.make_attribute(name, value))


def _shape(model: onnx.ModelProto, rng: random.Random) -> None:
    constant = rng.choice(model.graph.initializer)
    if constant.dims:
        constant.dims[rng.randrange(len(constant.dims))] = rng.choice(_WHOLE)


def _regrouped(model: onnx.ModelProto, rng: random.Random) -> None:
    """A constant of another shape with as many numbers."""
    constant = rng.choice(model.graph.initializer)
    count = int(np.prod(constant.dims, dtype=np.int64))
    del constant.dims[:]
    constant.dims.extend(rng.choice(([count], [1, count], [count, 1, 1], [1, 1, 1, count])))


def _type(model: onnx.ModelProto, rng: random.Random) -> None:
    rng.choice(model.graph.initializer).data_type = rng.randrange(25)


def _numbers(model: onnx.ModelProto, rng: random.Random) -> None:
    """Numbers of a constant changed: shapes and axes often, weights else."""
    small = [c for c in model.graph.initializer if c.data_type == TensorProto.INT64 and 0 < len(c.raw_data) <= 64]
    constant = rng.choice(small if small and rng.random() < 0.7 else model.graph.initializer)
    if constant in small:
        values = numpy_helper.to_array(constant).copy()
        values.reshape(-1)[rng.randrange(values.size)] = rng.choice(_WHOLE)
        constant.raw_data = values.tobytes()
    elif len(constant.raw_data) >= 4:
        data = bytearray(constant.raw_data)
        for _ in range(20):
            data[rng.randrange(len(data))] = rng.choice((0, 127, 128, 255, rng.randrange(256)))
        constant.raw_data = bytes(data)


def _cut(model: onnx.ModelProto, rng: random.Random) -> None:
    constant = rng.choice(model.graph.initializer)
    constant.raw_data = constant.raw_data[: rng.randrange(len(constant.raw_data) + 1)]


def _version(model: onnx.ModelProto, rng: random.Random) -> None:
    model.opset_import[0].version = rng.choice((1, 7, 11, 13, 17, 21, 25, 99, 2**40))
    model.ir_version = rng.choice((1, 3, 8, 10, 20, 999))


def _left_out(model: onnx.ModelProto, rng: random.Random) -> None:
    del model.graph.node[rng.randrange(len(model.graph.node))]


def _interface(model: onnx.ModelProto, rng: random.Random) -> None:
    value = rng.choice([*model.graph.input, *model.graph.output])
    kind = rng.randrange(4)
    if kind == 0:
        value.name = rng.choice(("x", "", "score", "image", "image\n"))
    elif kind == 1:
        value.type.tensor_type.elem_type = rng.randrange(20)
    elif kind == 2:
        del value.type.tensor_type.shape.dim[:]
    else:
        for size in value.type.tensor_type.shape.dim:
            size.dim_value = rng.choice((0, 1, 3, 8, 10**6))


def _external(model: onnx.ModelProto, rng: random.Random) -> None:
    constant = rng.choice(model.graph.initializer)
    constant.ClearField("raw_data")
    constant.data_location = rng.choice((0, 1, 7))
    entry = constant.external_data.add()
    entry.key, entry.value = (
        "location",
        rng.choice(("/etc/hostname", "../a", "a", "", "*/_ORT_MEM_ADDR_/*", "/dev/zero")),
    )


def _subgraph(model: onnx.ModelProto, rng: random.Random) -> None:
    inner = helper.make_graph([helper.make_node("Identity", ["image"], ["y"])], "inner", [], [])
    rng.choice(model.graph.node).attribute.append(helper.make_attribute(rng.choice(("body", "then_branch")), inner))


def _function(model: onnx.ModelProto, rng: random.Random) -> None:
    inner = [helper.make_node(rng.choice(("F", "Relu")), ["x"], ["y"])]
    domain = rng.choice(("", "ai.onnx", "mine"))
    model.functions.append(helper.make_function(domain, "F", ["x"], ["y"], inner, [helper.make_opsetid("", 20)]))


def _domain(model: onnx.ModelProto, rng: random.Random) -> None:
    domain = rng.choice(("ai.onnx.ml", "com.microsoft", "ai.onnx.training", "evil", "ai.onnx"))
    rng.choice(model.graph.node).domain = domain
    model.opset_import.append(helper.make_opsetid(domain, 1))


_CHANGES: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    _operator, _operator, _operator, _input, _input, _input, _attribute, _attribute, _attribute, _new_attribute, _shape,
    _regrouped, _regrouped, _type, _numbers, _numbers, _numbers, _numbers, _cut, _version, _left_out, _interface,
    _external, _subgraph, _function, _domain,
)  # fmt: skip
