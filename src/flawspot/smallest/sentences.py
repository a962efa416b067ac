"""The result on pasted defects in sentences, also for `flawspot info`."""

from __future__ import annotations

from flawspot.metrics.intervals import wilson
from flawspot.runtime.found_sizes import SPOT, FoundSize, FoundSizes
from flawspot.texts import counted

NAMES = {"scratch": "scratches", "spot": "spots"}


def about(found: FoundSizes) -> str:
    """How it was measured, in one sentence."""
    low, high = (" x ".join(map(str, size)) for size in (found.from_size, found.to_size))
    sizes = low if low == high else f"{low} to {high}"
    learned = ", some perhaps learned from" if found.learned else " that it has not learned from"
    alarms = ""
    if found.false_alarms:
        were = "was a false alarm" if found.false_alarms == 1 else "were false alarms"
        more = counted(found.false_alarms, "more good photograph")
        alarms = f"; {more} {were} without a defect and left out"
    return (
        f"defects that were pasted, not real ones, at the threshold {found.threshold:.6g}, {found.trials} of each size "
        f"and contrast, in {counted(found.photographs, 'good photograph')} of {sizes} pixels{learned}{alarms}"
    )


def sentences(found: FoundSizes) -> list[str]:
    """For each kind and contrast, the smallest size from which on enough are found, or that there is none."""
    return [_sentence(found, kind, contrast) for kind, contrast in found.curves()]


def size_of(size: FoundSize) -> str:
    """``12 x 3``, or ``12`` for a spot."""
    return str(size.width) if size.kind == SPOT else f"{size.length} x {size.width}"


def share_of(size: FoundSize, trials: int) -> str:
    """The number found, with its 95 % interval."""
    low, high = wilson(size.found, trials)
    return f"{size.found} of {trials} ({low:.2f} to {high:.2f})"


def cell_of(size: FoundSize, trials: int) -> str:
    """The number found and its interval, for a column whose heading gives the number of trials."""
    low, high = wilson(size.found, trials)
    return f"{size.found} ({low:.2f}-{high:.2f})"


def _sentence(found: FoundSizes, kind: str, contrast: float) -> str:
    reached = found.smallest(kind, contrast)
    sizes = found.curves()[kind, contrast]
    levels = f"{contrast:g} grey levels"
    if reached is None:
        last = sizes[-1]
        return (
            f"{NAMES[kind]}, {levels}: no size is found {found.needed} times of {found.trials}; the largest tried, "
            f"{_pixels(last)}: {share_of(last, found.trials)}"
        )
    tried = ", the smallest tried" if reached == sizes[0] else ""
    return f"{NAMES[kind]} of {_pixels(reached)} and more{tried}, {levels}: {share_of(reached, found.trials)}"


def _pixels(size: FoundSize) -> str:
    return f"{counted(size.width, 'pixel')} across" if size.kind == SPOT else f"{size_of(size)} pixels"
