"""From torch modules to the bytes of an ONNX model.

The graph begins with the photograph as it comes from the decoder and ends with map and score, so there is nothing that
training and running could do differently.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList
from flawspot.extras import require
from flawspot.training import resizing

EXAMPLE_SHAPE = (2, 40, 48, 3)
"""What the exporter traces with. All but the channels differ from 0 and 1, which it would take for constants."""


class Preprocess(nn.Module):
    """uint8 photographs of any size -> normalised squares.

    The resize is bilinear with antialiasing, as Pillow's BILINEAR; the aspect ratio is not kept, as in the PaSTe paper
    and the papers of all its methods.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).mul(255).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).mul(255).reshape(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 -> (N, 3, S, S) float32."""
        return (self._resized(image) - self.mean) / self.std

    def _resized(self, image: Tensor) -> Tensor:
        side = (self.size, self.size)
        if torch.onnx.is_in_onnx_export():
            return torch.onnx.ops.symbolic(
                f"{resizing.DOMAIN}::{resizing.OPERATOR}",
                (image,),
                {"size": self.size},
                dtype=torch.float32,
                shape=(image.shape[0], 3, *side),
                version=1,
            )
        x = image.permute(0, 3, 1, 2).float()
        return F.interpolate(x, size=side, mode="bilinear", align_corners=False, antialias=True)


class FeatureGraph(nn.Module):
    """Photographs -> the outputs of a backbone's taps, for training."""

    def __init__(self, preprocess: Preprocess, backbone: BlockList) -> None:
        super().__init__()
        self.preprocess, self.backbone = preprocess, backbone

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W, 3) uint8 -> (N, C, H, W) of each tap."""
        outputs = self.backbone(self.preprocess(image))
        return tuple(outputs[tap] for tap in self.backbone.taps)


class DetectorGraph(nn.Module):
    """Photographs -> anomaly map and score: what is shipped."""

    def __init__(self, preprocess: Preprocess, backbone: BlockList, head: nn.Module) -> None:
        super().__init__()
        self.preprocess, self.backbone, self.head = preprocess, backbone, head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, H, W, 3) uint8 -> (N, S, S), (N,) float32."""
        anomaly_map, score = self.head(self.backbone(self.preprocess(image)))
        return anomaly_map, score


def to_onnx(graph: nn.Module, outputs: Sequence[str]) -> bytes:
    """Export a module that takes ``image`` (N, H, W, 3) uint8, with N, H and W free.

    Args:
        graph: in evaluation mode.
        outputs: the names of what it returns.

    Returns:
        The bytes of an ONNX model without any trace of the machine it was made on.

    Raises:
        MissingPackageError: onnxscript, which torch's exporter needs, is not installed.
    """
    require("onnxscript", "writing the graph")
    generator = torch.Generator().manual_seed(0)
    example = torch.randint(0, 256, EXAMPLE_SHAPE, dtype=torch.uint8, generator=generator)
    dimension = torch.export.Dim
    free = {0: dimension("N", min=1), 1: dimension("H", min=1, max=65535), 2: dimension("W", min=1, max=65535)}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=(free,),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    resizing.expand(model)
    _strip(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: source lines and paths of this machine, several times the size of the operators."""
    graph = model.graph
    del model.metadata_props[:]
    del graph.metadata_props[:]
    graph.doc_string = ""
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    # Inner shapes speak of the exporter's symbols; ONNX Runtime infers them anew.
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
