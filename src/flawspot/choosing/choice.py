"""Which of the judged detectors is the right one, and what the choice rests on."""

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
    "ranked by the mean of what was found of pasted and of labelled defects; the labelled photographs have served for "
    "the choice, and are no test set any more"
)


@dataclass(frozen=True)
class Judged:
    """A candidate that was trained and judged.

    Attributes:
        record: as the store keeps it.
        why_not: why it cannot be chosen: what it takes once trained; None for one that can.
    """

    record: Record
    why_not: str | None

    @property
    def name(self) -> str:
        """In a few words."""
        return name_of(self.record.cell)

    @property
    def rank(self) -> float:
        """What is ranked by, in 0..1; see `flawspot.choosing.judge`."""
        return self.record.measured[RANK]

    @property
    def latency_ms(self) -> float:
        """Of one decoded photograph on this machine, by one thread."""
        return self.record.measured["latency_ms"]

    @property
    def arena(self) -> int | None:
        """Bytes of working memory in C; None where nobody has asked, or where it cannot be told."""
        found = self.record.measured.get(ARENA)
        return None if found is None else int(found)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
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
    """The right detector for some photographs and a device. Made by `choose`.

    Attributes:
        best: what was chosen.
        judged: all that were trained and judged, the best first.
        unfit: candidates that do not fit, with the reason; nothing was trained for them.
        late: those that fit, and were left out for want of time.
        failed: records of those whose training or judging failed.
        budget: of the device.
        labelled: whether labelled defects have judged too.
        artifact: file of the best one in the store's folder.
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
        """What ranks, in one sentence."""
        return ABOUT_LABELLED if self.labelled else ABOUT_RANK

    def front(self, cost: str) -> list[Judged]:
        """Those that nothing beats that costs as little, from the cheapest to the best.

        Args:
            cost: ``memory`` or ``macs``.
        """
        found: list[Judged] = []
        for one in sorted(self.judged, key=lambda one: (cost_of(one, cost), -one.rank)):
            if one.why_not is None and (not found or one.rank > found[-1].rank):
                found.append(one)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
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
    """Bytes or multiply-accumulates of a trained detector, as ``memory`` or ``macs`` says."""
    return judged.record.bytes if cost == "memory" else judged.record.macs


def ranked(records: Sequence[Record], budget: Budget) -> list[Judged]:
    """The best first, those that can be chosen before those that cannot; of equal ones that which stores less."""
    judged = [Judged(record, beyond(record, budget)) for record in records]
    return sorted(judged, key=lambda one: (one.why_not is not None, -one.rank, one.record.bytes, one.name))


def beyond(record: Record, budget: Budget) -> str | None:
    """Why a trained detector cannot be chosen: what it takes; None where it can."""
    reasons = [budget.beyond_plan(record.bytes, record.macs, 0)]
    latency, arena = record.measured["latency_ms"], record.measured.get(ARENA)
    if budget.latency_ms is not None and latency > budget.latency_ms:
        reasons.append(f"takes {latency:.3g} ms here")
    if budget.arena is not None:
        if arena is None:
            reasons.append("has no form in C, so that its working memory is not known")
        elif arena > budget.arena:
            reasons.append(f"works in {bytes_text(arena)}")
    return ", ".join(reason for reason in reasons if reason) or None


def _named(record: Record, prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in record.measured.items() if name.startswith(prefix)}
