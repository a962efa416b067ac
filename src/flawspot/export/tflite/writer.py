"""A detector as a TensorFlow Lite file, of operators that TFLite-Micro has."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flawspot.export.form import Addition, Conversion, Convolution, Form, Input, Operation
from flawspot.export.head_operations import (
    CentreDistance,
    DirectionDistance,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
)
from flawspot.export.source import Facts
from flawspot.export.tflite.centres import write_centres
from flawspot.export.tflite.heads import write_direction, write_gaussian, write_nearest, write_product
from flawspot.export.tflite.input import image_of, write_input
from flawspot.export.tflite.layers import Writing, write_addition, write_conversion, write_convolution
from flawspot.export.tflite.model import Model
from flawspot.texts import visible

METADATA = "flawspot"
"""Name of flawspot's metadata in the file, which are JSON."""

_LEAST_STRIP = 16 * 1024


@dataclass(frozen=True)
class TfliteFile:
    """A written file.

    Attributes:
        data: the file.
        parts: its bytes, by part.
        steps: in a cut model, the operations whose tensors are its outputs and, besides the image, its inputs.
    """

    data: bytes
    parts: dict[str, int]
    steps: tuple[int, ...]


def write_tflite(form: Form, facts: Facts, *, cut: bool = False) -> TfliteFile:
    """Write a detector.

    Args:
        form: the detector.
        facts: information about the detector for the file.
        cut: cut the model at each tensor of whole numbers; see `flawspot.export.tflite.layers.Writing`. The operators
            and their constants are the same.

    Raises:
        ExportError: a part of the detector has no form in TFLite-Micro's operators; says which.
    """
    writing = Writing(Model(), _strip(form), cut)
    image = image_of(writing, form)
    for step, operation in enumerate(form.operations):
        if isinstance(operation, Input):
            write_input(writing, operation, image, step)
        else:
            _write(writing, operation, step)
    told = {
        "title": facts.title,
        "product": facts.product,
        "input_size": facts.input_size,
        "threshold": facts.threshold,
        "flawspot": facts.version,
        "graph_sha256": facts.sha256,
        "macs": facts.macs,
    }
    description = f"flawspot {visible(facts.version)}: {visible(facts.title)}; threshold {facts.threshold:.9g}"
    model = writing.model
    data = model.file(description, {METADATA: json.dumps(told).encode("ascii")})
    parts = {**model.sizes, "structure": len(data) - sum(model.sizes.values())}
    return TfliteFile(data, parts, tuple(writing.steps))


def _strip(form: Form) -> int:
    """Size of a strip with which the head, which uses up to four such values, needs no more memory than the layers."""
    layers = [operation for operation in form.operations if isinstance(operation, Convolution)]
    most = max((operation.x.bytes + operation.y.bytes for operation in layers), default=0)
    return max(most // 4, _LEAST_STRIP)


def _write(writing: Writing, operation: Operation, step: int) -> None:
    match operation:
        case Convolution():
            write_convolution(writing, operation, step)
        case Addition():
            write_addition(writing, operation, step)
        case Conversion():
            write_conversion(writing, operation, step)
        case DirectionDistance():
            write_direction(writing, operation, step)
        case GaussianDistance():
            write_gaussian(writing, operation, step)
        case NearestNeighbour():
            write_nearest(writing, operation, step)
        case CentreDistance():
            write_centres(writing, operation, step)
        case MapProduct():
            write_product(writing, operation)
