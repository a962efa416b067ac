"""Where the labels of a front are written."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from flawspot.benchmark.report.results import setup_of
from flawspot.benchmark.report.scatter import Dot, Looks, scatter

from .conftest import cell, record


def above(*points: tuple[float, float]) -> list[bool]:
    """For each point of a front, by cost and pixel F1, whether its label is above it."""
    layers = ("low", "mid", "high", "equiv")
    dots = [
        Dot(setup_of(record(cell(layers=layers[number]))), cost, f1, front=True, told="")
        for number, (cost, f1) in enumerate(points)
    ]
    axes = Figure().subplots()
    scatter(axes, dots, Looks(dots), cost="cost", f1="pixel F1")
    labels = {text.get_text(): text.get_va() == "baseline" for text in axes.texts}
    return [labels[layers[number]] for number in range(len(points))]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (((100, 0.2), (200, 0.3), (400, 0.4)), [True, True, True]),
        (((100, 0.2), (102, 0.201), (400, 0.4)), [False, True, True]),
        (((100, 0.2), (102, 0.201), (104, 0.3), (400, 0.4)), [False, True, True, True]),
    ],
)
def test_only_labels_that_would_meet_give_way(points: tuple[tuple[float, float], ...], expected: list[bool]) -> None:
    assert above(*points) == expected
