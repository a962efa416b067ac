"""Graphs made by hand that no detector has, under a manifest, a checksum and a hash that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzzing.artifacts import base, bound
from fuzzing.handmade import HandMade

_node = helper.make_node
_value = helper.make_tensor_value_info
IMAGE = _value("image", TensorProto.UINT8, ["N", "H", "W", 3])
MAP = _node("Identity", ["zero"], ["anomaly_map"])


def constant(name: str, values: object) -> TensorProto:
    """A tensor with its numbers in the file."""
    return numpy_helper.from_array(np.asarray(values), name)


def numbers(*values: float) -> np.ndarray:
    """float32."""
    return np.array(values, np.float32)


ZERO = constant("zero", np.zeros((1, 8, 8), np.float32))


def outputs(
    of_map: Sequence[Any] = ("N", 8, 8), of_score: Sequence[Any] = ("N",), kind: int = TensorProto.FLOAT
) -> list[onnx.ValueInfoProto]:
    """The outputs, as they are right or otherwise."""
    return [_value("anomaly_map", TensorProto.FLOAT, list(of_map)), _value("score", kind, list(of_score))]


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[TensorProto] = (ZERO,),
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (IMAGE,),
    ends: Sequence[onnx.ValueInfoProto] | None = None,
    opset: int = 18,
    functions: Sequence[onnx.FunctionProto] = (),
    domain: str = "",
    sparse: Sequence[onnx.SparseTensorProto] = (),
) -> bytes:
    """A model as bytes."""
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(ends or outputs()), list(constants))
    graph.sparse_initializer.extend(sparse)
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    made = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=9)
    data: bytes = made.SerializeToString()
    return data


def score(name: str) -> list[onnx.NodeProto]:
    """The ends of a graph whose score is `name`."""
    return [MAP, _node("Identity", [name], ["score"])]


def outside(location: str, *, offset: int | None = None, length: int = 8) -> TensorProto:
    """A tensor whose numbers are elsewhere."""
    tensor = TensorProto(name="leak", data_type=TensorProto.UINT8, dims=[length], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("length", str(length)), ("offset", offset)):
        if text is not None:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(text)
    return tensor


def cases() -> Iterator[HandMade]:
    """All of them."""
    for name, data, message in (*_outside(), *_sizes(), *_repeating(), *_interfaces()):
        yield _made(name, data, message)
    yield _made("a chain of 9,000 operators", _chain(9_000), "another than|self-test|cannot load")
    yield _made("the photograph's largest value", _largest_value(), "self-test")


def _made(name: str, data: bytes, message: str) -> HandMade:
    def write(path: Path, tiny: Path) -> None:
        path.write_bytes(bound(data, base(tiny).manifest))

    return HandMade(f"graph: {name}", "artifact", write, message=message)


def _outside() -> Iterator[tuple[str, bytes, str]]:
    leak = [_node("Cast", ["leak"], ["score"], to=TensorProto.FLOAT), MAP]
    message = "outside of the file"
    for location in (
        "/etc/passwd", "../" * 12 + "etc/passwd", "etc/passwd", "secret.txt", "a/../secret.txt", "/proc/self/environ",
        "proc/self/environ", "file:///etc/passwd", "", "*/_ORT_MEM_ADDR_/*", "/dev/stdin",
    ):  # fmt: skip
        yield f"external data at {location!r}", model(leak, [outside(location), ZERO]), message
    for offset, length in ((4096, 8), (140_000_000_000_000, 1 << 20)):
        tensor = outside("*/_ORT_MEM_ADDR_/*", offset=offset, length=length)
        yield f"external data at address {offset}", model(leak, [tensor, ZERO]), message
    inner = _node("Constant", [], ["leak"], value=outside("secret.txt"))
    yield "external data of an attribute", model([inner, *leak], [ZERO]), message


def _sizes() -> Iterator[tuple[str, bytes, str]]:
    for dims in ([2**31, 2**31], [2**36], [2**62, 8]):
        tensor = TensorProto(name="b", data_type=TensorProto.FLOAT, dims=dims)
        yield f"a tensor of {dims} without numbers", model(score("b"), [tensor, ZERO]), "no numbers for its shape"
    for batch in (-1, -(10**6)):
        gathered = _node("GatherND", ["zero", "i"], ["g"], batch_dims=batch)
        places = constant("i", np.zeros((1, 3), np.int64))
        yield f"GatherND by {batch} dimensions", model([gathered, *score("g")], [places, ZERO]), "batch_dims"
    negative = TensorProto(name="b", data_type=TensorProto.FLOAT, dims=[-5], raw_data=b"1234")
    yield "a negative length", model(score("b"), [negative, ZERO]), "another size"
    maximum = [
        _node("ReduceMax", ["e"], ["m"], keepdims=0),
        _node("Unsqueeze", ["m", "axis"], ["score"]),
        MAP,
    ]
    axis = constant("axis", np.array([0], np.int64))
    for dims in ([2**29], [2**30], [2**34], [2**40, 2**40]):
        grown = _node("ConstantOfShape", ["shape"], ["e"])
        data = model([grown, *maximum], [constant("shape", np.array(dims, np.int64)), axis, ZERO])
        yield f"ConstantOfShape {dims}", data, "ConstantOfShape"
    at_run_time = [
        _node("Shape", ["image"], ["s"]),
        _node("Mul", ["s", "k"], ["t"]),
        _node("ConstantOfShape", ["t"], ["e"]),
    ]
    factor = constant("k", np.array([1, 1000, 1000, 1], np.int64))
    yield ("a size known at run time alone", model([*at_run_time, *maximum], [factor, axis, ZERO]), "ConstantOfShape")
    sparse = onnx.SparseTensorProto(values=constant("e", numbers(1)), indices=constant("", np.zeros(1, np.int64)))
    sparse.dims.append(2**33)
    yield "a sparse tensor", model(maximum, [axis, ZERO], sparse=[sparse]), "sparse"
    square = _node("ConstantOfShape", ["shape"], ["anomaly_map"])
    large = constant("shape", np.array([1, 15_000, 15_000], np.int64))
    yield (
        "a map of 15,000 x 15,000",
        model([square, score("s")[1]], [large, constant("s", numbers(9))]),
        "ConstantOfShape",
    )


def _repeating() -> Iterator[tuple[str, bytes, str]]:
    value, more = _value("v", TensorProto.FLOAT, [1]), _value("c", TensorProto.BOOL, [])
    steps = [_node("Identity", ["c"], ["co"]), _node("Identity", ["v"], ["vo"])]
    ends = [_value("co", TensorProto.BOOL, []), _value("vo", TensorProto.FLOAT, [1])]
    body = helper.make_graph(steps, "body", [_value("i", TensorProto.INT64, []), more, value], ends)
    loop = _node("Loop", ["", "true", "v0"], ["score"], body=body)
    start = [constant("true", np.array(True)), constant("v0", numbers(0)), ZERO]
    yield "a loop without end", model([loop, MAP], start), "graphs within graphs"
    inner = helper.make_graph([_node("Identity", ["v0"], ["o"])], "inner", [], [_value("o", TensorProto.FLOAT, [1])])
    for depth in range(1, 30):
        branch = _node("If", ["true"], ["o"], then_branch=inner, else_branch=inner if depth < 2 else body)
        inner = helper.make_graph([branch], f"depth {depth}", [], [_value("o", TensorProto.FLOAT, [1])])
    nested = _node("If", ["true"], ["score"], then_branch=inner, else_branch=inner)
    yield "30 graphs within graphs", model([nested, MAP], start), "graphs within graphs"
    yield "a chain of 100,000 operators", _chain(100_000), "10,000 operators"
    itself = _function("F", [_node("F", ["x"], ["y"], domain="mine")])
    call = _node("F", ["v0"], ["score"], domain="mine")
    yield "a function of itself", model([call, MAP], start, functions=[itself], domain="mine"), "domain|functions"
    laughs = [
        _function(
            f"F{i}", [_node(f"F{i + 1}", ["x"], ["a"], domain="mine"), _node(f"F{i + 1}", ["a"], ["y"], domain="mine")]
        )
        for i in range(24)
    ]
    laughs.append(_function("F24", [_node("Sin", ["x"], ["y"])]))
    call = _node("F0", ["v0"], ["score"], domain="mine")
    yield "functions 2^24 deep", model([call, MAP], start, functions=laughs, domain="mine"), "domain|functions"
    evil = _node("Evil", ["v0"], ["score"], domain="evil.example")
    yield "a domain of its own", model([evil, MAP], start, domain="evil.example"), "domain"


def _function(name: str, nodes: list[onnx.NodeProto]) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    return helper.make_function("mine", name, ["x"], ["y"], nodes, opsets)


def _chain(length: int) -> bytes:
    start = [
        _node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        _node("ReduceMax", ["f"], ["m"], keepdims=0),
        _node("Unsqueeze", ["m", "axis"], ["q0"]),
    ]
    chain = [_node("Sin", [f"q{index}"], [f"q{index + 1}"]) for index in range(length)]
    return model([*start, *chain, *score(f"q{length}")], [constant("axis", np.array([0], np.int64)), ZERO])


def _largest_value() -> bytes:
    nodes = [
        _node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        _node("ReduceMax", ["f"], ["m"], keepdims=0),
        _node("Unsqueeze", ["m", "axis"], ["score"]),
    ]
    return model([*nodes, MAP], [constant("axis", np.array([0], np.int64)), ZERO])


def _interfaces() -> Iterator[tuple[str, bytes, str]]:
    good = constant("s", numbers(0))
    for value in (np.nan, np.inf, -np.inf):
        # What is not a number is refused before it is computed with.
        said = "not a number" if np.isnan(value) else "not a finite number"
        yield f"a score of {value}", model(score("s"), [constant("s", numbers(value)), ZERO]), said
        unreal = constant("zero", np.full((1, 8, 8), value, np.float32))
        yield f"a map of {value}", model(score("s"), [good, unreal]), said
    yield "always good", model(score("s"), [good, ZERO]), "self-test"
    yield "no score", model([MAP], ends=outputs()[:1]), "outputs"
    for name, inputs in {
        "another input": [_value("x", TensorProto.UINT8, ["N", "H", "W", 3])],
        "an input of floats": [_value("image", TensorProto.FLOAT, ["N", "H", "W", 3])],
        "a second input": [IMAGE, _value("more", TensorProto.FLOAT, [1])],
        "no input": [],
    }.items():
        yield name, model(score("s"), [good, ZERO], inputs=inputs), "input"
    text = helper.make_tensor("s", TensorProto.STRING, [1], [b"abc"])
    yield "a score of text", model(score("s"), [text, ZERO], ends=outputs(kind=TensorProto.STRING)), "type"
    flat = constant("s", np.zeros((1, 3), np.float32))
    yield "a score of two dimensions", model(score("s"), [flat, ZERO], ends=outputs(of_score=(1, 3))), "outputs"
    deep = constant("zero", np.ones((1, 1, 8, 8), np.float32))
    yield "a map of four dimensions", model(score("s"), [good, deep], ends=outputs(of_map=(1, 1, 8, 8))), "outputs"
    yield "no score in the score", model(score("s"), [constant("s", numbers()), ZERO]), "are right|cannot load"
    yield "two scores", model(score("s"), [constant("s", numbers(0, 9)), ZERO]), "are right|cannot load"
    empty = constant("zero", np.ones((1, 0, 0), np.float32))
    yield "an empty map", model(score("s"), [good, empty]), "are right|cannot load"
    yield "an opset of another time", model(score("s"), [good, ZERO], opset=99), "cannot load"
    for name in (b"\xff\xfeab", b"a\nbc", b"\x1b[2J"):
        yield f"a name of {name!r}", model(score("none"), [ZERO]).replace(b"none", name), "cannot load"
    yield "no operators", model([], []), "cannot load"
    circle = [_node("Add", ["b", "s"], ["a"]), _node("Add", ["a", "s"], ["b"]), *score("a")]
    yield "a circle", model(circle, [good, ZERO]), "cannot load"
