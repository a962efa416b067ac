"""Small detectors as ONNX graphs, of floats or quantized, without training: every kind of operation that has a form."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from flawspot.runtime.artifact import Artifact, assemble
from flawspot.runtime.session import open_session
from flawspot.runtime.view import View
from flawspot.training.resizing import DOMAIN, OPERATOR, expand

SIZE = 40
MEAN, STD = (120.0, 110.0, 100.0), (60.0, 55.0, 50.0)


class Builder:
    """Writes a graph operator by operator; with `ranges` convolutions and additions are quantized.

    Attributes:
        ranges: lowest and highest of each value that is quantized; None for floats.
        traced: names of the values whose ranges matter.
        wide: values that are held in 16 bits.
        plain: photographs are resized in plain operators, as they are now, or by ``Resize``, as they were.
    """

    def __init__(self, size=SIZE, ranges=None, wide=(), *, plain=True):
        self.size, self.ranges, self.wide, self.plain = size, ranges, wide, plain
        self.nodes, self.constants, self.traced = [], [], []
        self.generator = np.random.default_rng(5)
        self.steps = {}
        self.count = 0

    def constant(self, values, dtype=np.float32):
        self.count += 1
        name = f"constant{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, operator, *inputs, name=None, **settings):
        self.count += 1
        name = name or f"{operator.lower()}{self.count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **settings))
        return name

    def image(self):
        """Resized and normalised."""
        x = self.node(OPERATOR, "image", domain=DOMAIN) if self.plain else self.resized()
        x = self.node("Sub", x, self.constant(np.reshape(MEAN, (1, 3, 1, 1))))
        return self.quantized(self.node("Div", x, self.constant(np.reshape(STD, (1, 3, 1, 1)))))

    def resized(self):
        """As in artifacts of before."""
        x = self.node("Transpose", "image", perm=[0, 3, 1, 2])
        x = self.node("Cast", x, to=TensorProto.FLOAT)
        sizes = self.constant([1, 3, self.size, self.size], np.int64)
        settings = {"mode": "linear", "antialias": 1, "coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", x, "", "", sizes, exclude_outside=1, **settings)

    def quantized(self, x):
        """The value as it is read: through whole numbers, where there are ranges."""
        self.traced.append(x)
        if self.ranges is None:
            return x
        bits = 16 if x in self.wide else 8
        low, high = min(self.ranges[x][0], 0), max(self.ranges[x][1], 0)
        scale = np.float32((high - low) / (2**bits - 1))
        zero = int(np.clip(round(-low / scale), 0, 2**bits - 1))
        names = (self.constant(scale), self.constant(zero, np.uint16 if bits == 16 else np.uint8))
        codes = self.node("QuantizeLinear", x, *names, name=f"{x}.codes")
        found = self.node("DequantizeLinear", codes, *names)
        self.steps[found] = scale
        return found

    def convolution(self, x, channels, outputs, side=1, stride=1, pads=None, groups=1, clip=None):
        shape = (outputs, channels // groups, side, side)
        weight = self.generator.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        bias = self.generator.normal(0, 0.1, outputs).astype(np.float32)
        settings = {"strides": [stride] * 2, "group": groups, "kernel_shape": [side] * 2}
        settings["pads"] = [side // 2] * 4 if pads is None else pads
        if self.ranges is None or x not in self.steps:
            y = self.node("Conv", x, self.constant(weight), self.constant(bias), **settings)
        else:
            scales = (np.abs(weight).max(axis=(1, 2, 3)) / 127).astype(np.float32)
            steps = (scales * self.steps[x]).astype(np.float32)
            codes = np.rint(weight / scales[:, None, None, None])
            w = self.node("DequantizeLinear", self.constant(codes, np.int8), self.constant(scales), axis=0)
            whole = self.constant(np.rint(bias / steps), np.int32)
            b = self.node("DequantizeLinear", whole, self.constant(steps), axis=0)
            y = self.node("Conv", x, w, b, **settings)
        if clip is not None:
            y = self.node("Clip", y, *(self.constant(end) for end in clip))
        return self.quantized(y)

    def addition(self, a, b):
        return self.quantized(self.node("Add", a, b))

    def in_units(self, x, channels):
        """Each channel times a number, and another added to it, where they are quantized."""
        if self.ranges is None:
            return x
        shape = (1, channels, 1, 1)
        wide = self.node("Mul", x, self.constant(self.generator.uniform(0.5, 2, shape)))
        return self.node("Add", wide, self.constant(self.generator.normal(0, 0.3, shape)))

    def direction(self, a, b):
        sides = []
        for x in (a, b):
            length = self.node("ReduceL2", x, self.constant([1], np.int64), keepdims=1)
            sides.append(self.node("Div", x, self.node("Clip", length, self.constant(1e-12), "")))
        squared = self.node("Pow", self.node("Sub", *sides), self.constant(2.0))
        total = self.node("ReduceSum", squared, self.constant([1], np.int64), keepdims=0)
        return self.node("Mul", total, self.constant(0.5))

    def enlarged(self, x, side):
        rows = enlargement(self.size, side)
        return self.node("MatMul", self.node("MatMul", self.constant(rows), x), self.constant(rows.T))

    def model(self, anomaly_map):
        assert self.nodes[-1].output[0] == anomaly_map
        self.nodes[-1].output[0] = "anomaly_map"
        self.node("ReduceMax", "anomaly_map", self.constant([1, 2], np.int64), name="score", keepdims=0)
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
            [
                helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["N", self.size, self.size]),
                helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
            ],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        expand(model, View(self.size, self.size))
        return model.SerializeToString()


def enlargement(size, side):
    """(size, side): bilinear."""
    places = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(side)), 0).astype(np.float32)


def students(builder, *, units=False):
    """A teacher and a student of few layers, whose features differ in direction: every kind of convolution."""
    x = builder.convolution(builder.image(), 3, 8, 3, stride=2, clip=(0.0, 6.0))
    x = builder.convolution(x, 8, 8, 3, groups=8, clip=(0.0, 6.0))
    x = builder.convolution(x, 8, 11)
    wide = builder.convolution(x, 11, 20, clip=(0.0, 6.0))
    wide = builder.convolution(wide, 20, 20, 7, groups=20, clip=(0.0, 6.0))
    x = builder.addition(x, builder.convolution(wide, 20, 11))
    maps = []
    for _ in range(2):  # the same for both, with other weights
        y = builder.convolution(x, 11, 12, 5, stride=2, pads=[1, 1, 2, 2], clip=(0.0, 6.0))
        y = builder.convolution(y, 12, 6, 3, groups=3)
        z = builder.convolution(y, 6, 6, 5, stride=2, groups=6, pads=[1, 1, 2, 2])
        maps.append((builder.in_units(y, 6) if units else y, z))
    (first, deep), (second, other) = maps
    near = builder.enlarged(builder.direction(first, second), 10)
    far = builder.enlarged(builder.direction(deep, other), 5)
    return builder.node("Mul", near, far)


def students_in_units(builder):
    """The same, with features whose channels have units of their own."""
    return students(builder, units=True)


def bank(builder, dtype=np.float32):
    """The nearest of some rows, which are kept in `dtype`."""
    generator = np.random.default_rng(7)
    x = builder.convolution(builder.image(), 3, 10, 5, stride=4, clip=(0.0, 6.0))
    y = builder.in_units(builder.convolution(x, 10, 16, 3, stride=2), 16)
    window = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1], "count_include_pad": 1}
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    coarse = builder.node("AveragePool", y, **window)
    coarse = builder.node("Resize", coarse, "", "", builder.constant([1, 16, 10, 10], np.int64), **settings)
    vector = builder.node("Concat", builder.node("AveragePool", x, **window), coarse, axis=1)
    vector = builder.node("Reshape", vector, builder.constant([-1, 26, 100], np.int64))
    vector = builder.node("Transpose", vector, perm=[0, 2, 1])
    vector = builder.node("Sub", vector, builder.constant(generator.normal(0.5, 0.2, 26)))
    vector = builder.node("Reshape", vector, builder.constant([-1, 26], np.int64))
    rows = generator.normal(0, 0.5, (37, 26)).astype(np.float32)
    steps = (np.abs(rows).max(0) / 127).astype(np.float32)
    kept = np.rint(rows / steps).astype(np.int8) if dtype == np.int8 else rows.astype(dtype)
    decoded = kept.astype(np.float32) * (steps if dtype == np.int8 else np.float32(1))
    products = builder.node("MatMul", vector, builder.constant(-2 * decoded.T))
    products = builder.node("Add", products, builder.constant((decoded**2).sum(1)))
    index = builder.node("ArgMin", products, axis=1, keepdims=0)
    if dtype == np.float32:  # as they are searched, with their squared lengths
        stored = builder.constant(np.concatenate([-2 * decoded, (decoded**2).sum(1, keepdims=True)], axis=1))
        taken = builder.node("Gather", stored, index, axis=0)
        ends = [builder.constant([number], np.int64) for number in (0, 26, 1)]
        taken = builder.node("Mul", builder.node("Slice", taken, *ends), builder.constant(-0.5))
    else:
        taken = builder.node("Gather", builder.constant(kept, dtype), index, axis=0)
        taken = builder.node("Cast", taken, to=TensorProto.FLOAT)
        taken = builder.node("Mul", taken, builder.constant(steps)) if dtype == np.int8 else taken
    difference = builder.node("Sub", vector, taken)
    squared = builder.node("Mul", difference, difference)
    distance = builder.node("Sqrt", builder.node("ReduceSum", squared, builder.constant([-1], np.int64), keepdims=0))
    return builder.enlarged(builder.node("Reshape", distance, builder.constant([-1, 10, 10], np.int64)), 10)


def bank_of_halves(builder):
    """`bank` in float16."""
    return bank(builder, np.float16)


def bank_of_codes(builder):
    """`bank` in int8."""
    return bank(builder, np.int8)


def gaussians(builder, *, halves=False):
    """A Gaussian at each place, independent channels of two layers."""
    generator = np.random.default_rng(6)
    x = builder.convolution(builder.image(), 3, 10, 5, stride=4, clip=(0.0, 6.0))
    y = builder.convolution(x, 10, 16, 3, stride=2)
    fine = builder.node("Gather", x, builder.constant([1, 4, 9], np.int64), axis=1)
    coarse = builder.node("Gather", y, builder.constant([0, 2, 3, 11], np.int64), axis=1)
    sizes = builder.constant([1, 4, 10, 10], np.int64)
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    coarse = builder.node("Resize", coarse, "", "", sizes, **settings)
    vector = builder.node("Concat", fine, coarse, axis=1)
    flat = builder.node("Reshape", vector, builder.constant([-1, 7, 100], np.int64))
    difference = builder.node("Sub", flat, builder.constant(generator.normal(0, 1, (7, 100))))
    scale = builder.constant(generator.uniform(0.5, 2, (7, 100)), np.float16 if halves else np.float32)
    scale = builder.node("Cast", scale, to=TensorProto.FLOAT) if halves else scale
    scaled = builder.node("Mul", difference, scale)
    squared = builder.node("Mul", scaled, scaled)
    total = builder.node("ReduceSum", squared, builder.constant([1], np.int64), keepdims=0)
    distance = builder.node("Sqrt", total)
    return builder.enlarged(builder.node("Reshape", distance, builder.constant([-1, 10, 10], np.int64)), 10)


def gaussians_of_halves(builder):
    """`gaussians` with half of its numbers in float16."""
    return gaussians(builder, halves=True)


def pictures(count=6, size=SIZE, seed=0):
    """Smooth pictures with an edge."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    found = []
    for _ in range(count):
        waves = [np.sin(generator.uniform(2, 12) * x + generator.uniform(2, 12) * y + k) for k in range(3)]
        picture = 128 + 70 * np.stack(waves, 2) + 40 * (x > generator.uniform(0.2, 0.8))[:, :, None]
        found.append(np.clip(picture + generator.normal(0, 5, picture.shape), 0, 255).astype(np.uint8))
    return np.stack(found)


def artifact(manifest, make=students, *, quantized=False, wide=(), size=SIZE, plain=True) -> Artifact:
    """A small detector with its manifest, its threshold among its scores of `pictures`."""
    builder = Builder(size, plain=plain)
    model = builder.model(make(builder))
    if quantized:
        ranges = _ranges(model, builder.traced, size)
        # Values are named in the order in which they are made, and so differ: those traced stand in the same order.
        again = _Renamed(size, [ranges[name] for name in builder.traced], wide)
        model = again.model(make(again))
    session = open_session(model)
    scores = sorted(float(session.run(["score"], {"image": each[None]})[0][0]) for each in pictures(size=size))
    calibration = dataclasses.replace(manifest.calibration, threshold=scores[-2], scores=tuple(scores))
    return assemble(model, dataclasses.replace(manifest, input_size=size, calibration=calibration))


class _Renamed(Builder):
    """As `Builder`, with the ranges in the order in which values are quantized."""

    def __init__(self, size, ranges, wide):
        super().__init__(size, {}, ())
        self.in_order, self.places = ranges, wide

    def quantized(self, x):
        place = len(self.traced)
        self.ranges[x] = self.in_order[place]
        self.wide = (x,) if place in self.places else ()
        return super().quantized(x)


def _ranges(model, names, size):
    import onnx

    parsed = onnx.load_from_string(model)
    for name in names:
        parsed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(parsed.SerializeToString(), providers=["CPUExecutionProvider"])
    found = {}
    for picture in pictures(size=size):
        for name, value in zip(names, session.run(list(names), {"image": picture[None]}), strict=True):
            low, high = found.get(name, (0.0, 0.0))
            found[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return found
