"""The settings with which a method is compared: its defaults, and those of the paper."""

from __future__ import annotations

from flawspot.benchmark.report.results import Setup
from flawspot.costs.tables import SETTINGS, paper_settings
from flawspot.runtime.manifest import Scalar


def hyperparameters(setup: Setup) -> str:
    """The settings that differ from the defaults, in one line, without the recipe of a student."""
    return ", ".join(part for part in setup.settings.split(", ") if not _is_recipe(part))


def usual(method: str) -> set[str]:
    """The `hyperparameters` with which a method is no variant: its defaults, and those of the paper on any backbone."""
    published = [_line(settings) for settings in SETTINGS.get(method, {}).values()]
    return {"", *published}


def of_one_kind(one: Setup, other: Setup) -> bool:
    """Whether the settings of two detectors may be compared.

    Those of different methods may. Of one method they must be the same, or each the paper's for its own backbone.
    """
    if one.method != other.method:
        return True
    if _recipe(one) != _recipe(other):
        return False
    return hyperparameters(one) == hyperparameters(other) or (_as_published(one) and _as_published(other))


def _as_published(setup: Setup) -> bool:
    return hyperparameters(setup) == _line(paper_settings(setup.backbone, setup.method))


def _recipe(setup: Setup) -> str:
    return "".join(part for part in setup.settings.split(", ") if _is_recipe(part))


def _line(settings: dict[str, Scalar]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()) if name != "recipe")


def _is_recipe(part: str) -> bool:
    return part.startswith("recipe=")
