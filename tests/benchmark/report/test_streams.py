"""Streams in the report: curves, forgetting, tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from flawspot.benchmark.record import DONE, FAILED, Record
from flawspot.benchmark.report import markdown_tables, write_report
from flawspot.benchmark.report.figure_streams import stream_figure
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.stream_analysis import (
    IMAGE_AUROC,
    PIXEL_F1,
    followed,
    forgetting,
    grouped,
    last_table,
    on_all,
    step_names,
    steps_table,
)
from flawspot.benchmark.streams.stream import CATEGORIES, CONDITIONS, Stream

from .conftest import cell, record
from .page_reader import Page

LIGHT = Stream(name="light", of=CONDITIONS, steps=("none", "brightness=2+noise=1"))
PRODUCTS = Stream(name="products", of=CATEGORIES, steps=("bottle", "pill"))


def figures(f1: float | None) -> dict[str, Any]:
    """Of a test set."""
    return {"pixel_f1_max": f1, "image_auroc": 0.9, "image_false_alarm_rate": 0.1, "images": 10}


def steps(*sets: list[float | None]) -> tuple[dict[str, Any], ...]:
    """Steps with the pixel F1 on each test set, and its mean for that on all."""
    return tuple(
        {
            "name": str(number),
            "images": 5,
            "on_all": figures(None if None in alone else sum(f or 0.0 for f in alone) / len(alone)),
            "on_each": [figures(f1) for f1 in alone],
            "threshold": 1.0,
            "artifact_bytes": 1 << 20,
            "state_bytes": 1 << 21,
            "kept_bytes": 1 << 21,
            "seconds": 2.0,
            "cpu_seconds": 1.5,
        }
        for number, alone in enumerate(sets)
    )


def run(strategy: str, *sets: list[float | None], stream: Stream = LIGHT, **changed: Any) -> Record:
    """A run of a stream that is done."""
    of = cell(stream=stream, strategy=strategy, **changed)
    return record(of, steps=steps(*sets), examples=(), defect_sizes=(), training_images=None)


def test_forgetting_is_the_best_earlier_figure_less_the_present_one() -> None:
    lost = forgetting(PIXEL_F1)
    assert lost(steps([0.8], [0.7, 0.6], [0.75, 0.5, 0.9])) == [
        None,
        pytest.approx(0.1),
        pytest.approx((0.05 + 0.1) / 2),
    ]
    assert lost(steps([0.5], [0.6, 0.6]))[1] == pytest.approx(-0.1), "later steps may help"
    assert lost(steps([0.5], [None, 0.6])) == [None, None]


def test_lines_are_means_over_seeds() -> None:
    records = [run("update=4", [0.5], [0.6, 0.4]), run("update=4", [0.7], [0.6, 0.8], seed=1)]
    records.append(record(cell(stream=LIGHT, strategy="anew"), FAILED, error="x"))
    (one,) = followed(Results(records))
    assert one.line("update=4", on_all(PIXEL_F1)) == [pytest.approx(0.6), pytest.approx(0.6)]
    assert one.line("anew", on_all(PIXEL_F1)) == []
    assert one.strategies == ["update=4", "anew"]


def test_strategies_come_in_the_order_of_what_they_keep() -> None:
    names = ["anew", "update=64", "update=1", "frozen", "update=16"]
    (one,) = followed(Results([run(name, [0.5], [0.5, 0.5]) for name in names]))
    assert one.strategies == ["frozen", "update=1", "update=16", "update=64", "anew"]


def test_streams_are_in_no_other_figure_or_table() -> None:
    records = [record(cell()), run("frozen", [0.5], [0.5, 0.5]), run("anew", [0.5], [0.5, 0.5], stream=PRODUCTS)]
    results = Results(records)
    assert len(results.runs("mvtec_ad", results.setups("mvtec_ad")[0])["bottle"]) == 1
    assert results.categories("mvtec_ad") == ["bottle"]
    assert [stream.name for stream, _ in grouped(results)] == ["light", "products"]


def test_the_tables_name_what_is_missing() -> None:
    records = [run("frozen", [0.8], [0.7, 0.6]), record(cell(stream=LIGHT, strategy="anew"), FAILED, error="no memory")]
    results = Results(records)
    ((_, group),) = grouped(results)
    text = last_table(results, group, "t").markdown()
    assert "1 as taken, 2 brightness 2, noise 1" in text
    assert "| bottle | PatchCore · MobileNetV2 · equiv | frozen | 0.650 | 0.900 | +0.100 |" in text
    assert "1. failed: no memory" in text
    rows = steps_table(results, group, "t").rows
    assert [[entry.text for entry in row[3:8]] for row in rows[:2]] == [
        ["pixel F1", "1", "0.800", "", "0.800"],
        ["pixel F1", "2", "0.700", "0.600", "0.650"],
    ]


def test_without_masks_forgetting_is_that_of_the_image_auroc() -> None:
    results = Results([run("frozen", [None], [None, None])])
    (one,) = followed(results)
    drawn = stream_figure(results, one, "f")
    assert drawn is not None
    assert "Forgetting of AUROC" in drawn.svg.decode()
    assert "no figures" in drawn.svg.decode()
    assert one.line("frozen", on_all(IMAGE_AUROC)) == [0.9, 0.9]
    failed = Results([record(cell(stream=LIGHT, strategy="anew"), FAILED, error="x")])
    assert stream_figure(failed, followed(failed)[0], "f") is None


def test_the_page_has_a_section_for_each_stream(tmp_path: Path) -> None:
    records = [run(name, [0.5], [0.5, 0.4]) for name in ("frozen", "update=1", "anew")]
    hostile = dataclasses.replace(PRODUCTS, name="<b>products", steps=("<i>bottle", "pill"))
    records.append(run("update=1", [0.5], [0.5, 0.4], stream=hostile, category="bottle then pill", method="padim"))
    html = write_report(records, tmp_path).read_text(encoding="utf-8")
    page = Page(html)
    assert "Stream: light" in page.text
    assert "Stream: <b>products" in page.text
    assert "update, 1 MB" in page.text
    assert "<b>products" not in html and "<i>bottle" not in html
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"stream-1-1.svg", "stream-1-1.png", "stream-2-1.svg"} <= figures
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert "## Stream: light" in markdown_tables(records)
    assert {entry.status for entry in records} == {DONE}


def test_steps_have_names_for_people() -> None:
    assert step_names(LIGHT) == ["as taken", "brightness 2, noise 1"]
    assert step_names(PRODUCTS) == ["bottle", "pill"]
