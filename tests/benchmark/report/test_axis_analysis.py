"""Means and intervals along the axes beyond the paper."""

from __future__ import annotations

import pytest

from flawspot.benchmark.record import FAILED
from flawspot.benchmark.report.axis_analysis import axes as find_axes
from flawspot.benchmark.report.axis_analysis import axis_table, curves
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.tables import DASH

from .conftest import axes, cell, find, paper_grid, record


def test_the_axes_are_found_and_begin_with_untouched_photographs() -> None:
    found = find_axes(Results(paper_grid(1, ("bottle", "screw")) + axes()))
    assert [axis.key.removeprefix("corruption-") for axis in found] == [
        "blur", "noise", "jpeg", "brightness", "contrast", "shift", "rotation", "contamination", "shots",
    ]  # fmt: skip
    assert [level.name for level in found[0].levels] == ["0", "1", "2", "3", "4", "5"]
    assert [level.name for level in found[-2].levels] == ["0", "5", "10", "20"]
    assert [level.name for level in found[-1].levels] == ["5", "10", "25", "50", "all"]
    assert find_axes(Results([record(cell())])) == []


def test_along_an_axis_every_mean_is_over_the_same_categories() -> None:
    untouched = [record(cell(category=c), metrics={"pixel_f1_max": f}) for c, f in (("a", 0.9), ("b", 0.5), ("z", 0.1))]
    touched = [
        record(cell(category=c, corruption="blur", severity=s), metrics={"pixel_f1_max": f})
        for c, s, f in (("a", 1, 0.8), ("b", 1, 0.4), ("a", 2, 0.7))
    ]
    touched.append(record(cell(category="b", corruption="blur", severity=2), FAILED, error="out of memory"))
    results = Results(untouched + touched)
    (axis,) = find_axes(results)
    (curve,) = curves(results, axis, "mvtec_ad", "pixel_f1_max")
    assert curve.categories == ("a",)
    assert curve.figures == (0.9, 0.8, 0.7)
    assert curve.notes == ("b is in no mean: it was not done at every level",)
    # A level that no category has done does not empty the others.
    rest = [run for run in untouched + touched if not (run.cell.severity == 2 and run.cell.category == "a")]
    results = Results(rest)
    (curve,) = curves(results, axis, "mvtec_ad", "pixel_f1_max")
    assert curve.figures == (0.7, pytest.approx(0.6), None)
    table = axis_table(results, axis, "mvtec_ad")
    assert find(table, "MobileNetV2", "PatchCore", "equiv", "pixel F1")["2"] == DASH
    assert "failed: out of memory" in table.notes


def test_along_an_axis_figures_and_intervals_are_over_the_seeds_of_every_level() -> None:
    """Student's, of the seeds' means over categories: they show how a figure hangs on the seed, not on the product."""
    figures = {("a", 0): 0.5, ("b", 0): 0.9, ("a", 1): 0.6, ("b", 1): 1.0, ("a", 2): 0.0}
    untouched = [record(cell(category=c, seed=s), metrics={"pixel_f1_max": f}) for (c, s), f in figures.items()]
    blurred = [
        record(cell(category=c, seed=s, corruption="blur", severity=1), metrics={"pixel_f1_max": 0.2 + 0.1 * s})
        for c in "ab"
        for s in (0, 1)
    ]
    results = Results(untouched + blurred)
    (axis,) = find_axes(results)
    (curve,) = curves(results, axis, "mvtec_ad", "pixel_f1_max")
    assert curve.figures == (pytest.approx(0.75), pytest.approx(0.25)), "seed 2 was not done at every level"
    assert (curve.seeds, curve.notes) == (2, ("seed 2: in no mean, because not done at every level",))
    reach = 12.7062 * 0.05  # of the means .7 and .8, with one degree of freedom
    assert curve.intervals[0] == (pytest.approx(0.75 - reach, abs=1e-4), 1.0)
    row = axis_table(results, axis, "mvtec_ad").rows[0]
    assert [(entry.text, entry.detail) for entry in row[4:6]] == [("0.750", "0.115–1.000"), ("0.250", "0.000–0.885")]
    # With one seed at one level, every level is of that seed and has no interval.
    (curve,) = curves(Results(untouched + blurred[::2]), axis, "mvtec_ad", "pixel_f1_max")
    assert curve.figures == (pytest.approx(0.7), pytest.approx(0.2))
    assert curve.intervals == (None, None)
