"""The verdict on each photograph at the threshold: by kind of defect, one by one, and as a file."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.data.samples import UNREAD, name_below
from flawspot.errors import ConfigurationError
from flawspot.evaluation.run import Evaluation
from flawspot.files import write_bytes
from flawspot.metrics.intervals import wilson
from flawspot.texts import spreadsheet_cell, visible

GOOD = "good"


@dataclass(frozen=True)
class Kind:
    """The verdicts on good parts, or on one kind of defect.

    Attributes:
        name: the defect's, or ``good``.
        is_defective: whether its photographs should be called anomalous.
        anomalous, total: how many were called anomalous, of how many.
        low, high: Wilson's 95 % confidence interval of that share.
    """

    name: str
    is_defective: bool
    anomalous: int
    total: int
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """The verdict on one photograph.

    Attributes:
        path: the photograph; `name` is its printable name below the data.
        kind: the defect's name, or ``good``.
        score: its anomaly score.
        is_anomalous: the detector's verdict.
        is_defective: the ground truth.
    """

    path: Path
    name: str
    kind: str
    score: float
    is_anomalous: bool
    is_defective: bool

    @property
    def is_right(self) -> bool:
        """Whether the verdict is correct."""
        return self.is_anomalous == self.is_defective


def outcomes(evaluation: Evaluation) -> list[Outcome]:
    """The verdicts on the photographs that could be read, in the order of the data."""
    root, found = evaluation.data.root, []
    for sample, score in zip(evaluation.samples, evaluation.scores, strict=True):
        path, name = sample.path, name_below(sample.path, root)
        kind = GOOD if sample.defect is None else visible(sample.defect)
        is_anomalous = score > evaluation.threshold
        found.append(Outcome(path, name, kind, score, is_anomalous, sample.is_defective))
    return found


def by_kind(found: list[Outcome]) -> list[Kind]:
    """Good parts first, then each kind of defect by name."""
    kinds = []
    for is_defective, name in sorted({(each.is_defective, each.kind) for each in found}):
        own = [each for each in found if (each.is_defective, each.kind) == (is_defective, name)]
        anomalous = sum(each.is_anomalous for each in own)
        kinds.append(Kind(name, is_defective, anomalous, len(own), *wilson(anomalous, len(own))))
    return kinds


def wrong(found: list[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Defective photographs called good, and good ones called anomalous; those nearest to the threshold last."""
    mistakes = sorted((each for each in found if not each.is_right), key=lambda each: each.score)
    return [each for each in mistakes if not each.is_anomalous], [each for each in mistakes[::-1] if each.is_anomalous]


def write_scores(evaluation: Evaluation, path: Path) -> None:
    """Write one line for each photograph, unreadable ones included, as .csv or .json.

    Raises:
        ConfigurationError: another suffix.
        FlawspotError: the file cannot be written.
    """
    rows = [_row(each) for each in outcomes(evaluation)]
    root = evaluation.data.root
    rows += [_unread(name_below(skipped, root), reason) for skipped, reason in evaluation.skipped]
    rows += [_unread(name_below(unread, root), UNREAD) for unread in evaluation.data.unread]
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps({"threshold": evaluation.threshold, "photographs": rows}, indent=1) + "\n"
    elif suffix == ".csv":
        file = io.StringIO()
        writer = csv.DictWriter(file, list(_unread("", "")), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: spreadsheet_cell(v) if isinstance(v, str) else v for k, v in row.items()})
        text = file.getvalue()
    else:
        raise ConfigurationError(f"cannot write scores to {path.name}: give it the suffix .csv or .json")
    write_bytes(path, text.encode())


def _row(each: Outcome) -> dict[str, Any]:
    verdict = "anomalous" if each.is_anomalous else "good"
    return {
        "photograph": each.name,
        "kind": each.kind,
        "score": each.score,
        "verdict": verdict,
        "is_right": each.is_right,
        "error": None,
    }


def _unread(name: str, reason: str) -> dict[str, Any]:
    """The row of a photograph that was not inspected: neither good nor correct."""
    return {
        "photograph": name,
        "kind": None,
        "score": None,
        "verdict": "not inspected",
        "is_right": False,
        "error": visible(reason),
    }
