"""The ONNX operators that a detector may have, by the type of their result."""

from __future__ import annotations

SAME_AS_FIRST = frozenset(
    b"Abs Clip CumSum DepthToSpace Expand Flatten Gather GatherElements GatherND GlobalMaxPool Identity "
    b"LeakyRelu MaxPool Neg Pad Pow ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    b"ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Sign Slice SpaceToDepth "
    b"Split Squeeze Tile TopK Transpose Trilu Unsqueeze".split()
)
"""Operators whose result has the type of their first input."""
SAME_AS_ANY = frozenset(b"Add Concat Div Einsum Gemm MatMul Max Mean Min Mod Mul PRelu Range Sub Sum Where".split())
"""Operators whose inputs, but for conditions, and result have one type."""
FLOATING = frozenset(
    b"AveragePool BatchNormalization Ceil Conv ConvTranspose Cos DequantizeLinear Elu Erf Exp Floor Gelu "
    b"GlobalAveragePool GroupNormalization HardSigmoid HardSwish InstanceNormalization LayerNormalization Log "
    b"LogSoftmax LpNormalization Mish Reciprocal Selu Sigmoid Sin Softmax Softplus Sqrt Tanh".split()
)
"""Operators that take floating-point numbers alone."""
OTHER = frozenset(
    b"And ArgMax ArgMin Cast CastLike Constant ConvInteger Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual "
    b"MatMulInteger NonZero Not Or QLinearConv QLinearMatMul QuantizeLinear Shape Size Xor".split()
)
ALLOWED = SAME_AS_FIRST | SAME_AS_ANY | FLOATING | OTHER
"""Plain arithmetic on dense tensors. Left out are control flow, sequences, text, chance, files in files, and what makes
large tensors of a few numbers."""
FLOAT_TYPES = (1, 10, 11, 16)
"""Of TensorProto.DataType, the floating-point ones."""
