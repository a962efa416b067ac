"""What arrives, and what is done about it, as a cell of the grid says it. No torch is needed."""

from __future__ import annotations

from dataclasses import dataclass

CONDITIONS, CATEGORIES = "conditions", "categories"
"""What the steps of a stream are."""
PLAIN = "none"
"""The condition of photographs as they were taken."""

FROZEN, UPDATE, ANEW = "frozen", "update", "anew"
"""What is done at every step after the first: nothing; the detector is updated from the new good photographs alone; a
detector is trained on all good photographs so far."""
STRATEGIES = (FROZEN, UPDATE, ANEW)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Good photographs that arrive in steps.

    Attributes:
        name: for tables and figures; no result depends on it.
        of: `CONDITIONS`: the good photographs of a product are divided at random, and each part arrives under a
            condition of its own; or `CATEGORIES`: products of a data set arrive one after the other.
        steps: conditions, such as ``none``, ``noise=2`` or ``brightness=2+noise=1``; or categories. At least two.
    """

    name: str
    of: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        """Its name, by which rules know it."""
        return self.name

    @property
    def text(self) -> str:
        """The steps in one line."""
        return ", ".join(self.steps)


def severities(condition: str) -> dict[str, int]:
    """The corruptions of a condition with their severities; empty for photographs as they were taken."""
    if condition == PLAIN:
        return {}
    pairs = (part.partition("=") for part in condition.split("+"))
    return {name: int(severity) for name, _, severity in pairs}


def with_budget(megabytes: int) -> str:
    """The strategy of updates whose state may take so many megabytes for features."""
    return f"{UPDATE}={megabytes}"


def budget(strategy: str) -> int | None:
    """The megabytes of `with_budget`; None of any other strategy."""
    name, _, megabytes = strategy.partition("=")
    return int(megabytes) if name == UPDATE else None


def for_people(strategy: str) -> str:
    """What a strategy is called in tables and figures."""
    megabytes = budget(strategy)
    return strategy if megabytes is None else f"update, {megabytes} MB"


def one_after_the_other(categories: tuple[str, ...]) -> str:
    """What the categories of a stream are called together."""
    return " then ".join(categories)
