"""The settings with which a method is compared: its defaults, and those of the paper."""

from __future__ import annotations

from collections.abc import Mapping

from flawspot.benchmark.report.results import Setup
from flawspot.costs.tables import SETTINGS, paper_settings
from flawspot.runtime.manifest import Scalar

_RECIPE = "recipe"


def is_usual(setup: Setup) -> bool:
    """Whether a detector is no variant: it has its method's defaults, or the paper's settings on any backbone. The
    recipe of a student may be any."""
    published = SETTINGS.get(setup.method, {}).values()
    return _hyperparameters(dict(setup.settings)) in ({}, *map(_hyperparameters, published))


def of_one_kind(one: Setup, other: Setup) -> bool:
    """Whether the settings of two detectors may be compared.

    Those of different methods may. Of one method they must be the same, or each the paper's for its own backbone.
    """
    if one.method != other.method:
        return True
    ours, theirs = dict(one.settings), dict(other.settings)
    if ours.get(_RECIPE) != theirs.get(_RECIPE):
        return False
    return ours == theirs or (_as_published(one) and _as_published(other))


def _as_published(setup: Setup) -> bool:
    return _hyperparameters(dict(setup.settings)) == _hyperparameters(paper_settings(setup.backbone, setup.method))


def _hyperparameters(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The settings without the recipe of a student."""
    return {name: value for name, value in settings.items() if name != _RECIPE}
