"""The ranges of a network's values on good photographs: the smallest and largest of each channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from flawspot.runtime.session import open_session

Photograph = NDArray[np.uint8]


@dataclass(frozen=True)
class Range:
    """The range of one value.

    Attributes:
        low, high: (C,), of each channel.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def all_values(
    model: onnx.ModelProto, names: Sequence[str], photographs: Iterable[Photograph]
) -> Iterable[list[NDArray[np.float32]]]:
    """Inner values of a graph for each photograph (H, W, 3), each (C, H, W)."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(shown.SerializeToString(), device="cpu")
    for photograph in photographs:
        yield [value[0] for value in session.run(list(names), {"image": photograph[None]})]


def observe(model: onnx.ModelProto, names: Sequence[str], photographs: Iterable[Photograph]) -> dict[str, Range]:
    """Find the range of each value over some photographs.

    Args:
        model: takes ``image``.
        names: of values (N, C, H, W).
        photographs: each (H, W, 3), of any size.
    """
    low: dict[str, NDArray[np.float64]] = {}
    high: dict[str, NDArray[np.float64]] = {}
    for values in all_values(model, names, photographs):
        for name, value in zip(names, values, strict=True):
            flat = value.reshape(len(value), -1)
            least, most = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
            low[name] = np.minimum(low.get(name, least), least)
            high[name] = np.maximum(high.get(name, most), most)
    return {name: Range(low[name], high[name]) for name in names}
