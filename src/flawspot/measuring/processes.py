"""What a detector really takes on this machine: each measurement in a process of its own, warmed up."""

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
"""The most that one latency is measured for; at least three runs are made."""


@dataclass(frozen=True)
class Latency:
    """One graph in ONNX Runtime, a photograph at a time, from decoded pixels to the result.

    Attributes:
        threads: how many it might use; None for all.
        runs: how many were timed, after the warm-up.
        p50_ms, p95_ms: milliseconds.
        peak_bytes: the most resident memory of the process; None where the platform does not tell.
        peak_bytes_before: that before the graph was loaded: Python, numpy, ONNX Runtime and the photographs.
        joules: of the whole processor for one photograph; None where it has no counters that may be read.
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
    """A process that trained a detector.

    Attributes:
        seconds: of the training.
        images: photographs the method was fitted on.
        peak_bytes, peak_bytes_before: the most resident memory, and that before training: Python, torch, ONNX Runtime.
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
        model: its file.
        view: what it sees of a photograph; noise of the canvas's size is given to it where there are no photographs.
        photographs: read once and given in turn.
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
    """Time the bare backbone of a detector: resized photograph to last tap, no head. Needs the training half.

    It is built anew with random weights, which take as long as trained ones.

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
    """Train on `data` in a process of its own and tell its peak memory; nothing is kept.

    Args:
        data: photographs, as `flawspot.train` takes them.
        random_weights: where there are no pretrained ones at hand; memory is the same.
        settings: hyperparameters. Methods that train for epochs reach their peak in the first: `epochs` 1 saves time.
        arguments: others of `flawspot.train`.

    Raises:
        FlawspotError: training failed, with its reason.
    """
    order = {**arguments, "data": str(data), "random_weights": random_weights, "settings": dict(settings)}
    return TrainingRun(**_run("flawspot.measuring.training_process", order))


def _run(module: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """Give `order` to a fresh process of `module`, and return what it prints."""
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
    # Libraries may print too; the result is the last line.
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
