"""The sentences at the top of the page."""

from __future__ import annotations

import dataclasses

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.summary import findings, warnings
from flawspot.runtime.manifest import Part

from .conftest import cell, record


def run(f1: float, macs: int = 1_000_000, **changes: object) -> Record:
    """A done run with an F1 and a cost."""
    return record(cell(**changes), metrics={"pixel_f1_max": f1}, parts=(Part("all", 2**20, macs),))


def test_the_summary_knows_the_best_of_all_layers() -> None:
    records = [run(0.5), run(0.6, layers="low"), run(0.9, layers="high", random_weights=True)]
    (sentence,) = findings(Results(records))
    assert sentence.startswith(
        "MVTec AD (bottle, 1 seed): the best pixel F1 is 0.600, of MobileNetV2 · PatchCore · low"
    )


def test_only_detectors_with_the_most_seeds_compete() -> None:
    records = [run(f1, seed=seed) for seed, f1 in enumerate((0.6, 0.7, 0.8))]
    records += [run(0.9, method="padim"), run(0.69, 10, method="cfa")]
    (sentence,) = findings(Results(records))
    assert sentence == (
        "MVTec AD (bottle, 3 seeds): the best pixel F1 is 0.700, of MobileNetV2 · PatchCore · equiv (1.00 MMAC, 1.00 "
        "MiB). Not compared here: 2 detectors with fewer seeds."
    )
    # A mean has as many seeds as the category with the fewest.
    records += [run(0.6, category="screw", seed=0), run(0.9, category="screw", method="padim")]
    sentence = findings(Results(records))[0]
    assert sentence.startswith("MVTec AD (mean over 2 categories, 1 seed): the best pixel F1 is 0.900")


def test_each_sentence_on_paste_names_what_differs_and_its_seeds() -> None:
    pair = (("stfpm", "equiv"), ("paste", "paste"))
    records = [run(0.5, method=m, layers=layers, seed=seed) for m, layers in pair for seed in (0, 1)]
    records += [run(0.5, method=m, layers=layers, precision="int8") for m, layers in pair]
    said = [sentence for sentence in findings(Results(records)) if sentence.startswith("PaSTe")]
    assert [sentence.partition(":")[0] for sentence in said] == [
        "PaSTe instead of STFPM on MobileNetV2 · float32, MVTec AD (2 seeds)",
        "PaSTe instead of STFPM on MobileNetV2 · int8, MVTec AD (1 seed)",
    ]
    (said,) = [s for s in findings(Results([*records[:2], records[2]])) if s.startswith("PaSTe")]
    assert "MobileNetV2, MVTec AD (2 seeds of STFPM, 1 of PaSTe): pixel F1" in said


def test_warnings_count_one_as_one() -> None:
    lone = record(cell(random_weights=True))
    older = dataclasses.replace(lone, key="older", finished="2023-01-01T00:00:00Z")
    one = warnings(Results([lone, older, record(cell(method="cfa"), FAILED, error="x")]))
    assert [sentence.partition(" random")[0].partition(" of the same")[0][:20] for sentence in one] == [
        "1 run has",
        "1 run gave no figure",
        "1 older run",
    ]
    two = warnings(Results([record(cell(seed=seed, random_weights=True)) for seed in (0, 1)]))
    assert two[0].startswith("2 runs have random weights (MobileNetV2).")
