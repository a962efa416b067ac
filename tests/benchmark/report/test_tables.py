"""What the tables say."""

from __future__ import annotations

import dataclasses

import pytest

from flawspot.benchmark.record import FAILED, MISSING
from flawspot.benchmark.report.detector_tables import categories_table, detectors, seeds
from flawspot.benchmark.report.paper_comparison import beside_the_paper, paper_table
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.run_tables import gaps_table, older_table, runs_table, sources_table
from flawspot.benchmark.report.size_analysis import bands, defects, size_figures, size_table
from flawspot.benchmark.report.tables import DASH, three_digits
from flawspot.costs.tables import paper_tables

from .conftest import AREAS, cell, find, paper_grid, record


@pytest.mark.parametrize("number", [2, 3])
def test_the_papers_tables_hold_every_published_figure(number: int) -> None:
    table = paper_table(Results(paper_grid(1)), number)
    published = paper_tables()[f"table{number}"]
    figures = [
        value
        for methods in published.values()
        for columns in methods.values()
        for name, value in columns.items()
        if name not in ("layers", "shared_up_to")
    ]
    assert sorted(float(row[3].value or 0) for row in table.rows) == sorted(map(float, figures))


def test_a_difference_is_formed_over_all_categories_only() -> None:
    whole = paper_table(Results(paper_grid(1)), 2)
    row = find(whole, "MobileNetV2", "PaSTe", "pixel F1")
    assert row["paper"] == "0.53"
    assert float(row["difference"].replace("−", "-")) == pytest.approx(float(row["ours"]) - 0.53, abs=6e-4)
    part = paper_table(Results(paper_grid(1, ("bottle", "screw"))), 2)
    row = find(part, "MobileNetV2", "PaSTe", "pixel F1")
    assert row["ours"] != DASH
    assert row["difference"] == DASH
    assert part.notes == ["mean over 2 of the 15 categories: no difference is formed"]
    # Costs do not hang on the categories.
    row = find(part, "MobileNetV2", "PaSTe", "training RAM, MiB")
    assert row["difference"].endswith(" %")


def test_only_what_was_run_stands_beside_the_paper() -> None:
    run, failed = record(cell()), record(cell(backbone="wide_resnet50_2", method="padim"), FAILED, error="no memory")
    (table,), note = beside_the_paper(Results([run, failed]))
    assert {(row[0].text, row[1].text) for row in table.rows} == {
        ("MobileNetV2", "PatchCore"), ("WideResNet50", "PaDiM"),
    }  # fmt: skip
    assert note == (
        "Not run, and left out: MobileNetV2 with STFPM, PaSTe, PaDiM, CFA; WideResNet50 with PatchCore, CFA, STFPM."
    )
    row = find(table, "WideResNet50", "PaDiM", "memory, MiB")
    assert (row["paper"], row["ours"], row["difference"]) == ("3,720", DASH, DASH)
    assert "failed: no memory" in table.notes
    # On other photographs costs can be compared, accuracy cannot.
    (table,), _ = beside_the_paper(Results([record(cell(data="my parts"))]))
    assert [row[2].text for row in table.rows] == ["memory, MiB", "inference, MMAC"]


def test_a_backbone_that_was_not_run_has_no_rows_but_a_name() -> None:
    missing = [
        record(cell(backbone="wide_resnet50_2", method=method, category=category), MISSING, error="no weights")
        for method in ("patchcore", "padim", "cfa", "stfpm")
        for category in ("bottle", "screw")
    ]
    methods = {"patchcore": "equiv", "padim": "equiv", "cfa": "equiv", "stfpm": "equiv", "paste": "paste"}
    ran = [record(cell(method=method, layers=layers)) for method, layers in methods.items()]
    tables, note = beside_the_paper(Results(ran + missing))
    assert {row[0].text for table in tables for row in table.rows} == {"MobileNetV2"}
    assert note == "Not run, and left out: WideResNet50."
    assert "not run" not in [text for table in tables for text in table.notes]


def test_other_settings_are_not_compared_with_the_papers() -> None:
    diagonal = record(cell(method="padim", label="PaDiM, diagonal", settings={"covariance": "diagonal"}))
    small = record(cell(settings={"bank_size": 1000}))
    tables, note = beside_the_paper(Results([diagonal, small]))
    assert tables == []
    assert note == (
        "None of the detectors of the paper's tables was run with its settings. Not compared, because the settings are "
        "not the paper's: PatchCore on MobileNetV2 (bank_size=1000); PaDiM, diagonal on MobileNetV2 "
        "(covariance=diagonal)."
    )
    # Of one name, the runs with the paper's settings are.
    mixed = [record(cell(category="bottle")), record(cell(category="screw", settings={"bank_size": 1000}))]
    (table,), note = beside_the_paper(Results(mixed))
    assert note.endswith("the settings are not the paper's: PatchCore on MobileNetV2 (bank_size=1000).")
    row = find(table, "MobileNetV2", "PatchCore", "pixel F1")
    assert float(row["ours"]) == pytest.approx(mixed[0].metrics["pixel_f1_max"], abs=5e-4)
    nothing, note = beside_the_paper(Results([record(cell(layers="low", backbone="phinet"))]))
    assert (nothing, note) == ([], "None of the detectors of the paper's tables was run with its settings.")


def test_random_weights_are_not_compared_with_the_paper() -> None:
    records = [record(cell(category=category, random_weights=True)) for category in AREAS]
    table = paper_table(Results(records), 3)
    row = find(table, "MobileNetV2 (random weights)", "PatchCore", "pixel F1")
    assert row["difference"] == DASH
    assert row["ours"] != DASH


def test_detectors_with_all_figures() -> None:
    table = detectors(Results(paper_grid(2, ("bottle", "screw", "grid"))), "mvtec_ad")
    row = find(table, "MobileNetV2", "PatchCore", "equiv")
    assert row["memory"] == "31.1"
    # A mean over fewer categories has a footnote, and is not the best of its column.
    for line in table.rows:
        if line[0].text == "MCUNet":
            assert line[4].note is not None
            assert not line[4].strong
    assert row["seeds"] == "2"
    assert any("2 of 3 categories, not to be compared; lacks grid" in note for note in table.notes)
    low = find(table, "MicroNet", "PatchCore", "low")
    assert (low["seeds"], set(list(low.values())[4:])) == ("0", {DASH})


def test_the_best_is_marked_among_the_detectors_with_the_most_seeds() -> None:
    twice = [record(cell(seed=seed), metrics={"pixel_f1_max": 0.5}) for seed in (0, 1)]
    twice += [record(cell(method="padim", seed=seed), metrics={"pixel_f1_max": 0.4}) for seed in (0, 1)]
    once = record(cell(method="cfa"), metrics={"pixel_f1_max": 0.9})
    rows = detectors(Results([*twice, once]), "mvtec_ad").rows
    assert {row[1].text: (row[3].text, row[4].strong) for row in rows} == {
        "PatchCore": ("2", True), "PaDiM": ("2", False), "CFA": ("1", False),
    }  # fmt: skip


def test_costs_are_medians_over_the_runs() -> None:
    times = [record(cell(seed=seed), measured={"training_seconds": one}) for seed, one in enumerate((10.0, 20.0))]
    assert find(detectors(Results(times), "mvtec_ad"), "MobileNetV2", "PatchCore")["training"] == "15.0"


def test_detectors_of_other_settings_have_rows_of_their_own() -> None:
    plain = record(cell(settings={}), metrics={"pixel_f1_max": 0.7})
    small = record(cell(settings={"bank_size": 100}), metrics={"pixel_f1_max": 0.5})
    other = record(cell(settings={}, backbone="phinet"), metrics={"pixel_f1_max": 0.6})
    rows = detectors(Results([plain, small, other]), "mvtec_ad").rows
    assert [(row[0].text, row[0].detail, row[4].text) for row in rows] == [
        ("MobileNetV2", "settings left at their defaults", "0.700"),
        ("MobileNetV2", "bank_size=100", "0.500"),
        ("PhiNet", "", "0.600"),
    ]


def test_figures_at_the_masks_own_size_have_columns_where_they_were_measured() -> None:
    plain = record(cell())
    assert not [column for column in detectors(Results([plain]), "mvtec_ad").columns if "mask size" in column.heading]
    both = dataclasses.replace(plain, metrics={**plain.metrics, "mask_size_pixel_f1_max": 0.321})
    table = detectors(Results([both]), "mvtec_ad")
    assert [column.heading for column in table.columns if "mask size" in column.heading] == ["pixel F1, mask size"]
    (row,) = table.rows
    assert row[-1].text == "0.321"


def test_categories_with_their_mean() -> None:
    results = Results(paper_grid(2, ("bottle", "screw")))
    table = categories_table(results, "mvtec_ad", "pixel_f1_max", "pixel F1")
    assert [column.heading for column in table.columns[3:]] == ["screw", "bottle", "mean"]
    row = find(table, "MobileNetV2", "CFA", "low")
    assert float(row["mean"]) == pytest.approx((float(row["screw"]) + float(row["bottle"])) / 2, abs=1e-3)


def test_one_seed_has_no_deviation() -> None:
    table = seeds(Results([record(cell())]), "mvtec_ad")
    assert table.notes == ["one seed: no deviation", "one seed of one category: nothing to resample"]


def test_recall_is_pooled_over_categories_and_f1_is_a_mean() -> None:
    def sizes(regions: int, found: int, f1: float | None) -> tuple[dict, ...]:
        return ({"smallest": 0, "largest": 2, "regions": regions, "found": found, "recall": None, "f1_max": f1},)

    records = [
        record(cell(category="a"), defect_sizes=sizes(10, 1, 0.2)),
        record(cell(category="b"), defect_sizes=sizes(30, 29, 0.8)),
        record(cell(category="c"), defect_sizes=sizes(0, 0, None)),
    ]
    results = Results(records)
    figures = size_figures(results, "mvtec_ad", results.setups("mvtec_ad")[0])[(0, 2)]
    assert (figures.recall, figures.f1_max, figures.regions) == (0.75, 0.5, 40)
    assert bands(results, "mvtec_ad") == [(0, 2)]
    assert defects(results, "mvtec_ad", (0, 2)) == 40
    again = [dataclasses.replace(r, cell=dataclasses.replace(r.cell, seed=1)) for r in records]
    assert defects(Results(records + again), "mvtec_ad", (0, 2)) == 40, "the same defects with another seed"
    table = size_table(results, "mvtec_ad")
    assert table is not None
    assert find(table, "MobileNetV2")["recall 0–2"] == "0.750"
    assert size_table(Results([record(cell(), defect_sizes=())]), "mvtec_ad") is None


def test_gaps_are_listed_by_reason() -> None:
    records = [record(cell(seed=seed), MISSING, error="no weights") for seed in range(3)]
    records.append(record(cell(seed=9), FAILED, error="disk full"))
    table = gaps_table(records)
    assert table is not None
    assert [[entry.text for entry in row][:3] for row in table.rows] == [
        ["failed", "disk full", "1"],
        ["missing", "no weights", "3"],
    ]
    assert gaps_table([record(cell())]) is None


def test_older_runs_are_listed_with_what_has_changed() -> None:
    new = record(cell())
    other = {"finished": "2023-01-01T00:00:00Z"}
    old = [
        dataclasses.replace(new, key="a", code_version="0.0.9", **other),
        dataclasses.replace(new, key="b", weights_sha256="x", data_fingerprint="y", **other),
        dataclasses.replace(new, key="c", status=FAILED, error="x"),
    ]
    results = Results([*old, new])
    table = older_table(results.records, results.older)
    assert table is not None
    assert [find(table, key)["which has"] for key in "abc"] == [
        "other code", "other data, other weights", "been run again",
    ]  # fmt: skip
    assert find(table, "a")["replaced by"] == new.key[:12]
    assert older_table([new], []) is None


def test_sources_are_numbered_and_counted() -> None:
    one = record(cell())
    other = dataclasses.replace(record(cell(seed=1)), code_version="0.2.0")
    table = sources_table([one, other])
    assert find(table, "W1")["runs"] == "2"
    assert find(table, "C2")["what"] == "0.2.0"
    assert [row[10].text for row in runs_table([one, other]).rows] == ["W1 D1 C1 V1 M1", "W1 D1 C2 V1 M1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5320.4, "5,320"),
        (341.2, "341"),
        (22.94, "22.9"),
        (5.114, "5.11"),
        (0.0031, "0.0031"),
        (0.0, "0"),
        (-4.5, "-4.50"),
    ],
)
def test_amounts_have_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_a_table_as_markdown() -> None:
    text = categories_table(Results([record(cell())]), "mvtec_ad", "pixel_f1_max", "pixel F1").markdown()
    lines = text.splitlines()
    assert lines[0] == "### Pixel F1 by category, MVTec AD"
    assert lines[4].startswith("| backbone | method | layers | bottle (61.0 ‰) |")
    assert lines[5] == "|:--|:--|:--|--:|"
    assert lines[6].startswith("| MobileNetV2 | PatchCore | equiv | 0.5")
