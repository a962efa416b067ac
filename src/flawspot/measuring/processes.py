"""Measures what a detector takes on this machine: each measurement in a separate process, after a warm-up."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.errors import FlawspotError
from flawspot.runtime.manifest import Manifest, Scalar
from flawspot.runtime.view import View, as_view

RUNS = 50
WARM_UP = 5
SECONDS = 20
"""Longest time for one latency measurement; at least three runs are made."""


@dataclass(frozen=True)
class Latency:
    """The latency of one graph in ONNX Runtime, one photograph at a time, from decoded pixels to the result.

    Attributes:
        threads: the threads it might use; None for all.
        runs: the number of timed runs, after the warm-up.
        p50_ms, p95_ms: milliseconds.
        peak_bytes: peak resident memory of the process; None if the platform does not report it.
        peak_bytes_before: the same before the graph was loaded: Python, numpy, ONNX Runtime and the photographs.
        joules: joules of the whole processor for one photograph; None without readable counters.
    """

    threads: int | None
    runs: int
    p50_ms: float
    p95_ms: float
    peak_bytes: int | None
    peak_bytes_before: int | None
    joules: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class TrainingRun:
    """The costs of a process that trained a detector.

    Attributes:
        seconds: duration of the training.
        images: number of photographs that the method was fitted on.
        peak_bytes, peak_bytes_before: peak resident memory, and the same before training: Python, torch, ONNX Runtime.
    """

    seconds: float
    images: int
    peak_bytes: int | None
    peak_bytes_before: int | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return dataclasses.asdict(self)


def measure_model(
    model: Path, *, view: View | int, photographs: Sequence[Path] = (), threads: Sequence[int | None] = (1, None)
) -> list[Latency]:
    """Time an ONNX model that takes photographs, once for each number of threads.

    Args:
        model: the model's file.
        view: how it sees a photograph. Without photographs it gets noise of the canvas's size.
        photographs: read once and used in turn.
        threads: None for all.

    Raises:
        FlawspotError: the process failed.
    """
    order = {
        "model": str(model),
        "photographs": [str(path) for path in photographs],
        "view": dataclasses.asdict(as_view(view)),
        "runs": RUNS,
        "warm_up": WARM_UP,
        "seconds": SECONDS,
    }
    return [
        Latency(threads=count, **_run("flawspot.measuring.prediction_process", {**order, "threads": count}))
        for count in threads
    ]


def measure_backbone(manifest: Manifest, *, photographs: Sequence[Path] = ()) -> list[Latency]:
    """Time the backbone of a detector alone: from resized photograph to last tap. It needs the training half.

    It is built with random weights, which take as long as trained ones.

    Raises:
        FlawspotError: the process failed.
    """
    from flawspot.backbones.registry import create_random
    from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx

    taps = manifest.backbone.taps
    network, _ = create_random(manifest.backbone.name, taps, seed=0)
    preprocess = Preprocess(manifest.view, manifest.backbone.mean, manifest.backbone.std)
    model = to_onnx(FeatureGraph(preprocess, network), [f"layer_{tap}" for tap in taps])
    with tempfile.TemporaryDirectory(prefix="flawspot-") as folder:
        path = Path(folder) / "backbone.onnx"
        path.write_bytes(model)
        return measure_model(path, view=manifest.view, photographs=photographs)


def measure_training(
    data: Path, *, random_weights: bool, settings: Mapping[str, Scalar], **arguments: Any
) -> TrainingRun:
    """Train on `data` in a separate process and report its peak memory. Nothing is kept.

    Args:
        data: photographs, as for `flawspot.train`.
        random_weights: set if there are no pretrained weights here; memory is the same.
        settings: hyperparameters. Methods with epochs reach their peak in the first, so `epochs` 1 saves time.
        arguments: other arguments of `flawspot.train`.

    Raises:
        FlawspotError: training failed; the message has the reason.
    """
    order = {**arguments, "data": str(data), "random_weights": random_weights, "settings": dict(settings)}
    return TrainingRun(**_run("flawspot.measuring.training_process", order))


def _run(module: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """Give `order` to a new process of `module`, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        raise FlawspotError(f"the measuring process failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
    # Libraries may print too, so the result is the last line.
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
