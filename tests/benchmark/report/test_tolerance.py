"""With and without what is tolerated: the pairs, the kinds of photographs, and the worst of several severities."""

from __future__ import annotations

import dataclasses

import pytest

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.markdown import markdown_tables
from flawspot.benchmark.report.page import sections
from flawspot.benchmark.report.paper_comparison import paper_table
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.tolerance_analysis import tolerance_table, tolerant_data

from .conftest import cell, record


def run(false_alarms: float, auroc: float = 0.9, **changes: object) -> Record:
    """A done run with two of the figures, at one severity or none."""
    metrics = {"image_false_alarm_rate": false_alarms, "image_auroc": auroc, "image_recall": 0.8, "pixel_f1_max": 0.5}
    return record(cell(**changes), metrics=metrics)


def rows(records: list[Record]) -> dict[str, dict[str, str]]:
    """By what photographs are, the texts of a row by column."""
    table = tolerance_table(Results(records), "mvtec_ad")
    names = [column.heading for column in table.columns]
    found = [dict(zip(names, [entry.text for entry in row], strict=True)) for row in table.rows]
    return {row["photographs"]: row for row in found}


def noise(severity: int, tolerate: str | None, false_alarms: float, auroc: float = 0.9, **changes: object) -> Record:
    """Of a run on noisy photographs."""
    return run(false_alarms, auroc, corruption="noise", severity=severity, tolerate=tolerate, **changes)


def test_a_pair_is_compared_on_each_kind_of_photographs() -> None:
    stated = "noise=2"
    records = [run(0.01), run(0.02, tolerate=stated)]
    records += [noise(1, None, 0.5, 0.9), noise(2, None, 1.0, 0.7), noise(3, None, 1.0)]
    records += [noise(1, stated, 0.0, 0.95), noise(2, stated, 0.04, 0.91), noise(3, stated, 0.6)]
    records += [run(0.2, corruption="jpeg", severity=1, tolerate=t) for t in (None, stated)]
    found = rows(records)
    assert list(found) == ["as they are", "jpeg 1, not tolerated", "noise 1 to 2, tolerated", "noise 3, beyond"]
    within = found["noise 1 to 2, tolerated"]
    assert (within["false alarms without"], within["false alarms with"]) == ("1.000", "0.040")
    assert (within["image AUROC without"], within["image AUROC with"]) == ("0.700", "0.910")
    assert (found["as they are"]["false alarms without"], found["as they are"]["false alarms with"]) == (
        "0.010",
        "0.020",
    )
    assert within["categories"] == "1"


def test_both_are_means_over_the_same_categories_and_a_gap_is_no_figure() -> None:
    records = [run(0.1, category="a"), run(0.5, category="b"), run(0.2, category="a", tolerate="line")]
    records.append(record(cell(category="b", tolerate="line"), FAILED, error="out of memory"))
    row = rows(records)["as they are"]
    assert (row["false alarms without"], row["false alarms with"], row["categories"]) == ("0.100", "0.200", "1")
    alone = rows([run(0.2, tolerate="line")])["as they are"]
    assert alone["false alarms without"].startswith("–")
    assert alone["false alarms with"] == "0.200"


def test_tolerant_detectors_are_told_apart_and_stand_not_beside_the_paper() -> None:
    plain = record(cell())
    tolerant = record(dataclasses.replace(plain.cell, tolerate="line"))
    results = Results([plain, tolerant])
    assert [results.name(setup) for setup in results.setups("mvtec_ad")] == [
        "MobileNetV2 · PatchCore · equiv",
        "MobileNetV2 · PatchCore · equiv · tolerates line",
    ]
    assert len({setup.network for setup in results.setups("mvtec_ad")}) == 2  # for figures
    assert not paper_table(Results([tolerant]), 3).rows
    assert paper_table(Results([plain]), 3).rows


def test_lines_of_a_figure_differ_for_a_tolerance_and_its_table_has_a_section() -> None:
    noisy = [noise(1, tolerate, 0.1) for tolerate in (None, "line")]
    shown = {section.key: section for section in sections(Results([run(0.0), run(0.0, tolerate="line"), *noisy]))}
    figure = shown["noise"].items[0].figure
    assert figure is not None
    assert b"tolerates line" in figure.svg
    assert [item.table.title for item in shown["tolerance"].items if item.table] == [
        "With and without what is tolerated, MVTec AD"
    ]


def test_without_a_tolerance_the_report_has_no_such_table() -> None:
    plain = Results([record(cell())])
    assert tolerant_data(plain) == []
    assert "tolerance" not in [section.key for section in sections(plain)]
    assert "With and without" not in markdown_tables([record(cell())])
    assert "With and without what is tolerated" in markdown_tables([record(cell()), record(cell(tolerate="line"))])


@pytest.mark.parametrize("text", ["fog=2", "noise=9"])
def test_what_a_newer_flawspot_tolerates_is_shown_as_it_is_called(text: str) -> None:
    records = [run(0.2, corruption="noise", severity=1, tolerate=t) for t in (None, text)]
    assert list(rows(records)) == ["noise 1, not tolerated"]
