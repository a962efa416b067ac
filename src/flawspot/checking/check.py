"""Checks photographs of good parts before training, with numpy and Pillow only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.data.findings import Finding, alike, find_oddities, parts
from flawspot.data.folders import Data, ImageFolder, open_data
from flawspot.data.learned import nothing_to_learn
from flawspot.data.looking import Look
from flawspot.data.reading import check_photographs
from flawspot.data.samples import name_below
from flawspot.errors import ConfigurationError, DataError
from flawspot.progress import Progress, as_progress
from flawspot.runtime.calibration import DEFAULT_FALSE_ALARM_RATE, images_needed
from flawspot.texts import counted, visible


@dataclass(frozen=True, repr=False)
class Check:
    """The findings about a set of photographs. Made by `check`.

        >>> checked = flawspot.check("photos", progress=False)
        >>> len(checked.images), checked.parts
        (8, 5)

    Attributes:
        data: the photographs, and how their folders were read.
        images: the good ones that can be read.
        looks: measures of each of these.
        skipped: photographs that cannot be read, with the reason.
        parts: the number of parts that they show, with near-duplicates counted once.
        findings: problems first.
    """

    data: ImageFolder
    images: tuple[Path, ...]
    looks: tuple[Look, ...]
    skipped: tuple[tuple[Path, str], ...]
    parts: int
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Check({len(self.images)} photographs of {self.parts} parts, {self.problems} problems: {self.lines()})"

    @property
    def problems(self) -> int:
        """Number of findings that would spoil training."""
        return sum(finding.is_problem for finding in self.findings)

    def lines(self) -> list[str]:
        """Each finding in one line."""
        names = self.names()
        return [finding.line(names) for finding in self.findings]

    def names(self) -> list[str]:
        """Printable names of the photographs, below their folder."""
        root = self.data.root
        return [name_below(path, root) for path in self.images]

    def as_dict(self) -> dict[str, Any]:
        """The check as plain dicts and lists for JSON."""
        names = self.names()
        return {
            "photographs": len(self.images),
            "parts": self.parts,
            "unreadable": [visible(path.name) for path, _ in self.skipped],
            "problems": self.problems,
            "findings": [
                {
                    "kind": finding.kind,
                    "text": finding.text,
                    "is_problem": finding.is_problem,
                    "photographs": [names[row] for row in finding.rows],
                }
                for finding in self.findings
            ],
        }


def check(
    data: Data,
    *,
    good: str | Sequence[str] = (),
    false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE,
    progress: Progress | bool = True,
) -> Check:
    """Check the photographs of good parts that `flawspot.train` would learn from.

        >>> flawspot.check("photos", progress=False).parts  # of 8 photographs; four are the same
        5

    Args:
        data: photographs, as for `flawspot.train`; see ``docs/data.md``.
        good: names of the folders or labels that are good, as for `flawspot.train`.
        false_alarm_rate: the false-alarm rate that training will ask for.
        progress: whether to show progress, or a `Progress` that is told.

    Raises:
        DataError: there are no photographs, or it is unclear which of them are good.
        ConfigurationError: a rate outside (0, 1).
    """
    if not 0 < false_alarm_rate < 1:
        raise ConfigurationError(f"false-alarm rate {false_alarm_rate:g} is not between 0 and 1: try 0.01")
    folder = open_data(data, good)
    if not folder.train:
        raise DataError(nothing_to_learn(folder))
    checked = check_photographs(folder.train, progress=as_progress(progress))
    if not checked.readable:
        raise DataError(f"none of the {len(checked.skipped)} photographs in {folder.root} can be read")
    near = alike(checked.looks)
    count = int(parts(checked.looks, near).max()) + 1
    findings = find_oddities(checked.looks, near)
    if checked.skipped:
        count_unread = counted(len(checked.skipped), "photograph")
        text = f"{count_unread} cannot be read and will be left out: {checked.skipped[0][1]}"
        findings.insert(0, Finding("unreadable", text, (), True))
    needed = images_needed(false_alarm_rate)
    if count < needed:
        text = (
            f"{counted(count, 'part')} can promise a false-alarm rate of {1 / (count + 1):.2g} if all are used for "
            f"learning and threshold, not {false_alarm_rate:g}: photograph {needed} parts"
        )
        findings.append(Finding("few", text))
    return Check(folder, tuple(checked.readable), tuple(checked.looks), tuple(checked.skipped), count, tuple(findings))
