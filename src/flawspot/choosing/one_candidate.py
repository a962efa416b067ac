"""Trains one candidate like any run of a benchmark, and judges it through its artifact alone."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flawspot.benchmark.one_run import (
    LATENCY_THREADS,
    about_detector,
    check_task,
    detector_of,
    recorded,
)
from flawspot.benchmark.record import Record
from flawspot.benchmark.task import Task
from flawspot.choosing.judge import held_out, judge, rank_of
from flawspot.choosing.photographs import Given
from flawspot.choosing.working_memory import arena_of
from flawspot.evaluation import evaluate
from flawspot.measuring.latency import latency
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.progress import SILENT
from flawspot.runtime.detector import Detector, load
from flawspot.runtime.session import THREADS

RANK, ARENA = "rank", "arena_bytes"
RECALL = "recall: "
"""Prefix of a kind of defect among the figures of a record."""
LABELLED = "labelled: "
"""Prefix of a figure on labelled photographs, in the same place."""
_LABELLED_FIGURES = ("image_auroc", "pixel_f1_max", "pixel_ap", "pixel_aupro_normalized")
_LATENCY_PHOTOGRAPHS = 10
_JUDGE = ("choosing/judge.py", "data/judged_defects.py", "data/defect_shapes.py", "data/gradient_blending.py")
"""The code that a judgement depends on besides that of a run."""


def work(task: Task) -> Record:
    """Train and judge one candidate; see `flawspot.benchmark.one_run.execute`."""
    return recorded(task, _judged)


def judged_tasks(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with their own keys, because a judgement is another result than a benchmark's for the same detector."""
    return [replace(task, key=_key(task)) for task in tasks]


def _key(task: Task) -> str:
    source = task.source
    asked = (isinstance(source, Given) and source.labelled, isinstance(source, Given) and source.with_arena)
    return hashlib.sha256(repr((task.key, _judge_version(), asked)).encode()).hexdigest()


@functools.cache
def _judge_version() -> str:
    digest, root = hashlib.sha256(), Path(__file__).parents[1]
    for name in _JUDGE:
        digest.update((root / name).read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def _judged(task: Task) -> dict[str, Any]:
    check_task(task)
    source = task.source
    assert isinstance(source, Given)
    path, folder = task.artifact, source.open(task.cell.category)
    found = detector_of(task, folder, strict=False, group=None)
    about, arena = about_detector(found, path, task.folder), None
    if source.with_arena:
        arena = arena_of(found.artifact)
    detector, peak = load(found.artifact), found.peak
    del found  # this also frees the model, of which the session has a copy
    photographs = held_out(detector, folder)
    judgement = judge(detector, photographs, seed=task.cell.seed)
    labelled: dict[str, float] = {}
    ranks = [judgement.rank]
    if source.labelled:
        figures = evaluate(detector, folder, progress=SILENT).metrics.as_dict()
        ranks.append(rank_of(figures))
        labelled = {f"{LABELLED}{name}": value for name in _LABELLED_FIGURES if (value := figures[name]) is not None}
    if os.environ.get(THREADS) != str(LATENCY_THREADS):
        del detector  # two sessions at once would take twice the memory
        detector = load(path, threads=LATENCY_THREADS)
    return {
        **about,
        "metrics": judgement.metrics.as_dict(),
        "measured": {
            RANK: float(np.mean(ranks)),
            **{f"{RECALL}{kind}": share for kind, share in judgement.recall.items()},
            **labelled,
            "judged_photographs": judgement.photographs,
            "judged_defects": judgement.defects,
            **({} if arena is None else {ARENA: arena}),
            **latency(detector, _decoded(detector, photographs)),
            "latency_threads": LATENCY_THREADS,
            "peak_rss_bytes": max(peak, peak_resident_bytes() or 0),
        },
    }


def _decoded(detector: Detector, photographs: Sequence[Path]) -> list[Any]:
    return [detector.read(path).pixels for path in photographs[:_LATENCY_PHOTOGRAPHS]]
