"""One run: train, write the artifact, and measure everything through the artifact alone."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flawspot.benchmark.code_version import code_version
from flawspot.benchmark.examples import write_examples
from flawspot.benchmark.feature_files import prune
from flawspot.benchmark.machine import machine
from flawspot.benchmark.reasons import reason
from flawspot.benchmark.record import DONE, FAILED, MISSING, Record
from flawspot.benchmark.record_checks import check_record
from flawspot.benchmark.seen_photographs import SeenPhotographs
from flawspot.benchmark.task import Task
from flawspot.benchmark.variations import alteration, vary
from flawspot.costs.configuration import artifact_costs
from flawspot.data.folders import Data, ImageFolder, Sample
from flawspot.data.reading import check_photographs
from flawspot.errors import ArtifactError, FlawspotError, TrainingError, WeightsError
from flawspot.evaluation import Evaluation, evaluate
from flawspot.files import write_bytes
from flawspot.measuring.latency import latency
from flawspot.measuring.peak_memory import forget_peak, peak_resident_bytes
from flawspot.metrics.defect_sizes import defect_sizes
from flawspot.progress import SILENT
from flawspot.provenance import now, versions
from flawspot.runtime.artifact import Artifact, read
from flawspot.runtime.detector import load
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.reduced import prepare
from flawspot.runtime.session import THREADS
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.road import train

LATENCY_THREADS = 1
"""One thread, so that the figure depends little on other work on the machine."""
_LATENCY_IMAGES = 20


def execute(task: Task) -> Record:
    """Do one run and return its record. Errors are in the record.

    Raises:
        StoreError: no run can write its files any more; see `flawspot.benchmark.reasons.reason`.
    """
    return recorded(task, _measured)


def recorded(task: Task, measured: Callable[[Task], dict[str, Any]]) -> Record:
    """Like `execute`, with another way to measure, which returns the result fields of the record, including
    ``measured``. `reason` raises for an error that is not the run's."""
    started, begin = now(), time.perf_counter()
    forget_peak()
    try:
        values = measured(task)
        status = DONE
        values["measured"]["run_seconds"] = round(time.perf_counter() - begin, 3)
    except WeightsError as error:
        status, values = MISSING, {"error": str(error)}
    except Exception as error:
        status, values = FAILED, {"error": reason(error), "traceback": traceback.format_exc()}
    here = machine() | {"training_threads": torch.get_num_threads()}
    made = {"machine": here, "versions": versions(), "started": started, "finished": now()}
    record = task.record(status, **values, **made)
    try:  # a figure that is none, such as infinity, must not make the whole store unreadable
        check_record(record.to_json())
    except ValueError as error:
        return task.record(FAILED, error=f"a figure cannot be stored: {error}", **made)
    return record


@dataclass(frozen=True)
class Found:
    """A detector's artifact.

    Attributes:
        peak: peak memory of its training in bytes; 0 if unknown.
        trained: whether this run trained it.
    """

    artifact: Artifact
    peak: int
    trained: bool


def _measured(task: Task) -> dict[str, Any]:
    """The result fields of the run's record."""
    check_task(task)
    path = task.artifact
    folder = vary(task.source.open(task.cell.category), task.cell)
    found = detector_of(task, folder)
    of_detector, peak = about_detector(found, path, task.folder), found.peak
    detector = load(found.artifact)
    manifest = detector.manifest
    del found  # which also frees the model; the session has a copy
    for_latency = _spread(folder.test)
    seen = SeenPhotographs([sample.path for sample in for_latency])
    begin = time.perf_counter()
    alter = seen.before(alteration(folder, task.cell))
    evaluation = evaluate(detector, folder, strict=True, alter=alter, keep_maps=True, mask_size=True, progress=SILENT)
    evaluation_seconds = time.perf_counter() - begin
    examples = write_examples(task, folder, evaluation, manifest.calibration, seen)
    if os.environ.get(THREADS) != str(LATENCY_THREADS):
        del detector  # two sessions at once would need twice the memory
        detector = load(path, threads=LATENCY_THREADS)
    photographs = [prepare(seen.photograph(sample.path), manifest.view).pixels for sample in for_latency]
    return {
        **of_detector,
        "metrics": metrics_of(evaluation),
        "defect_sizes": _defect_sizes(evaluation),
        "examples": examples,
        "measured": {
            "training_seconds": round(sum(manifest.training.seconds.values()), 3),
            **{f"seconds_{name}": value for name, value in manifest.training.seconds.items()},
            "evaluation_seconds": round(evaluation_seconds, 3),
            **latency(detector, photographs),
            "latency_threads": LATENCY_THREADS,
            "peak_rss_bytes": max(peak, peak_resident_bytes() or 0),
        },
    }


def check_task(task: Task) -> None:
    """Refuse a run that is impossible here, or was planned by another version of flawspot.

    Raises:
        WeightsError, TrainingError: the reason, with the cure.
    """
    if task.missing:
        raise WeightsError(task.missing)
    if task.code_version != code_version():
        raise TrainingError(
            f"this machine has flawspot {code_version()}, and the run is planned with {task.code_version}: "
            "install the same one on all machines"
        )


def detector_of(task: Task, folder: ImageFolder, *, strict: bool = True, group: str | None = "none") -> Found:
    """The detector of a run: from an earlier run, or trained now.

    Args:
        task: the run.
        folder: its photographs.
        strict, group: as in `flawspot.train`.

    Raises:
        FlawspotError: it cannot be trained.
    """
    path = task.artifact
    return _left_behind(path) or _trained(task, folder, path, strict, group)


def _left_behind(path: Path) -> Found | None:
    """The detector from a run with another corruption, or from a killed run; None if there is none."""
    try:
        peak = int(json.loads(_notes(path).read_text(encoding="utf-8"))["peak_rss_bytes"])
        return Found(read(path), peak, trained=False)
    except (OSError, ValueError, KeyError, TypeError, ArtifactError):
        return None


def _trained(task: Task, folder: ImageFolder, path: Path, strict: bool, group: str | None) -> Found:
    """Train the detector and write it to `path`, with its peak memory beside it."""
    features = task.folder / "features"
    # An unreadable photograph fails the run, because with fewer photographs it would be another experiment.
    check_photographs([sample.path for sample in folder.test], strict=strict)
    with FeatureCache(features) as cache:
        artifact = train_cell(task, folder, path, strict=strict, group=group, cache=cache)
    peak = peak_resident_bytes() or 0
    write_bytes(_notes(path), json.dumps({"peak_rss_bytes": peak}).encode())
    prune(features, task.cache_bytes)
    return Found(artifact, peak, trained=True)


def train_cell(
    task: Task,
    photographs: Data,
    output: Path,
    *,
    strict: bool = True,
    group: str | None = "none",
    state: int | None = None,
    cache: FeatureCache | None = None,
) -> Artifact:
    """Train the detector of a run's cell, and write it to `output`.

    Args:
        task: the run.
        photographs: the training photographs.
        output: the artifact's file.
        strict, group: as in `flawspot.train`.
        state: megabytes of features to keep for updates; None keeps no state.
        cache: cache of features that runs share; None for none.

    Raises:
        FlawspotError: it cannot be trained, or the weights are not those that the run was planned with.
    """
    cell = task.cell
    artifact = train(
        photographs,
        method=cell.method,
        backbone=cell.backbone,
        layers=cell.layers,
        weights=None if cell.random_weights else task.weights,
        random_weights=cell.random_weights,
        input_size=cell.input_size,
        normalization=cell.normalization,
        precision=cell.precision,
        seed=cell.seed,
        strict=strict,
        # As in the published runs, and with a single fit.
        calibration="split",
        group=group,
        settings=cell.settings,
        tolerate=cell.tolerate,
        state=False if state is None else state,
        cache=cache,
        output=output,
        progress=SILENT,
    )
    if artifact.manifest.backbone.weights_sha256 != task.weights_sha256:
        output.unlink(missing_ok=True)
        raise TrainingError(f"the weights of {cell.backbone} are not those that the run is planned with: run again")
    return artifact


def _notes(path: Path) -> Path:
    """The path of the notes on an artifact's training, beside the artifact."""
    return path.with_suffix(".json")


def about_detector(found: Found, path: Path, folder: Path) -> dict[str, Any]:
    """The record's fields on the detector itself, at `path` below the store's `folder`."""
    manifest = found.artifact.manifest
    training = manifest.training
    return {
        "trained": found.trained,
        "training_images": training.images + training.validation_images + training.calibration_images,
        "taps": manifest.backbone.taps,
        "parts": manifest.parts,
        **_costs(manifest),
        "artifact": path.relative_to(folder).as_posix(),
        "artifact_bytes": path.stat().st_size,
    }


def _costs(manifest: Manifest) -> dict[str, Any]:
    """The costs of this detector by the cost model; empty if the model does not know it."""
    try:
        costs = artifact_costs(manifest)
    except FlawspotError:
        return {}
    values: dict[str, Any] = {"paper_bytes": costs.paper_bytes, "paper_macs": costs.paper_macs}
    training = costs.training
    if training is not None and training.epochs:
        values |= {"training_macs": training.macs, "training_ram": training.ram_paper}
    return values


def metrics_of(evaluation: Evaluation) -> dict[str, float | int | None]:
    """Figures by name: those of `Metrics`, and those at the masks' own size with the prefix ``mask_size_``."""
    found = evaluation.metrics.as_dict()
    if evaluation.at_mask_size is not None:
        found |= {f"mask_size_{name}": value for name, value in evaluation.at_mask_size.as_dict().items()}
    return found


def _spread(samples: tuple[Sample, ...]) -> list[Sample]:
    """Some test photographs, spread over the whole set, for the latency."""
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(_LATENCY_IMAGES, len(samples))).astype(int))
    return [samples[index] for index in chosen]


def _defect_sizes(evaluation: Evaluation) -> tuple[dict[str, float | int | None], ...]:
    maps, masks = evaluation.maps, evaluation.masks
    return () if maps is None or masks is None or not masks.any() else defect_sizes(maps, masks)
