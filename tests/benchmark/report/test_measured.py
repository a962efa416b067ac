"""The fronts over measured latency and peak memory, and what is to be read on the marks of figures."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.drawing import Drawing, draw
from flawspot.benchmark.report.figure_cost import cost_figure
from flawspot.benchmark.report.figure_layers import layers_figure
from flawspot.benchmark.report.figure_measured import measured_figure, measured_table, measurements
from flawspot.benchmark.report.figure_paste import paste_figure
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.scatter import unbeaten

from .conftest import cell, record
from .marks import told


def run(f1: float, latency: float, mib: float, machine: str = "one", **changes: object) -> Record:
    """A done run with what was measured of it."""
    measured = {"latency_ms": latency, "latency_threads": 1, "peak_rss_bytes": mib * 2**20}
    return record(
        cell(**changes), metrics={"pixel_f1_max": f1}, measured=measured,
        machine={"host_hash": machine, "processor": f"processor of {machine}"},
    )  # fmt: skip


def test_unbeaten_is_what_a_plain_search_finds() -> None:
    generator = np.random.default_rng(0)
    figures = [tuple(map(float, generator.integers(0, 5, 3))) for _ in range(60)]
    able = [bool(generator.random() < 0.8) for _ in figures]
    expected = []
    for one, can in zip(figures, able, strict=True):
        better = False
        for other, rival in zip(figures, able, strict=True):
            as_good = all(other[k] >= one[k] for k in range(3))
            better = better or (rival and as_good and any(other[k] > one[k] for k in range(3)))
        expected.append(can and not better)
    assert unbeaten(figures, able) == expected
    assert 0 < sum(expected) < 60


def test_there_is_a_front_of_latency_one_of_memory_and_one_of_both() -> None:
    records = [
        run(0.5, 5.0, 300, method="padim"),
        run(0.6, 9.0, 200, method="cfa"),
        run(0.55, 8.0, 250, method="stfpm"),
        run(0.4, 6.0, 400, method="paste", layers="paste"),
        run(0.9, 1.0, 10, random_weights=True),
    ]
    found = measurements(Results(records), "mvtec_ad")
    assert found is not None
    by_method = {one.setup.method: (one.fast, one.small, one.both) for one in found.timed}
    assert by_method == {
        "padim": (True, False, True),
        "cfa": (True, True, True),
        "stfpm": (True, False, True),
        "paste": (False, False, False),
        "patchcore": (False, False, False),
    }
    assert found.machine == "processor of one, 1 thread"
    assert found.caveat.startswith("Whether other work ran beside them is not recorded: a latency")
    table = measured_table(Results(records), "mvtec_ad", "k")
    assert table is not None
    assert [[entry.text for entry in row][4:] for row in table.rows][1] == ["5.00", "300", "yes", "", "yes"]


def test_only_what_was_measured_on_one_machine_is_compared() -> None:
    records = [
        run(0.5, 5.0, 300, method="padim"),
        run(0.6, 9.0, 200, method="cfa"),
        run(0.9, 1.0, 100, machine="another", method="stfpm"),
    ]
    found = measurements(Results(records), "mvtec_ad")
    assert found is not None
    assert [one.setup.method for one in found.timed] == ["padim", "cfa"]
    assert found.notes == (
        "Left out: MobileNetV2 with STFPM equiv (not measured on that machine with as many threads).",
    )
    bare = dataclasses.replace(records[0], measured={})
    assert measurements(Results([bare]), "mvtec_ad") is None
    assert measured_figure(Results([bare]), "mvtec_ad", "k") is None
    assert measured_table(Results([bare]), "mvtec_ad", "k") is None


def test_a_machine_of_several_numbers_of_cores_is_told() -> None:
    records = [
        dataclasses.replace(one, machine={**one.machine, "cores": cores})
        for cores, one in ((2, run(0.5, 5.0, 300, method="padim")), (1, run(0.6, 9.0, 200, method="cfa")))
    ]
    for shown in (
        measured_figure(Results(records), "mvtec_ad", "k"),
        measured_table(Results(records), "mvtec_ad", "k"),
    ):
        assert shown is not None
        text = shown.caption if isinstance(shown, Drawing) else shown.intro
        assert "Runs had 1 or 2 cores, and whether other work ran beside them is not recorded" in text


def test_one_detector_is_not_several() -> None:
    results = Results([run(0.5, 5.0, 300)])
    for drawn in (cost_figure(results, "mvtec_ad", "k"), measured_figure(results, "mvtec_ad", "k")):
        assert drawn is not None
        assert "of the 1 detector " in drawn.caption
        assert "1 detectors" not in drawn.caption + drawn.inline


def test_points_and_bars_tell_their_figures() -> None:
    stfpm = run(0.5, 5.0, 300, method="stfpm")
    paste = run(0.525, 4.0, 200, method="paste", layers="paste")
    results = Results(
        [dataclasses.replace(stfpm, training_ram=100 << 20), dataclasses.replace(paste, training_ram=24 << 20)]
    )
    texts = told(cost_figure(results, "mvtec_ad", "f"))
    assert texts[0].startswith("MobileNetV2 · PaSTe · paste\npixel F1 0.525\n338 MMAC\n")
    assert texts[0].endswith("on the Pareto front")
    texts = told(measured_figure(results, "mvtec_ad", "f"))
    assert (
        texts[0]
        == "MobileNetV2 · PaSTe · paste\npixel F1 0.525\n4.00 ms\npeak 200 MiB\non the front of latency and memory"
    )
    assert len(texts) == 4
    assert told(layers_figure(results, "mvtec_ad", "f")) == [
        "MobileNetV2 · equiv · bottle\npixel F1 0.500\nSTFPM; 1 seed"
    ]
    texts = told(paste_figure(results, "mvtec_ad", "f"))
    assert "STFPM · MobileNetV2\nTraining RAM: 100 MiB (the paper's count)" in texts
    assert "PaSTe · MobileNetV2\nTraining RAM: 24.0 MiB (the paper's count)\n−76.0 % against STFPM" in texts
    assert "PaSTe · MobileNetV2\nPixel F1: 0.525\n+0.025 against STFPM" in texts


def test_what_is_told_is_text_whatever_it_holds() -> None:
    def paint(figure):
        return [(figure.add_subplot().scatter(1, 1), '<b>"&\x1b]\ntwo')]

    drawing = draw("k", "t", "c", (2, 2), paint, description="d")
    assert told(drawing) == ['<b>"&?]\ntwo']
    assert "<b>" not in drawing.svg.decode()
    assert re.search(r'id="k-mark-0" class="mark" role="img" tabindex="0">', drawing.inline)


def test_a_figure_without_marks_is_one_image() -> None:
    drawing = draw("k", "t", "c", (2, 2), lambda figure: None, description="d")
    assert '<svg role="img" aria-label="d"' in drawing.inline
    assert "tabindex" not in drawing.inline
