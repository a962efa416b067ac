"""The ONNX operators that a detector may have, grouped by the type of their result."""

from __future__ import annotations

SAME_AS_FIRST = frozenset(
    b"Abs Clip CumSum DepthToSpace Expand Flatten Gather GatherElements GatherND GlobalMaxPool Identity "
    b"LeakyRelu MaxPool Neg Pad Pow ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    b"ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Sign Slice SpaceToDepth "
    b"Split Squeeze Tile TopK Transpose Trilu Unsqueeze".split()
)
"""Operators whose result has the type of their first input."""
SAME_AS_ANY = frozenset(b"Add Concat Div Einsum Gemm MatMul Max Mean Min Mod Mul PRelu Range Sub Sum Where".split())
"""Operators whose inputs (except conditions) and result have one type."""
FLOATING = frozenset(
    b"AveragePool BatchNormalization Ceil Conv ConvTranspose Cos DequantizeLinear Elu Erf Exp Floor Gelu "
    b"GlobalAveragePool GroupNormalization HardSigmoid HardSwish InstanceNormalization LayerNormalization Log "
    b"LogSoftmax LpNormalization Mish Reciprocal Selu Sigmoid Sin Softmax Softplus Sqrt Tanh".split()
)
"""Operators that take only floating-point numbers."""
OTHER = frozenset(
    b"And ArgMax ArgMin Cast CastLike Constant ConvInteger Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual "
    b"MatMulInteger NonZero Not Or QLinearConv QLinearMatMul QuantizeLinear Shape Size Xor".split()
)
ALLOWED = SAME_AS_FIRST | SAME_AS_ANY | FLOATING | OTHER
"""Plain arithmetic on dense tensors. Excluded are control flow, sequences, text, random numbers, external files, and
operators that make large tensors from a few numbers."""
FLOAT_TYPES = (1, 10, 11, 16)
"""The floating-point types in TensorProto.DataType."""


def is_floating(operator: bytes, inputs: list[bytes], types: list[int], floating: set[bytes]) -> bool:
    """Whether an operator's first result is known to be floating-point numbers.

    Args:
        operator, inputs: their names.
        types: the TensorProto.DataType numbers in its attributes.
        floating: names of values that are known to be floating-point numbers.
    """
    if operator in FLOATING:
        return True
    if operator in SAME_AS_FIRST:
        return inputs[:1] != [] and inputs[0] in floating
    if operator in SAME_AS_ANY:
        return any(name in floating for name in inputs)
    return operator in (b"Cast", b"Constant") and bool(types) and all(kind in FLOAT_TYPES for kind in types)
