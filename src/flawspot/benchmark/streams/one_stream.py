"""One run of a stream: learn at every step, and test on all that has arrived so far.

An item of `Record.steps` has, for a step: ``name``, its condition or category; ``images``, good photographs that
arrived; ``on_all``, figures on the test sets of all steps so far together, and ``on_each``, on each of them alone, as
`flawspot.metrics.Metrics.as_dict`; ``threshold``; ``artifact_bytes``, ``state_bytes`` and ``kept_bytes``, see
`flawspot.benchmark.streams.learning.Learned`; ``seconds`` that learning took, and ``cpu_seconds`` of all threads.
Nothing is chosen by a test photograph.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.benchmark import one_run
from flawspot.benchmark.code_version import stream_version
from flawspot.benchmark.record import Record
from flawspot.benchmark.streams.learning import Learned, Learner
from flawspot.benchmark.streams.photographs import Step, steps_of
from flawspot.benchmark.task import Task
from flawspot.errors import TrainingError, WeightsError
from flawspot.evaluation import evaluate
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.metrics import Metrics, PixelScores, measure
from flawspot.progress import SILENT
from flawspot.runtime.detector import Detector, load


def execute(task: Task) -> Record:
    """Do one run, of a stream or not, and return its record: see `flawspot.benchmark.one_run.execute`."""
    return one_run.execute(task) if task.cell.stream is None else one_run.recorded(task, _measured)


@dataclass(frozen=True)
class _Looked:
    """A detector's results on a test set."""

    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    maps: NDArray[np.float32] | None
    masks: NDArray[np.bool_] | None


def _measured(task: Task) -> dict[str, Any]:
    """The result fields of the run's record."""
    cell = task.cell
    assert cell.stream is not None and cell.strategy is not None  # `execute` asks
    if task.missing:
        raise WeightsError(task.missing)
    if task.code_version != stream_version():
        raise TrainingError(
            f"this machine has flawspot {stream_version()}, and the run is planned with {task.code_version}: "
            "install the same one on all machines"
        )
    folder = task.folder / "streams" / task.key
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        steps, last = _followed(steps_of(cell, cell.stream, task.source), Learner(task, cell.strategy, folder), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    manifest = last.artifact.manifest
    return {
        "trained": True,
        "taps": manifest.backbone.taps,
        "parts": manifest.parts,
        "artifact_bytes": last.artifact_bytes,
        "metrics": steps[-1]["on_all"],
        "steps": tuple(steps),
        "measured": {
            "training_seconds": round(sum(step["seconds"] for step in steps), 3),
            "cpu_seconds": round(sum(step["cpu_seconds"] for step in steps), 3),
            "peak_rss_bytes": peak_resident_bytes() or 0,
        },
    }


def _followed(steps: Sequence[Step], learner: Learner, folder: Path) -> tuple[list[dict[str, Any]], Learned]:
    """The items of all steps, and the last detector."""
    looked: list[_Looked] = []
    found: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        new = step.arrived(folder / f"arrived-{number}")
        begin, begin_cpu = time.perf_counter(), time.process_time()
        learned = learner.learn(new)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
        detector = load(learned.artifact)
        # An unchanged detector gives the same results on earlier test sets.
        if learned.changed:
            looked = [_looked(detector, each) for each in steps[:number]]
        looked.append(_looked(detector, step))
        threshold = detector.manifest.calibration.threshold
        found.append(
            {
                "name": step.name,
                "images": len(new),
                "on_all": _figures(looked, threshold).as_dict(),
                "on_each": [_figures([each], threshold).as_dict() for each in looked],
                "threshold": threshold,
                "artifact_bytes": learned.artifact_bytes,
                "state_bytes": learned.state_bytes,
                "kept_bytes": learned.kept_bytes,
                "seconds": round(seconds, 3),
                "cpu_seconds": round(cpu, 3),
            }
        )
    return found, learned


def _looked(detector: Detector, step: Step) -> _Looked:
    found = evaluate(detector, step.folder, strict=True, alter=step.alteration(), keep_maps=True, progress=SILENT)
    labels = np.array([sample.is_defective for sample in found.samples])
    masked = found.maps is not None and found.masks is not None and found.masks.shape == found.maps.shape
    maps, masks = (found.maps, found.masks) if masked else (None, None)
    return _Looked(np.array(found.scores), labels, maps, masks)


def _figures(looked: Sequence[_Looked], threshold: float) -> Metrics:
    """Figures of several test sets together; also at pixel level if all of them have masks."""
    scores = np.concatenate([each.scores for each in looked])
    labels = np.concatenate([each.labels for each in looked])
    curves = None
    if all(each.masks is not None for each in looked):
        with PixelScores() as ranked:
            for each in looked:
                assert each.maps is not None and each.masks is not None  # asked above
                ranked.add(each.maps, each.masks)
            curves = ranked.curves()
    return measure(scores, None, labels, None, threshold, pixels=curves)
