"""One run: train, write the artifact, and measure everything through the artifact alone."""

from __future__ import annotations

import datetime
import json
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawspot.benchmark.examples import write_examples
from flawspot.benchmark.feature_files import prune
from flawspot.benchmark.provenance import code_version, machine, versions
from flawspot.benchmark.reasons import reason
from flawspot.benchmark.record import DONE, FAILED, MISSING, Record
from flawspot.benchmark.task import Task
from flawspot.benchmark.variations import alteration, vary
from flawspot.costs.configuration import configuration_costs
from flawspot.data.folders import ImageFolder
from flawspot.data.reading import readable
from flawspot.errors import ArtifactError, FlawspotError, TrainingError, WeightsError
from flawspot.evaluation import Evaluation, evaluate
from flawspot.files import write_bytes
from flawspot.measuring.latency import PeakMemory, latency
from flawspot.metrics.defect_sizes import defect_sizes
from flawspot.runtime.artifact import Artifact, read
from flawspot.runtime.detector import load
from flawspot.runtime.images import read_image
from flawspot.runtime.manifest import Manifest
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.road import train

LATENCY_THREADS = 1
"""One thread, so that the figure is the same whatever else the machine does."""
_LATENCY_IMAGES = 20


def execute(task: Task) -> Record:
    """Work on one run and tell how it ended. Whatever goes wrong is in the record; only an interruption is raised."""
    started, begin = _now(), time.perf_counter()
    with PeakMemory().watch() as memory:
        try:
            values = _measured(task, memory)
            status = DONE
            values["measured"]["run_seconds"] = round(time.perf_counter() - begin, 3)
        except WeightsError as error:
            status, values = MISSING, {"error": str(error)}
        except Exception as error:
            status, values = FAILED, {"error": reason(error), "traceback": traceback.format_exc()}
    return task.record(status, **values, machine=machine(), versions=versions(), started=started, finished=_now())


@dataclass(frozen=True)
class _Trained:
    """A detector on disk, and the peak of memory while it was trained."""

    path: Path
    manifest: Manifest
    peak: int


def _measured(task: Task, memory: PeakMemory) -> dict[str, Any]:
    if task.missing:
        raise WeightsError(task.missing)
    if task.code_version != code_version():
        raise TrainingError(
            f"this machine has flawspot {code_version()}, and the run is planned with {task.code_version}: "
            "install the same one on all machines"
        )
    cell = task.cell
    folder = task.source.open(cell.category)
    folder = vary(folder, cell)
    trained = _train(task, folder, memory)
    begin = time.perf_counter()
    evaluation = evaluate(
        load(trained.path), folder, strict=True, alter=alteration(folder, cell), keep_maps=True, progress=False
    )
    evaluation_seconds = time.perf_counter() - begin
    maps, masks = evaluation.maps, evaluation.masks
    sizes = () if maps is None or masks is None or not masks.any() else defect_sizes(maps, masks)
    pictures = write_examples(task, folder, evaluation, trained.manifest.calibration)
    photographs = [read_image(sample.path) for sample in _spread(evaluation)]
    seconds = trained.manifest.training.seconds
    measured = {
        "training_seconds": round(sum(seconds.values()), 3),
        **{f"seconds_{name}": value for name, value in seconds.items()},
        "evaluation_seconds": round(evaluation_seconds, 3),
        **latency(load(trained.path, threads=LATENCY_THREADS), photographs),
        "latency_threads": LATENCY_THREADS,
        "peak_rss_bytes": max(trained.peak, memory.bytes),
    }
    return {
        "taps": trained.manifest.backbone.taps,
        "metrics": evaluation.metrics.as_dict(),
        "parts": trained.manifest.parts,
        **_costs(task, trained.manifest),
        "measured": measured,
        "defect_sizes": sizes,
        "examples": pictures,
        "artifact": trained.path.relative_to(task.folder).as_posix(),
        "artifact_bytes": trained.path.stat().st_size,
    }


def _train(task: Task, folder: ImageFolder, memory: PeakMemory) -> _Trained:
    """Train the detector, or take the one that a run with another corruption, or one that was killed, has left."""
    path = task.folder / "artifacts" / f"{task.training_key}.onnx"
    notes = path.with_suffix(".json")
    try:
        peak = int(json.loads(notes.read_text(encoding="utf-8"))["peak_rss_bytes"])
        return _Trained(path, read(path).manifest, peak)
    except (OSError, ValueError, KeyError, TypeError, ArtifactError):
        pass
    cell = task.cell
    features = task.folder / "features"
    # One that cannot be read fails the run: with fewer photographs it would be another experiment.
    readable([sample.path for sample in folder.test], strict=True)
    with FeatureCache(features) as cache:
        artifact: Artifact = train(
            folder,
            method=cell.method,
            backbone=cell.backbone,
            layers=cell.layers,
            weights=None if cell.random_weights else task.weights,
            random_weights=cell.random_weights,
            input_size=cell.input_size,
            normalization=cell.normalization,
            seed=cell.seed,
            strict=True,
            settings=cell.settings,
            cache=cache,
            output=path,
        )
    manifest = artifact.manifest
    if manifest.backbone.weights_sha256 != task.weights_sha256:
        path.unlink(missing_ok=True)
        raise TrainingError(f"the weights of {cell.backbone} are not those that the run is planned with: run again")
    peak = memory.bytes
    write_bytes(notes, json.dumps({"peak_rss_bytes": peak}).encode())
    prune(features, task.cache_bytes)
    return _Trained(path, manifest, peak)


def _spread(evaluation: Evaluation) -> list[Any]:
    """Some test photographs from all over the set."""
    count = len(evaluation.samples)
    chosen = np.unique(np.linspace(0, count - 1, min(_LATENCY_IMAGES, count)).astype(int))
    return [evaluation.samples[index] for index in chosen]


def _costs(task: Task, manifest: Manifest) -> dict[str, Any]:
    """What the cost model says of this detector; nothing where it has nothing to say."""
    cell = task.cell
    try:
        costs = configuration_costs(
            backbone=cell.backbone,
            layers=manifest.backbone.taps,
            method=cell.method,
            settings=cell.settings,
            input_size=cell.input_size,
            images=manifest.training.images,
            seed=cell.seed,
        )
    except FlawspotError:
        return {}
    values: dict[str, Any] = {"paper_bytes": costs.paper_bytes, "paper_macs": costs.paper_macs}
    training = costs.training
    if training is not None and training.epochs:
        values["training_macs"] = training.forward_macs + training.backward_input_macs + training.backward_weight_macs
        values["training_ram"] = training.ram_paper
    return values


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
