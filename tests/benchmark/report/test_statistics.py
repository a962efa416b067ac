"""Means, deviations, confidence intervals, and which detectors may be compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.results import Results, setup_of
from flawspot.benchmark.report.statistics import bootstrap, comparable, estimate, metric

from .conftest import cell, record

F1 = metric("pixel_f1_max")


def run(f1: float | None, **changes: object) -> Record:
    """A done run with one figure."""
    return record(cell(**changes), metrics={"pixel_f1_max": f1})


def grid(figures: dict[str, dict[int, float]]) -> tuple[Results, list[Record]]:
    """Runs of one detector: category -> seed -> F1."""
    records = [run(f1, category=c, seed=seed) for c, by_seed in figures.items() for seed, f1 in by_seed.items()]
    return Results(records), records


def test_mean_over_seeds_then_over_categories() -> None:
    results, records = grid({"a": {0: 0.2, 1: 0.4, 2: 0.6}, "b": {0: 0.8, 1: 0.9}})
    found = estimate(results.runs("mvtec_ad", setup_of(records[0])), ["a", "b"], F1, interval=True)
    assert found.mean == pytest.approx((0.4 + 0.85) / 2)
    assert found.deviation == pytest.approx(np.std([(0.2 + 0.8) / 2, (0.4 + 0.9) / 2], ddof=1))
    assert (found.seeds, found.categories, found.missing) == (3, ("a", "b"), {})
    assert found.low is not None
    assert found.high is not None
    assert 0.2 <= found.low < found.mean < found.high <= 0.9


def test_a_zero_is_a_figure_and_a_gap_is_none() -> None:
    failed = record(cell(category="b"), FAILED, error="out of memory: take fewer channels")
    records = [run(0.0, category="a"), failed, run(None, category="c"), run(float("nan"), category="e")]
    found = estimate(Results(records).runs("mvtec_ad", setup_of(failed)), ["a", "b", "c", "d", "e"], F1, "pixel_f1_max")
    assert found.mean == 0.0
    assert found.categories == ("a",)
    assert found.missing == {
        "b": "failed: out of memory: take fewer channels",
        "c": "undefined here: the test set lacks the masks or one of the two classes",
        "d": "not run",
        "e": "undefined here: the test set lacks the masks or one of the two classes",
    }
    nothing = estimate({}, ["a"], F1)
    assert nothing.mean is None
    assert nothing.missing == {"a": "not run"}


def plain_bootstrap(groups: list[list[float]], resamples: int) -> list[float]:
    """The means, drawn one by one."""
    generator = np.random.default_rng(1)
    means = []
    for _ in range(resamples):
        drawn = [groups[generator.integers(len(groups))] for _ in groups]
        means.append(np.mean([np.mean([g[generator.integers(len(g))] for _ in g]) for g in drawn]))
    return means


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    groups = [[0.1, 0.2, 0.3], [0.5], [0.6, 0.9], [0.4, 0.45, 0.5, 0.55]]
    expected = np.quantile(plain_bootstrap(groups, 6000), [0.025, 0.975])
    assert bootstrap(groups) == pytest.approx(tuple(expected), abs=0.02)
    assert bootstrap(groups) == bootstrap(groups)


def test_one_category_leaves_the_seeds_and_one_figure_leaves_nothing() -> None:
    assert bootstrap([[0.5]]) == (None, None)
    low, high = bootstrap([[0.4, 0.5, 0.6]])
    assert (low, high) == pytest.approx((0.4, 0.6), abs=0.04)
    assert bootstrap([[0.5, 0.5], [0.5, 0.5]]) == (0.5, 0.5)


def choose(have: dict[str, str]) -> tuple[str, str, tuple[str, ...]]:
    """Categories and methods chosen among methods that have done certain categories; and the notes."""
    every = sorted(set("".join(have.values())))
    records = [run(0.5, category=c, method=method) for method, done in have.items() for c in done]
    records += [
        record(cell(category=c, method=m), FAILED, error=f"{c} failed")
        for m, done in have.items()
        for c in every
        if c not in done
    ]
    results = Results(records)
    found = comparable(results, "mvtec_ad", results.setups("mvtec_ad"), F1)
    return "".join(sorted(found.categories)), " ".join(s.method for s in found.setups), found.notes


def test_means_are_over_the_same_categories() -> None:
    assert choose({"cfa": "abc", "padim": "abc"}) == ("abc", "padim cfa", ())
    # One detector with a gap is left out, ...
    categories, methods, notes = choose({"cfa": "abcdef", "padim": "abcdef", "stfpm": "abcdef", "paste": "f"})
    assert (categories, methods) == ("abcdef", "padim cfa stfpm")
    assert len(notes) == 1
    assert "PaSTe" in notes[0]
    assert "a failed" in notes[0]
    # ... but a category that most lack goes instead.
    categories, methods, notes = choose({"cfa": "abcdef", "padim": "abcde", "stfpm": "abcde"})
    assert (categories, methods) == ("abcde", "padim cfa stfpm")
    assert "without f" in notes[0]
    assert choose({"cfa": "", "padim": ""})[:2] == ("", "")


def test_the_latest_of_several_runs_of_a_cell_counts() -> None:
    old = dataclasses.replace(run(0.1), key="1", finished="2024-01-01T00:00:00Z")
    new = dataclasses.replace(run(0.2), key="0", finished="2024-02-01T00:00:00Z")
    failed = dataclasses.replace(record(cell(), FAILED, error="x"), key="2", finished="2024-03-01T00:00:00Z")
    results = Results([new, failed, old])
    assert [r.key for r in results.records] == ["0"]
    assert ([r.key for r in results.older], len(results.every)) == (["1", "2"], 3)


def test_categories_stand_in_the_order_of_their_defects() -> None:
    sizes = {"large": 5000, "small": 10, "middle": 500}
    base = {"images": 10, "defective_images": 5, "pixels": 10 * 224 * 224}
    records = [
        record(cell(category=name), metrics={**base, "pixel_f1_max": 0.5, "defective_pixels": 5 * pixels})
        for name, pixels in sizes.items()
    ]
    records.append(record(cell(category="a first"), FAILED, error="x"))
    results = Results(records)
    assert results.categories("mvtec_ad") == ["small", "middle", "large", "a first"]
    assert results.area("mvtec_ad", "small") == pytest.approx(10 / 224**2)
    assert results.area("mvtec_ad", "a first") is None
