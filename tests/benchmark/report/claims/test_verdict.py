"""How a figure with its interval becomes a verdict, and several become one."""

from __future__ import annotations

import dataclasses

import pytest

from flawspot.benchmark.report.claims.verdict import FAILS, HOLDS, OPEN, Evidence, Wanted, claim, judged

AT_LEAST, ABOVE, WITHIN = Wanted(least=-0.01), Wanted(least=0.0, strictly=True), Wanted(-0.05, 0.05)


@pytest.mark.parametrize(
    ("wanted", "low", "high", "verdict"),
    [
        (AT_LEAST, -0.01, 0.2, HOLDS),
        (AT_LEAST, -0.3, -0.02, FAILS),
        (AT_LEAST, -0.02, 0.02, OPEN),
        (ABOVE, 0.001, 0.002, HOLDS),
        (ABOVE, 0.0, 0.0, FAILS),
        (ABOVE, -0.2, 0.0, FAILS),
        (ABOVE, 0.0, 0.1, OPEN),
        (Wanted(most=0.0, strictly=True), -0.2, -0.1, HOLDS),
        (Wanted(most=0.0, strictly=True), 0.0, 0.1, FAILS),
        (WITHIN, -0.05, 0.05, HOLDS),
        (WITHIN, 0.051, 0.2, FAILS),
        (WITHIN, -0.2, -0.06, FAILS),
        (WITHIN, -0.06, 0.06, OPEN),
        (WITHIN, 0.04, 0.06, OPEN),
    ],
)
def test_an_interval_inside_holds_outside_does_not_and_else_it_is_open(
    wanted: Wanted, low: float, high: float, verdict: str
) -> None:
    assert wanted.verdict(low, high) == verdict


def evidence(*figures: float, counted: bool = False, reason: str = "") -> Evidence:
    return Evidence("a − b", {("d", str(k)): f for k, f in enumerate(figures)}, len(figures), "", counted, reason)


def test_few_categories_decide_nothing_unless_they_are_counted() -> None:
    few = claim("k", "5", "t", "r", [judged(evidence(0.5, 0.5), ABOVE)])
    assert (few.verdict, few.reason) == (OPEN, "too few categories for an interval (0, 1): 3 are needed")
    assert few.parts[0].mean == 0.5
    assert claim("k", "5", "t", "r", [judged(evidence(0.5, counted=True), ABOVE)]).verdict == HOLDS
    differ = claim("k", "5", "t", "r", [judged(evidence(0.5, -0.5, counted=True), ABOVE)])
    assert (differ.verdict, differ.reason) == (OPEN, "the runs differ")
    nothing = claim("k", "5", "t", "r", [judged(evidence(reason="not run"), ABOVE)])
    assert (nothing.verdict, nothing.reason) == (OPEN, "not run")


def test_equal_figures_in_every_category_decide_nothing() -> None:
    same = claim("k", "5", "t", "r", [judged(evidence(0.5, 0.5, 0.5 + 1e-12), ABOVE)])
    assert (same.verdict, same.parts[0].low) == (OPEN, None)
    assert same.reason == "the figure is the same in every category, so that its uncertainty is not known"


def test_counted_figures_hold_where_every_pair_does() -> None:
    found = dataclasses.replace(evidence(0.5, counted=True), extremes=(-0.1, 1.1))
    claimed = claim("k", "5", "t", "r", [judged(found, ABOVE)])
    assert (claimed.verdict, claimed.reason) == (OPEN, "the runs differ")
    assert claimed.parts[0].text == "a − b: +0.500 (−0.100 to +1.100)"


def test_all_parts_must_hold_or_one_of_them() -> None:
    good, bad = judged(evidence(0.5, 0.51, 0.52), ABOVE), judged(evidence(-0.5, -0.51, -0.52), ABOVE)
    open_one = judged(evidence(-0.5, 0.4, 0.2), ABOVE)

    def verdict(*judges, any_of: bool = False) -> str:
        return claim("k", "5", "t", "r", judges, any_of=any_of).verdict

    assert verdict(good, good) == HOLDS
    assert verdict(good, bad) == FAILS
    assert verdict(good, open_one) == OPEN
    assert verdict(bad, open_one) == FAILS
    assert verdict(good, bad, any_of=True) == HOLDS
    assert verdict(bad, bad, any_of=True) == FAILS
    assert verdict(bad, open_one, any_of=True) == OPEN


def test_several_intervals_are_together_as_sure_as_one() -> None:
    one = judged(evidence(0.1, 0.2, 0.3), ABOVE)
    alone, beside = claim("k", "5", "t", "r", [one]), claim("k", "5", "t", "r", [one] * 4)
    assert alone.parts[0].confidence == 0.95
    assert beside.parts[0].confidence == pytest.approx(1 - 0.05 / 4)
    assert beside.parts[0].low < alone.parts[0].low


def test_figures_are_told_with_their_interval_and_what_they_are_over() -> None:
    (part,) = claim("k", "5", "t", "r", [judged(evidence(0.1, 0.2, 0.3), ABOVE)]).parts
    assert part.text == "a − b: +0.200 (95 % interval −0.048 to +0.448)"
    assert part.over == "3 pairs, 3 categories"
    (part,) = claim("k", "5", "t", "r", [judged(evidence(0.1, counted=True), ABOVE)]).parts
    assert (part.text, part.over) == ("a − b: +0.100", "1 pair, 1 category")
    assert (part.wanted, WITHIN.text(""), Wanted(least=20.0).text("%")) == (
        "above 0", "from −0.050 to +0.050", "at least 20.0 %",
    )  # fmt: skip
