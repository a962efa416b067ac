"""Builds a TensorFlow Lite model from tensors and operators, with the schema that tflite-micro provides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flawspot.errors import ExportError

SAME, VALID = 0, 1
"""Paddings."""
NONE, RELU, RELU6 = 0, 1, 3
"""Activations that can be fused into an operator."""

_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "PAD": "PadOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "GATHER": "GatherOptions",
    "CONCATENATION": "ConcatenationOptions",
    "RESHAPE": "ReshapeOptions",
    "TRANSPOSE": "TransposeOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "ARG_MAX": "ArgMaxOptions",
    "SLICE": "SliceOptions",
    "SQUARE": "SquareOptions",
    "SQRT": None,
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "EQUAL": "EqualOptions",
    "SELECT_V2": "SelectV2Options",
    "EXP": "ExpOptions",
    "DIV": "DivOptions",
}
_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "ADD": 2, "GATHER": 2, "MAXIMUM": 2, "MINIMUM": 2, "PAD": 2}
_VERSIONS |= {"DEQUANTIZE": 2}
"""Versions of the operators with 8-bit numbers; others have 1. Converters count like this, and LiteRT reads it."""
MOST_BYTES = 1_500_000_000
"""Most bytes of all constants, because offsets in the file have 31 bits."""
_ALIGNMENT = 16
"""Alignment in bytes of constants in the file, as the schema requires."""


@dataclass(frozen=True)
class Value:
    """A tensor of the model.

    Attributes:
        index: index in the model.
        shape: shape, channels last.
        dtype: type of its numbers.
        scale, zero: a stored number q means ``scale * (q - zero)``; None for floats and indices.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | None = None
    zero: int = 0


class Model:
    """A model that is being built.

    Attributes:
        sizes: bytes of constants, by part.
    """

    def __init__(self) -> None:
        self._schema = schema()
        self._vectors: dict[bytes, int] = {}
        self._buffer_kind, self._quantization_kind = _classes(self._schema, self._vectors)
        self._model, self._graph = self._schema.ModelT(), self._schema.SubGraphT()
        self._model.version = 3
        self._model.subgraphs, self._model.operatorCodes = [self._graph], []
        self._model.buffers, self._model.metadata = [self._schema.BufferT()], []
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs, self._graph.outputs = [], []
        self._codes: dict[tuple[str, int], int] = {}
        self._constants: dict[tuple[Any, ...], Value] = {}
        self.sizes: dict[str, int] = {}

    def input(
        self, shape: Sequence[int], dtype: DTypeLike, *, name: str = "", scale: float | None = None, zero: int = 0
    ) -> Value:
        """A new input of the model. Inputs are ordered by their creation."""
        value = self._value("input", tuple(map(int, shape)), np.dtype(dtype), scale, zero, name)
        self._graph.inputs.append(value.index)
        return value

    def output(self, value: Value, name: str = "") -> None:
        """Make a value an output of the model."""
        if name:
            self._graph.tensors[value.index].name = name
        self._graph.outputs.append(value.index)

    def constant(
        self,
        numbers: NDArray[Any],
        part: str,
        *,
        scales: NDArray[np.float32] | float | None = None,
        zero: int = 0,
        axis: int = 0,
    ) -> Value:
        """A constant. Equal constants are stored once.

        Args:
            numbers: numbers of any type in the schema.
            part: the part that they are counted with.
            scales: for quantized numbers one scale, or one for each index of `axis`.
            zero: zero point of numbers with one scale; others have 0.
            axis: axis of the scales.

        Raises:
            ExportError: the constants are too large for a file of this kind.
        """
        data = np.ascontiguousarray(numbers)
        own = None if scales is None else np.atleast_1d(np.asarray(scales, np.float32))
        digest = hashlib.sha256(data.tobytes()).digest()
        key = (digest, data.dtype.str, data.shape, None if own is None else own.tobytes(), zero, axis)
        if key in self._constants:
            return self._constants[key]
        one = float(own[0]) if own is not None and own.size == 1 else None
        value = self._value("constant", data.shape, data.dtype, one, zero)
        tensor = self._graph.tensors[value.index]
        tensor.buffer = self._buffer(data)
        if own is not None and one is None:
            tensor.quantization = self._quantization(own, np.zeros(own.size, np.int64), axis)
        self.sizes[part] = self.sizes.get(part, 0) + data.nbytes
        if sum(self.sizes.values()) > MOST_BYTES:
            raise ExportError(
                f"this detector has no TFLite form: its constants take more than {MOST_BYTES / 1e9:.2g} GB, and such a "
                "file holds less than 2"
            )
        self._constants[key] = value
        return value

    def apply(
        self,
        operator: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        *,
        dtype: DTypeLike = np.float32,
        scale: float | None = None,
        zero: int = 0,
        **settings: Any,
    ) -> Value:
        """An operator and its result.

        Args:
            operator: name of the operator in the schema.
            inputs: values that it reads.
            shape: shape of the result.
            dtype, scale, zero: of the result; see `Value`.
            settings: settings of the operator, by their names in the schema.
        """
        result = self._value(operator.lower(), tuple(map(int, shape)), np.dtype(dtype), scale, zero)
        made = self._schema.OperatorT()
        whole = inputs[0].dtype in (np.int8, np.int16)
        made.opcodeIndex = self._code(operator, _VERSIONS.get(operator, 1) if whole else 1)
        made.inputs, made.outputs = [value.index for value in inputs], [result.index]
        kind = _OPTIONS[operator]
        if kind is not None:
            made.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(self._schema, f"{kind}T")()
            for name, setting in settings.items():
                setattr(made.builtinOptions, name, setting)
        self._graph.operators.append(made)
        return result

    def file(self, description: str, metadata: dict[str, bytes]) -> bytes:
        """The model as a .tflite file. Equal models give equal bytes."""
        import flatbuffers

        self._model.description, self._model.metadata = description, []
        for name, data in metadata.items():
            told = self._schema.MetadataT()
            told.name, told.buffer = name, self._buffer(np.frombuffer(data, np.uint8))
            self._model.metadata.append(told)
        self._vectors.clear()
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _value(
        self,
        kind: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        scale: float | None,
        zero: int,
        name: str = "",
    ) -> Value:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name or f"{kind}_{len(self._graph.tensors)}", list(shape), 0
        tensor.type = getattr(self._schema.TensorType, dtype.name.upper())
        if scale is not None:
            tensor.quantization = self._quantization(np.array([scale], np.float32), np.array([zero], np.int64), 0)
        self._graph.tensors.append(tensor)
        return Value(len(self._graph.tensors) - 1, shape, dtype, scale, zero)

    def _quantization(self, scales: NDArray[np.float32], zeros: NDArray[np.int64], axis: int) -> Any:
        made = self._quantization_kind()
        made.scale, made.zeroPoint, made.quantizedDimension = scales, zeros, axis
        return made

    def _buffer(self, data: NDArray[Any]) -> int:
        buffer = self._buffer_kind()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def _code(self, operator: str, version: int) -> int:
        key = (operator, version)
        if key not in self._codes:
            code = self._schema.OperatorCodeT()
            code.builtinCode = getattr(self._schema.BuiltinOperator, operator)
            code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
            self._codes[key] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[key]


def schema() -> Any:
    """The schema's module, which tflite-micro provides."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated

    return schema_py_generated


def _classes(module: Any, vectors: dict[bytes, int]) -> tuple[type[Any], type[Any]]:
    """Classes for buffers and quantization that differ from the schema's own in how they are packed.

    A buffer is aligned as the schema requires, which its own classes do not do. A vector of numbers that is already in
    the file is not written again.
    """

    class Buffer(module.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - its name in the schema
            count = len(self.data)
            builder.StartVector(1, count, _ALIGNMENT)
            builder.head -= count
            builder.Bytes[builder.head : builder.head + count] = self.data.tobytes()
            data = builder.EndVector()
            module.BufferStart(builder)
            module.BufferAddData(builder, data)
            return module.BufferEnd(builder)

    class Quantization(module.QuantizationParametersT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802
            places = []
            for numbers in (self.scale, self.zeroPoint):
                key = numbers.dtype.str.encode() + numbers.tobytes()
                if key not in vectors:
                    vectors[key] = builder.CreateNumpyVector(numbers)
                places.append(vectors[key])
            module.QuantizationParametersStart(builder)
            module.QuantizationParametersAddScale(builder, places[0])
            module.QuantizationParametersAddZeroPoint(builder, places[1])
            module.QuantizationParametersAddQuantizedDimension(builder, self.quantizedDimension)
            return module.QuantizationParametersEnd(builder)

    return Buffer, Quantization
