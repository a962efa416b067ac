"""Writes torch modules as the bytes of an ONNX model.

The graph starts with the photograph from the decoder and ends with map and score. So training and running cannot
differ.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList
from flawspot.extras import require
from flawspot.runtime.view import View, as_view
from flawspot.training import resizing
from flawspot.training.recorded_graph import Input, is_known
from flawspot.training.recording import record, recording, stand_in
from flawspot.training.tiles import Blend, cut

EXAMPLE_SHAPE = (2, 40, 48, 3)
"""Shape of the exporter's example. Except for the channels, no size is 0 or 1, which it would treat as a constant."""


class Preprocess(nn.Module):
    """uint8 photographs of any size -> normalised tiles, and which of their pixels are inspected.

    The resize is bilinear with antialiasing, like Pillow's BILINEAR. Pixels that are not inspected get the mean colour,
    so that they do not affect any feature.
    """

    mean: Tensor
    std: Tensor
    region: Tensor | None

    def __init__(self, view: View | int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.view = as_view(view)
        self.register_buffer("mean", torch.tensor(mean).mul(255).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).mul(255).reshape(1, 3, 1, 1))
        fixed = self.view.inside((1, 1)) if self.view.fit == "squash" else None
        self.register_buffer("region", None if fixed is None else torch.from_numpy(fixed[None].astype(np.uint8)))

    def forward(self, image: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 -> (N * T, 3, height, width) float32."""
        return self.seen(image)[0]

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """The tiles, and which pixels are inspected, (N * T, height, width) of 0 and 1; None if all are."""
        x = (self._resized(image) - self.mean) / self.std
        inside = self._inside(image)  # (1, *canvas)
        if inside is None:
            return cut(x, self.view), None
        return cut(x * inside, self.view), cut(inside.expand(image.shape[0], -1, -1), self.view)

    def _resized(self, image: Tensor) -> Tensor:
        canvas = self.view.canvas
        if _is_written():
            return self._stand_in(image, resizing.OPERATOR, image.shape[0], 3)
        x = image.permute(0, 3, 1, 2).float()
        place = self.view.placed((image.shape[2], image.shape[1]))
        if place[2:] != x.shape[2:]:
            x = F.interpolate(x, size=place[2:], mode="bilinear", align_corners=False, antialias=True)
        if self.view.fit == "squash":
            return x
        rows, columns = (
            (torch.arange(side) - first).clamp(0, length - 1)
            for side, first, length in zip(canvas, place[:2], place[2:], strict=True)
        )
        return x[:, :, rows][..., columns]

    def _inside(self, image: Tensor) -> Tensor | None:
        if self.view.fit == "squash":
            return None if self.region is None else self.region.float()
        if self.view.fit == "crop" and self.view.inspected is None:
            return None
        if _is_written():
            return self._stand_in(image, resizing.INSIDE, 1)
        found = self.view.inside((image.shape[2], image.shape[1]))
        return torch.ones(1, *self.view.canvas) if found is None else torch.from_numpy(found[None]).float()

    def _stand_in(self, image: Tensor, operator: str, *lengths: Any) -> Tensor:
        shape = (*lengths, *self.view.canvas)
        if recording():
            return stand_in(resizing.DOMAIN, operator, image, shape)
        name = f"{resizing.DOMAIN}::{operator}"
        return torch.onnx.ops.symbolic(name, (image,), {}, dtype=torch.float32, shape=shape, version=1)


class FeatureGraph(nn.Module):
    """Photographs -> the taps' outputs of their tiles."""

    def __init__(self, preprocess: Preprocess, backbone: BlockList, at_once: int | None = None) -> None:
        super().__init__()
        self.preprocess, self.backbone = preprocess, backbone
        self.at_once = preprocess.view.tiles if at_once is None else at_once

    @property
    def view(self) -> View:
        """What is seen of a photograph."""
        return self.preprocess.view

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W, 3) uint8 -> (N * T, C, H, W) of each tap."""
        tiles = self.preprocess(image)
        parts = [self.backbone(part) for part in parted(tiles, self.view.tiles, self.at_once)]
        return tuple(joined([part[tap] for part in parts], self.view.tiles, self.at_once) for tap in self.backbone.taps)


class DetectorGraph(nn.Module):
    """Photographs -> anomaly map and score: the shipped graph.

    `at_once` tiles go through the backbone together, and through a head that all tiles share. Fewer take less memory.
    """

    def __init__(
        self, preprocess: Preprocess, backbone: BlockList, head: nn.Module, at_once: int | None = None
    ) -> None:
        super().__init__()
        self.preprocess, self.backbone, self.head = preprocess, backbone, head
        self.blend = Blend(preprocess.view)
        self.at_once = preprocess.view.tiles if at_once is None else at_once

    @property
    def view(self) -> View:
        """What is seen of a photograph."""
        return self.preprocess.view

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, H, W, 3) uint8 -> (N, *canvas), (N,) float32."""
        tiles, inside = self.preprocess.seen(image)
        count = self.view.tiles
        if count == 1 and inside is None:
            anomaly_map, score = self.head(self.backbone(tiles))
            return anomaly_map, score
        features = [self.backbone(part) for part in parted(tiles, count, self.at_once)]
        return assembled(self.head, self.blend, features, inside, self.at_once)


class WatchedDetectorGraph(DetectorGraph):
    """A detector's graph whose outputs include the head's inputs: the taps' maps of all tiles, and the inspected
    pixels, if they are an input. In the shipped graph only the names of these remain, so that updates can cut there."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """(N, H, W, 3) uint8 -> (N, *canvas), (N,), (N * T, C, H, W) each, (N * T, height, width)."""
        tiles, inside = self.preprocess.seen(image)
        features = self.backbone(tiles)
        if self.view.tiles == 1 and inside is None:
            anomaly_map, score = self.head(features)
        else:
            anomaly_map, score = assembled(self.head, self.blend, [features], inside, self.view.tiles)
        watched = [features[layer] for layer in self.backbone.taps]
        return (anomaly_map, score, *watched, *([] if inside is None else [inside]))


def assembled(
    head: nn.Module, blend: Blend, features: Sequence[dict[int, Tensor]], inside: Tensor | None, at_once: int
) -> tuple[Tensor, Tensor]:
    """Map (N, *canvas) and score (N,) of photographs.

    Args:
        head: head of a fitted method.
        blend: blends the tiles of the view.
        features: features of each part of `at_once` tiles of each photograph, {layer: (N * t, C, H, W)}.
        inside: (N * T, height, width) of 0 and 1, or None.
        at_once: number of tiles in a part; the last part may have fewer.
    """
    count = blend.view.tiles
    if getattr(head, "tiles", 1) > 1 and len(features) > 1:  # the head stores something for each tile
        features = [{tap: joined([part[tap] for part in features], count, at_once) for tap in features[0]}]
        at_once = count
    masks = [None] * len(features) if inside is None else parted(inside, count, at_once)
    # Without a region the head gets no second argument, so that heads need not know regions.
    maps = [head(own)[0] if mask is None else head(own, mask)[0] for own, mask in zip(features, masks, strict=True)]
    anomaly_map = blend(joined(maps, count, at_once))
    return anomaly_map, anomaly_map.amax(dim=(1, 2))


def parted(tiles: Tensor, count: int, at_once: int) -> list[Tensor]:
    """(N * T, ...) -> (N * t, ...) each, t at most `at_once` of the T = `count` tiles."""
    if at_once >= count:
        return [tiles]
    each = tiles.reshape(-1, count, *tiles.shape[1:])
    return [each[:, start : start + at_once].flatten(0, 1) for start in range(0, count, at_once)]


def joined(parts: Sequence[Tensor], count: int, at_once: int) -> Tensor:
    """The inverse of `parted`."""
    if len(parts) == 1:
        return parts[0]
    each = [
        part.reshape(-1, min(at_once, count - number * at_once), *part.shape[1:]) for number, part in enumerate(parts)
    ]
    return torch.cat(each, 1).flatten(0, 1)


def _is_written() -> bool:
    """Whether a module runs to be exported or recorded, and not for its results."""
    return recording() or bool(torch.onnx.is_in_onnx_export())


def to_onnx(graph: nn.Module, outputs: Sequence[str], hidden: Sequence[str] = (), *, plain: bool = False) -> bytes:
    """Export a module that takes ``image`` (N, H, W, 3) uint8, with N, H and W free.

    Args:
        graph: the module in evaluation mode.
        outputs: names of its first results.
        hidden: names of the other results. They keep these names but are not outputs of the model. With them, nothing
            is precomputed from the head's constants alone, so that the constants can be changed.
        plain: always use torch's exporter. Without it `flawspot.training.recording` writes the graph, which is faster,
            if all of its modules are flawspot's or torch's.

    Returns:
        The bytes of an ONNX model without any trace of the machine it was made on.

    Raises:
        MissingPackageError: onnxscript, which torch's exporter needs, is not installed.
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.randint(0, 256, EXAMPLE_SHAPE, dtype=torch.uint8, generator=generator)
    names = [*outputs, *hidden]
    model = None
    if not plain and is_known(graph):
        inputs = {"image": Input(example, ["N", "H", "W", 3])}
        model = record(graph.eval(), names, "head." if hidden else None, inputs)
    if model is None:
        model = _exported(graph, names, example, optimize=not hidden)
    view = next((module.view for module in graph.modules() if isinstance(module, Preprocess)), None)
    if view is not None:
        resizing.expand(model, view)
    _strip(model)
    del model.graph.output[len(outputs) :]
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _exported(graph: nn.Module, names: list[str], example: Tensor, *, optimize: bool) -> onnx.ModelProto:
    """Write the graph by torch's exporter. With `optimize` False, nothing is precomputed from the head's constants."""
    require("onnxscript", "writing the graph")
    dimension = torch.export.Dim
    free = {0: dimension("N", min=1), 1: dimension("H", min=1, max=65535), 2: dimension("W", min=1, max=65535)}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            input_names=["image"],
            output_names=names,
            dynamic_shapes=(free,),
            dynamo=True,
            optimize=optimize,
            verbose=False,
        )
        assert program is not None
        if not optimize:
            import onnxscript.optimizer

            onnxscript.optimizer.optimize_ir(program.model, should_fold=_folds)
    return program.model_proto


def _folds(node: Any) -> bool | None:
    """False for an operator on a constant of the head; None for the optimizer's own rules."""
    names = (value.name or "" for value in node.inputs if value is not None and value.is_initializer())
    return False if any(name.startswith("head.") for name in names) else None


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: source lines and paths of this machine, several times the size of the operators."""
    graph = model.graph
    del model.metadata_props[:]
    del graph.metadata_props[:]
    graph.doc_string = ""
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    # Inner shapes contain the exporter's symbols. ONNX Runtime infers them again.
    del graph.value_info[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress lines and its notes on missing torchvision from the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
