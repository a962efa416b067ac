"""Finds oddities in a set of photographs of good parts before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.data.looking import DEEP, Look, white_of
from flawspot.data.near_duplicates import merged, near_duplicates, numbered

BLANK = 4.0
"""Deviation of grey levels below which a photograph is blank."""
_NAMED = 3
"""Most photographs named in one line."""
_SHARPNESS = math.log(2)
_LIGHT = 12.0
_CLIPPED = 0.2
_ASPECT = 0.02
_ALIKE = 4
"""Number of near-duplicates from which on they may be different parts that are all alike."""
_SPREAD = 5.0
"""Number of robust deviations from the median from which on a photograph is an outlier."""


@dataclass(frozen=True)
class Finding:
    """One oddity.

    Attributes:
        kind: a word for programs, such as ``blurred``.
        text: the oddity, its effect and the cure, in one line.
        rows: the photographs concerned, ascending; empty if it concerns the whole set.
        is_problem: whether training on them unchanged would go wrong; otherwise it is a remark.
    """

    kind: str
    text: str
    rows: tuple[int, ...] = ()
    is_problem: bool = False

    def line(self, names: Sequence[str]) -> str:
        """The finding and the photographs concerned, in one line.

        Args:
            names: printable names of all photographs.
        """
        if not self.rows:
            return self.text
        named = ", ".join(names[row] for row in self.rows[:_NAMED])
        count = f"{len(self.rows)} of {len(names)} photographs" if len(self.rows) > 1 else "1 photograph"
        more = ", ..." if len(self.rows) > _NAMED else ""
        return f"{count} ({named}{more}): {self.text}"


def alike(looks: Sequence[Look]) -> NDArray[np.int64]:
    """(N,) group of each photograph: near-duplicates have the same. An argument of `find_oddities` and `parts`."""
    return near_duplicates(np.array([look.descriptor for look in looks]))


def find_oddities(looks: Sequence[Look], near: NDArray[np.int64]) -> list[Finding]:
    """All findings of a set of photographs, problems first.

    Args:
        looks: measures of each photograph, in the order of taking if it is known.
        near: the result of `alike`.
    """
    if not looks:
        return []
    found = _copies(looks, near)
    for rule in (_blank, _blurred, _light, _clipped, _sizes, _depths, _colours, _range):
        found.extend(rule(looks))
    return sorted(found, key=lambda finding: not finding.is_problem)


def parts(looks: Sequence[Look], near: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) group of each photograph: near-duplicates show one part. Arguments as for `find_oddities`.

    If that would give one part to a third of the photographs, the parts are too alike: frames of one part cannot be
    told from photographs of two. Then only exact copies are grouped.
    """
    copies = numbered([look.checksum for look in looks])
    return copies if _all_alike(near) else merged(near, copies)


def _all_alike(groups: NDArray[np.int64]) -> bool:
    most = int(np.bincount(groups).max())
    return most >= _ALIKE and most * 3 >= len(groups)


def _blank(looks: Sequence[Look]) -> list[Finding]:
    stretch = DEEP / white_of(looks)
    rows = _where(looks, lambda look: look.deviation * (stretch if look.bits == 16 else 1) < BLANK)
    return (
        [Finding("blank", "they show a single tone; is the lens covered, or the lamp off?", rows, True)] if rows else []
    )


def _copies(looks: Sequence[Look], groups: NDArray[np.int64]) -> list[Finding]:
    found = []
    first: dict[int, int] = {}
    identical = tuple(row for row, look in enumerate(looks) if first.setdefault(look.checksum, row) != row)
    frozen = tuple(row for row in identical if looks[row - 1].checksum == looks[row].checksum)
    if frozen:
        text = "the same pixels as the photograph before: a frozen camera or a copy"
        found.append(Finding("frozen", text, frozen, True))
    if set(identical) - set(frozen):
        rows = tuple(sorted(set(identical) - set(frozen)))
        found.append(Finding("identical", "copies of other photographs, which count as one part", rows))
    seen: set[int] = set()
    near = []
    for row, group in enumerate(groups.tolist()):
        if group in seen and row not in identical:
            near.append(row)
        seen.add(group)
    if near:
        text = "nearly the same as others, perhaps frames of one part; they count as one part (see --group)"
        if _all_alike(groups):
            text = "nearly the same as others; counted as different parts that look alike (if not, see --group)"
        found.append(Finding("near-duplicate", text, tuple(near)))
    return found


def _blurred(looks: Sequence[Look]) -> list[Finding]:
    sharp = np.log([max(look.sharpness, 1e-3) for look in looks])
    rows = _below(sharp, _SHARPNESS)
    return [Finding("blurred", "far less sharp than the others: out of focus or moved", rows)] if rows else []


def _light(looks: Sequence[Look]) -> list[Finding]:
    stretch = DEEP / white_of(looks)
    mean = np.array([look.mean * (stretch if look.bits == 16 else 1) for look in looks])
    rows = tuple(sorted({*_below(mean, _LIGHT), *_below(-mean, _LIGHT)}))
    return [Finding("light", "far darker or lighter than the others: light or exposure differ", rows)] if rows else []


def _clipped(looks: Sequence[Look]) -> list[Finding]:
    found = []
    for kind, word in (("dark", "black"), ("light", "white")):
        share = np.array([getattr(look, kind) for look in looks])
        rows = _below(-share, _CLIPPED)
        if rows:
            found.append(Finding("clipped", f"much more pure {word} than in the others, which hides details", rows))
    return found


def _sizes(looks: Sequence[Look]) -> list[Finding]:
    found = []
    ratios = np.log([look.size[0] / look.size[1] for look in looks])
    rows = tuple(np.flatnonzero(np.abs(ratios - np.median(ratios)) > _ASPECT).tolist())
    if rows:
        text = "other proportions than the others: stretched without --fit pad or crop; crop all alike"
        found.append(Finding("aspect ratio", text, rows, len(rows) > len(looks) / 20))
    usual = max((sizes := [look.size for look in looks]), key=sizes.count)
    others = tuple(row for row, size in enumerate(sizes) if size != usual and row not in rows)
    if others:
        width, height = usual
        found.append(Finding("size", f"not {width} x {height} pixels as most are", others))
    return found


def _depths(looks: Sequence[Look]) -> list[Finding]:
    deep = _where(looks, lambda look: look.bits == 16)
    if not 0 < len(deep) < len(looks):
        return []
    return [Finding("depth", "16 bits where the others have 8; take them all with one setting", deep, True)]


def _colours(looks: Sequence[Look]) -> list[Finding]:
    """Nothing is said of photographs between the two: such as grey parts with a few coloured specks."""
    coloured, grey = _where(looks, lambda look: look.has_colour), _where(looks, lambda look: look.is_grey)
    if grey and len(coloured) * 2 > len(looks):
        return [Finding("colour", "grey, where most have colours", grey)]
    if coloured and len(grey) * 2 > len(looks):
        return [Finding("colour", "in colours, where most are grey", coloured)]
    return []


def _range(looks: Sequence[Look]) -> list[Finding]:
    white = white_of(looks)
    if white == DEEP:
        return []
    text = (
        f"the 16-bit photographs use no value above {white}, so they come from a camera of {white.bit_length()} bits: "
        f"{white} counts as white, also in photographs that are inspected later"
    )
    return [Finding("range", text)]


def _where(looks: Sequence[Look], condition: Callable[[Look], bool]) -> tuple[int, ...]:
    return tuple(row for row, look in enumerate(looks) if condition(look))


def _below(values: NDArray[np.float64], least: float) -> tuple[int, ...]:
    """Rows that are below the median by more than `least` and by more than most others."""
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return tuple(np.flatnonzero(values < middle - max(_SPREAD * spread, least)).tolist())
