"""A backbone or a method's head as a model of its own, for the benchmarks that measure parts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnxruntime
import torch
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.registry import create_pretrained
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.session import open_session
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx

BACKBONE, SIZE = "mobilenet_v2", 224


def compile_backbone(taps: Sequence[int]) -> tuple[BlockList, onnxruntime.InferenceSession]:
    """MobileNetV2 trimmed to `taps`, and a session of it: ``image`` in, the maps of the taps in their order out."""
    network, weights = create_pretrained(BACKBONE, taps)
    graph = FeatureGraph(Preprocess(SIZE, weights.mean, weights.std), network)
    return network, open_session(to_onnx(graph, [f"layer_{tap}" for tap in taps]))


class _OnFeatures(nn.Module):
    """On tensors in the order of the taps instead of a dictionary."""

    def __init__(self, head: nn.Module, taps: tuple[int, ...]) -> None:
        super().__init__()
        self.head, self.taps = head, taps

    def forward(self, *maps: Tensor) -> tuple[Tensor, Tensor]:
        anomaly_map, score = self.head(dict(zip(self.taps, maps, strict=True)))
        return anomaly_map, score


def compile_head(
    head: nn.Module,
    shapes: Mapping[int, tuple[int, int]],
    threads: int | None = None,
    outputs: Sequence[str] = OUTPUTS,
) -> tuple[onnxruntime.InferenceSession, bytes]:
    """A session of `head`, and its model.

    Args:
        head: as a method gives it, or another module that makes two tensors of the same dictionary of maps.
        shapes: {tap: (C, side)} of its maps, which become the inputs ``layer_TAP``, (N, C, side, side) each.
        threads: of the session; None for one on each physical core.
        outputs: what its two results are called.
    """
    example = tuple(torch.zeros(2, channels, side, side) for channels, side in shapes.values())
    count = torch.export.Dim("N", min=1)
    with torch.no_grad():
        program = torch.onnx.export(
            _OnFeatures(head, tuple(shapes)).eval(),
            example,
            input_names=[f"layer_{tap}" for tap in shapes],
            output_names=list(outputs),
            dynamic_shapes=(tuple({0: count} for _ in shapes),),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return open_session(model, threads=threads), model
