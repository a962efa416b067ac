"""Checks whether ONNX Runtime multiplies 8-bit integers exactly on this processor.

x86 processors without VNNI (before 2019, and many small ones since) add pairs of products in 16 bits, which truncates
large ones. ONNX Runtime uses that instruction without a warning. Maps were wrong by more than their own size. On such a
processor the network is computed in float with the same steps, which is slower but correct.
"""

from __future__ import annotations

import base64
import functools

import numpy as np
import onnxruntime

_PROBE = base64.b64decode(
    "CAg6wwIKHQoBeAoBcwoBehICeHEiDlF1YW50aXplTGluZWFyCiAKAnhxCgFzCgF6EgJ4ZCIQRGVxdWFudGl6ZUxpbmVhcgogCgF3CgFzCgJ6aR"
    "ICd2QiEERlcXVhbnRpemVMaW5lYXIKEQoCeGQKAndkEgF5IgRDb252Ch0KAXkKAW8KAXoSAnlxIg5RdWFudGl6ZUxpbmVhcgofCgJ5cQoBbwoB"
    "ehIBciIQRGVxdWFudGl6ZUxpbmVhchIBZyoLEAFCAXNKBAAAgD8qCBACQgF6SgEAKgkQA0ICemlKAQAqHwgBCBAIAQgBEANCAXdKEH9/f39/f3"
    "9/f39/f39/f38qCxABQgFvSgQAAIBFWhsKAXgSFgoUCAESEAoCCAEKAggQCgIICAoCCAhiGwoBchIWChQIARIQCgIIAQoCCAEKAggICgIICEIE"
    "CgAQDQ=="
)
"""A quantized convolution of 16 channels whose weights are all 127 (`tests/runtime/test_integers.py` makes it)."""
_STEP = 4096
_EXACT = round(255 * 127 * 16 / _STEP) * _STEP

IN_FLOAT = ("session.disable_quant_qdq", "1")
"""Session setting by which ONNX Runtime computes quantized operators in float."""
IN_FLOAT_INSTEAD = (
    "this processor truncates products of 8-bit integers, so the int8 detector computes in float: correct but slower"
)


def has_integers(model: bytes) -> bool:
    """Whether a model has quantized values."""
    return b"QuantizeLinear" in model


@functools.cache
def exact_in_integers() -> bool:
    """Whether a sum of large products is exact. Tried once in a process, in a millisecond."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(_PROBE, options, providers=["CPUExecutionProvider"])
        result = session.run(None, {"x": np.full((1, 16, 8, 8), 255, np.float32)})[0]
    except Exception:  # if the test cannot run, integers are not trusted
        return False
    return bool((result == _EXACT).all())
