"""Streams and strategies, as in a cell of the grid. No torch is needed."""

from __future__ import annotations

from dataclasses import dataclass

CONDITIONS, CATEGORIES = "conditions", "categories"
"""Kinds of steps of a stream."""
PLAIN = "none"
"""The condition of photographs as they were taken."""

FROZEN, UPDATE, ANEW = "frozen", "update", "anew"
"""Strategies for every step after the first: do nothing; update the detector from only the new good photographs; train
a detector on all good photographs so far."""
STRATEGIES = (FROZEN, UPDATE, ANEW)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Good photographs that arrive in steps.

    Attributes:
        name: name for tables and figures; no result depends on it.
        of: `CONDITIONS`: the good photographs of a product are divided at random, and each part arrives under its own
            condition; or `CATEGORIES`: products of a data set arrive one after the other.
        steps: conditions, such as ``none``, ``noise=2`` or ``brightness=2+noise=1``; or categories. At least two.
    """

    name: str
    of: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        """The stream's name, for rules."""
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
    """The strategy of updates with a budget of `megabytes` for the features in the state."""
    return f"{UPDATE}={megabytes}"


def budget(strategy: str) -> int | None:
    """The megabytes of `with_budget`; None for any other strategy."""
    name, _, megabytes = strategy.partition("=")
    return int(megabytes) if name == UPDATE else None


def for_people(strategy: str) -> str:
    """A strategy's name in tables and figures."""
    megabytes = budget(strategy)
    return strategy if megabytes is None else f"update, {megabytes} MB"


def one_after_the_other(categories: tuple[str, ...]) -> str:
    """A common name for the categories of a stream."""
    return " then ".join(categories)
