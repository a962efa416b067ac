"""``--to onnx-fixed``: ONNX of one fixed shape in plain operators, and instructions to prepare a photograph."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError, ExportError, FlawspotError
from flawspot.export.fixed import heads as fixed_heads
from flawspot.export.fixed.graph import FixedGraph
from flawspot.export.form import Addition, Conversion, Convolution, Form, Input
from flawspot.export.gate import Bounds, Maps, Translation, in_turn
from flawspot.export.head_operations import (
    CentreDistance,
    DirectionDistance,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
)
from flawspot.export.reading.from_onnx import MAP, SCORE
from flawspot.export.source import Source
from flawspot.export.target import Written
from flawspot.extras import require
from flawspot.runtime.arena import allowed_megabytes
from flawspot.runtime.artifact import read
from flawspot.runtime.session import open_session

OPSET, IR = 17, 8
"""Of ONNX 1.12 (2022), which other compilers know."""
IMAGE = "image"


class FixedTarget:
    """See `flawspot.export.target.Target`."""

    name = "onnx-fixed"
    about = "ONNX of one fixed shape in plain operators, for OpenVINO, TensorRT, tract and compilers of NPUs"
    from_form = True
    own_integers = False
    bounds = Bounds()
    missing = ""  # ONNX Runtime is always installed

    def check_path(self, path: Path) -> tuple[Path, ...]:
        if path.suffix != ".onnx" or path.name == ".onnx":
            raise ConfigurationError(f"cannot write {path}: name it as an ONNX file, such as part_fixed.onnx")
        if _is_detector(path):
            raise ConfigurationError(f"cannot write {path}: it is a detector, which would be lost; name another file")
        return path, path.with_name(f"{path.stem}.preprocess.json")

    def write(self, source: Source, path: Path) -> Written:
        require("onnx", "an ONNX file")
        model, parts = write_fixed(source.needed_form(), source)
        names = self.check_path(path)
        text = json.dumps(preparation(source, path.name), indent=1) + "\n"
        return Written({names[0]: model, names[1]: text.encode()}, parts)

    def runs_here(self) -> str | None:
        return f"ONNX Runtime {version('onnxruntime')}"

    @contextmanager
    def at_work(self, source: Source, written: Written) -> Iterator[Translation]:
        model = next(iter(written.files.values()))
        yield _Fixed(model)

    def measured(self, source: Source, written: Written) -> Written:
        return written


def _is_detector(path: Path) -> bool:
    """Whether the file is an artifact: it would be overwritten, and cannot be restored."""
    try:
        read(path)
    except FlawspotError:
        return False
    return True


class _Fixed:
    """The file in ONNX Runtime, one photograph at a time."""

    def __init__(self, model: bytes) -> None:
        self._session = open_session(model, device="cpu", megabytes=allowed_megabytes())

    def run(self, photographs: NDArray[np.uint8]) -> Maps:
        return in_turn(lambda photograph: tuple(self._session.run([MAP, SCORE], {IMAGE: photograph})), photographs)

    def trace(self, photograph: NDArray[np.uint8], expected: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError("its integers are computed by ONNX Runtime itself")


def write_fixed(form: Form, source: Source) -> tuple[bytes, dict[str, int]]:
    """The bytes of the model, and of its constants by part.

    Raises:
        ExportError: it has layers of 16 bits.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = FixedGraph()
    for operation in form.operations:
        _write(graph, operation)
    size = form.input_size
    made = helper.make_graph(
        graph.nodes,
        "flawspot",
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [1, size, size, 3])],
        [
            helper.make_tensor_value_info(MAP, TensorProto.FLOAT, [1, size, size]),
            helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="flawspot")
    helper.set_model_props(model, {f"flawspot.{key}": _plain(value) for key, value in _told(source).items()})
    return model.SerializeToString(deterministic=True), graph.parts


def _write(graph: FixedGraph, operation: Any) -> None:
    if isinstance(operation, Input):
        graph.input(operation, IMAGE)
    elif isinstance(operation, Convolution):
        graph.convolution(operation)
    elif isinstance(operation, Addition):
        graph.addition(operation)
    elif isinstance(operation, Conversion):
        graph.conversion(operation)
    elif isinstance(operation, DirectionDistance):
        fixed_heads.direction(graph, operation)
    elif isinstance(operation, GaussianDistance):
        fixed_heads.gaussian(graph, operation)
    elif isinstance(operation, NearestNeighbour):
        fixed_heads.nearest(graph, operation)
    elif isinstance(operation, CentreDistance):
        fixed_heads.centres(graph, operation)
    elif isinstance(operation, MapProduct):
        fixed_heads.product(graph, operation, (MAP, SCORE))
    else:
        raise ExportError(f"fixed ONNX has no form for {type(operation).__name__}")


def _told(source: Source) -> dict[str, Any]:
    facts = source.facts
    return {
        "title": facts.title,
        "product": facts.product,
        "threshold": facts.threshold,
        "graph_sha256": facts.sha256,
        "version": facts.version,
    }


def _plain(value: object) -> str:
    """A text in which unpaired surrogates, as in names of non-UTF-8 files, are escaped."""
    return str(value).encode(errors="backslashreplace").decode()


_BY_RULE = (
    "w = lambda L, S={size}: (lambda m: m / m.sum(1, keepdims=True))(np.maximum(0, 1 - abs(np.arange(L) + .5 - "
    "(np.arange(S)[:, None] + .5) * L / S) / max(L / S, 1))); "
    "resized = np.rint(np.einsum('ih,hwc,jw->ijc', w(rgb.shape[0]), rgb, w(rgb.shape[1]), optimize=True))"
    ".astype(np.uint8)"
)
"""The rule in a line of numpy; ``rgb`` is (H, W, 3)."""


def preparation(source: Source, name: str) -> dict[str, Any]:
    """Instructions for preparing a photograph and reading the outputs, as plain values."""
    size = source.facts.input_size
    resize = {
        "size": [size, size],
        "filter": "bilinear",
        "antialias": True,
        "keep_aspect_ratio": False,
        "numpy": _BY_RULE.format(size=size),
        "pillow": f"image.convert('RGB').resize(({size}, {size}), Image.Resampling.BILINEAR)",
        "pillow_differs": "by one grey level at some pixels, as it rounds after each of the two axes; scores follow it",
        "rule": "the weights of output pixel i are max(0, 1 - |j + 1/2 - (i + 1/2) L / S| / max(L / S, 1)) at input "
        "pixel j, divided by their sum; of rows and of columns",
    }
    photograph = {"name": IMAGE, "type": "uint8", "shape": [1, size, size, 3], "layout": "NHWC", "colours": "RGB"}
    return {
        "model": name,
        **_told(source),
        "white": source.artifact.manifest.white,
        "sixteen_bits": "divided by `white`, times 255, rounded to whole grey levels",
        "orientation": "turned as its EXIF data say",
        "resize": resize,
        "input": {**photograph, "normalised": "in the model: give grey levels from 0 to 255"},
        "outputs": [
            {"name": MAP, "type": "float32", "shape": [1, size, size]},
            {"name": SCORE, "type": "float32", "shape": [1], "anomalous": "above the threshold, or not a number"},
        ],
    }
