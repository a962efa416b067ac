"""Variations of good photographs that are not defects: a camera's gain, a lamp's age, a fixture out of place.

A tolerance gives the allowed severity of each of `flawspot.data.corruptions`. The detector then also learns from varied
copies of its good photographs, and its threshold is set for these too.

A training copy has all tolerated variations at once, each at a severity drawn uniformly from 0 to the allowed one. On a
line gain, lamp and fixture drift independently. What a camera sees is therefore a point within the box that they span,
not on one of its edges. Copies with one variation each would leave the inside of the box unseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flawspot.data.corruptions import CORRUPTIONS, WORST
from flawspot.errors import ConfigurationError
from flawspot.texts import as_whole_number, shortened

COPIES = 2
"""Default number of training copies of each photograph. The first one helps most. Each takes as long as the photographs
themselves."""
MOST_COPIES = 20

PRESETS: dict[str, dict[str, float]] = {
    "line": {"noise": 2, "brightness": 2, "blur": 1, "shift": 2, "rotation": 1},
}
"""``line``: the variations on a line with a fixed camera between two services. The gain is raised by a stop or two. The
lamp has three quarters of its light, as LEDs have towards the end of their life. The lens is a little out of focus. A
part is 2 % of the side out of place and rotated by a degree."""

Given = str | Mapping[str, float] | None
"""``"noise=2,shift=1"``, a preset's name, both (``"line,noise=3"``), or severities by name; and ``copies``, the number
of training copies of each photograph."""


@dataclass(frozen=True)
class Tolerance:
    """How far good photographs may vary.

    Attributes:
        severities: by corruption, above 0 and at most 5, in the order of `CORRUPTIONS`.
        copies: number of training copies of each photograph.
    """

    severities: Mapping[str, float]
    copies: int = COPIES

    @property
    def text(self) -> str:
        """The shortest text that `as_tolerance` reads as this tolerance, the same for equal ones: ``line``,
        ``noise=2,shift=1``."""
        named = next((name for name, preset in PRESETS.items() if preset == self.severities), None)
        each = [f"{name}={float(severity)!r}".removesuffix(".0") for name, severity in self.severities.items()]
        told = [named] if named else each
        return ",".join(told if self.copies == COPIES else [*told, f"copies={self.copies}"])

    def drawn(self, seed: int) -> dict[str, float]:
        """A severity for each corruption, uniform from 0 to the allowed one. Adding a corruption does not change the
        others."""
        return {
            name: float(np.random.default_rng([seed, 1, *name.encode()]).uniform(0, most))
            for name, most in self.severities.items()
        }


def as_tolerance(given: Given) -> Tolerance | None:
    """The requested tolerance; None if nothing is tolerated.

    Args:
        given: see `Given`. A severity of 0 tolerates nothing. 1 to 20 copies are allowed.

    Raises:
        ConfigurationError: an unknown name, a severity outside 0 to 5, or copies outside their range.
    """
    if given is None:
        return None
    if not isinstance(given, str | Mapping):
        raise ConfigurationError(f"tolerate {given!r}: give severities by name, such as {{'noise': 2}}, or a preset")
    pairs = _parsed(given) if isinstance(given, str) else dict(given)
    if isinstance(given, str) and not pairs.keys() - {"copies"}:  # perhaps a shell variable that is not set
        raise ConfigurationError(
            f"tolerate {shortened(given)!r} names nothing: give NAME=SEVERITY with a name of {', '.join(CORRUPTIONS)}, "
            f"or a preset: {', '.join(PRESETS)}"
        )
    copies = _copies(pairs.pop("copies", COPIES))
    severities = {name: _severity(name, value) for name, value in pairs.items()}
    ordered = {name: severities[name] for name in CORRUPTIONS if severities.get(name)}
    return Tolerance(ordered, copies) if ordered else None


def _parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    preset: dict[str, float] = {}
    for item in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals and name in PRESETS:
            preset = PRESETS[name]
        elif not equals:
            raise ConfigurationError(
                f"tolerate {shortened(item)!r}: give NAME=SEVERITY with a name of {', '.join(CORRUPTIONS)}, or a "
                f"preset: {', '.join(PRESETS)}"
            )
        elif name in found:
            raise ConfigurationError(f"tolerate {shortened(name)} is given twice: leave one out")
        else:
            found[name] = value
    return {**preset, **found}


def _copies(value: Any) -> int:
    digits = value.strip() if isinstance(value, str) else str(value)
    copies = as_whole_number(digits, 5)
    if copies is None or not 1 <= copies <= MOST_COPIES:
        raise ConfigurationError(f"tolerate copies={shortened(digits)}: give a whole number from 1 to {MOST_COPIES}")
    return copies


def _severity(name: Any, value: Any) -> float:
    if name not in CORRUPTIONS:
        raise ConfigurationError(f"tolerate {shortened(str(name))!r}: choose of {', '.join(CORRUPTIONS)}")
    try:
        severity = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        severity = math.nan
    if not 0 <= severity <= WORST:
        raise ConfigurationError(f"tolerate {name}={shortened(str(value))}: a severity is a number from 0 to {WORST}")
    return severity
