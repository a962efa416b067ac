"""Which of the judged detectors is chosen, and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.benchmark.record import Record
from flawspot.choosing.budget import Budget, bytes_text
from flawspot.choosing.candidates import Candidate, described, name_of
from flawspot.choosing.one_candidate import ARENA, LABELLED, RANK, RECALL

ABOUT_RANK = (
    "ranked by the mean of image AUROC and pixel F1-max on pasted defects, of families that no candidate was trained on"
)
ABOUT_LABELLED = (
    "ranked by the mean of the figures on pasted and on labelled defects; the labelled photographs were used for "
    "the choice, so they no longer serve as a test set"
)


@dataclass(frozen=True)
class Judged:
    """A trained and judged candidate.

    Attributes:
        record: its record in the store.
        why_not: why it cannot be chosen, that is, which limit it exceeds after training; None if it can be chosen.
    """

    record: Record
    why_not: str | None

    @property
    def name(self) -> str:
        """The candidate in a few words."""
        return name_of(self.record.cell)

    @property
    def rank(self) -> float:
        """The figure used for ranking, in 0..1; see `flawspot.choosing.judge`."""
        return self.record.measured[RANK]

    @property
    def latency_ms(self) -> float:
        """Milliseconds for one decoded photograph on this machine, on one thread."""
        return self.record.measured["latency_ms"]

    @property
    def arena(self) -> int | None:
        """Bytes of working memory in C; None if not asked for, or unknown."""
        found = self.record.measured.get(ARENA)
        return None if found is None else int(found)

    def as_dict(self) -> dict[str, Any]:
        """The candidate as plain values for JSON."""
        record = self.record
        shown = ("image_auroc", "pixel_f1_max", "pixel_ap", "pixel_aupro_normalized")
        return {
            "name": self.name,
            **described(record.cell),
            "rank": self.rank,
            **{name: record.metrics[name] for name in shown},
            "recall": _named(record, RECALL),
            "labelled": _named(record, LABELLED),
            "memory": record.bytes,
            "macs": record.macs,
            "latency_ms": self.latency_ms,
            "arena": self.arena,
            "why_not": self.why_not,
        }


@dataclass(frozen=True, repr=False)
class Choice:
    """The result of a choice for some photographs and a device. Made by `choose`.

    Attributes:
        best: the chosen candidate.
        judged: all trained and judged candidates, best first.
        unfit: candidates that do not fit, with the reason. They were not trained.
        late: candidates that fit, but were left out because there was no time.
        failed: records of candidates whose training or judging failed.
        budget: budget of the device.
        labelled: whether labelled defects were also used for judging.
        artifact: file of the best one, in the store's folder.
    """

    best: Judged
    judged: tuple[Judged, ...]
    unfit: tuple[Candidate, ...]
    late: tuple[Candidate, ...]
    failed: tuple[Record, ...]
    budget: Budget
    labelled: bool
    artifact: Path

    def __repr__(self) -> str:
        return f"Choice({self.best.name}, rank {self.best.rank:.3f}, of {len(self.judged)})"

    @property
    def about(self) -> str:
        """The basis of the ranking, in one sentence."""
        return ABOUT_LABELLED if self.labelled else ABOUT_RANK

    def front(self, cost: str) -> list[Judged]:
        """The Pareto front: candidates without a better one of the same or lower cost, from the cheapest to the best.

        Args:
            cost: ``memory`` or ``macs``.
        """
        found: list[Judged] = []
        for one in sorted(self.judged, key=lambda one: (cost_of(one, cost), -one.rank)):
            if one.why_not is None and (not found or one.rank > found[-1].rank):
                found.append(one)
        return found

    def as_dict(self) -> dict[str, Any]:
        """The choice as plain values for JSON."""
        return {
            "best": self.best.as_dict(),
            "about": self.about,
            "judged": [one.as_dict() for one in self.judged],
            "front_memory": [one.name for one in self.front("memory")],
            "front_macs": [one.name for one in self.front("macs")],
            "unfit": [one.as_dict() for one in self.unfit],
            "left_out_for_time": [one.as_dict() for one in self.late],
            "failed": [{"name": name_of(record.cell), "error": record.error} for record in self.failed],
        }


def cost_of(judged: Judged, cost: str) -> int:
    """Bytes or multiply-accumulates of a trained detector, for ``memory`` or ``macs``."""
    return judged.record.bytes if cost == "memory" else judged.record.macs


def ranked(records: Sequence[Record], budget: Budget) -> list[Judged]:
    """Sort the best first. Candidates that can be chosen come before others; of equal ones, the one that stores
    less."""
    judged = [Judged(record, beyond(record, budget)) for record in records]
    return sorted(judged, key=lambda one: (one.why_not is not None, -one.rank, one.record.bytes, one.name))


def beyond(record: Record, budget: Budget) -> str | None:
    """Why a trained detector cannot be chosen, with its costs; None if it can."""
    reasons = [budget.beyond_plan(record.bytes, record.macs, 0)]
    latency, arena = record.measured["latency_ms"], record.measured.get(ARENA)
    if budget.latency_ms is not None and latency > budget.latency_ms:
        reasons.append(f"takes {latency:.3g} ms here")
    if budget.arena is not None:
        if arena is None:
            reasons.append("has no form in C, so its working memory is unknown")
        elif arena > budget.arena:
            reasons.append(f"needs {bytes_text(arena)} of working memory")
    return ", ".join(reason for reason in reasons if reason) or None


def _named(record: Record, prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in record.measured.items() if name.startswith(prefix)}
