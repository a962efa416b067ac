"""Which runs are compared, and how many figures come of them."""

from __future__ import annotations

import dataclasses

import pytest

from flawspot.benchmark.record import MISSING, Record
from flawspot.benchmark.report.claims.pairing import (
    DIFFERENCE,
    SAVED,
    TIMES,
    Comparison,
    Quantity,
    but_layers,
    but_method,
    but_network,
    compared,
    small,
)
from flawspot.benchmark.report.claims.subjects import (
    F1,
    FITTING,
    LARGE,
    LATENCY,
    LIGHT,
    MOBILENET,
    PAPER_MEMORY,
    PASTE,
    SMALL_F1,
    STFPM,
    TRAINING_RAM,
    group,
    recipe,
)
from flawspot.benchmark.report.claims.verdict import Evidence, Wanted, claim, judged
from flawspot.benchmark.report.results import Results
from flawspot.methods.registry import methods
from flawspot.methods.settings import hyperparameters_of

from ..conftest import cell, record
from .conftest import run

PASTE_CELL = {"method": "paste", "layers": "paste"}


def pastes(*records: Record, quantity: Quantity = F1, **changes: object) -> Evidence:
    comparison = Comparison(PASTE, STFPM, LIGHT, quantity, but_method)
    return compared(Results(records), dataclasses.replace(comparison, **changes))


def pair(stfpm: float, paste: float, **changes: object) -> list[Record]:
    """A run of each method, all else alike."""
    return [run(cell(method="stfpm", **changes), stfpm), run(cell(**PASTE_CELL | changes), paste)]


def test_seeds_are_averaged_within_a_category_first_then_detectors() -> None:
    records = [
        *pair(0.5, 0.6, category="a", seed=0),
        *pair(0.5, 0.8, category="a", seed=1),
        *pair(0.5, 0.4, category="a", backbone="phinet"),
        *pair(0.5, 0.9, category="b", precision="int8"),
    ]
    found = pastes(*records)
    assert found.figures == {
        ("mvtec_ad", "a"): pytest.approx(((0.1 + 0.3) / 2 - 0.1) / 2), ("mvtec_ad", "b"): pytest.approx(0.4),
    }  # fmt: skip
    assert found.pairs == 4
    assert found.what == "PaSTe − STFPM, pixel F1, light networks"


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"precision": "int8"}, {"input_size": 176}, {"backbone": "phinet"}, {"category": "screw"},
               {"data": "btad"}, {"normalization": "paper"}],
)  # fmt: skip
def test_runs_that_differ_in_anything_else_are_no_pair(change: dict) -> None:
    found = pastes(pair(0.5, 0.6)[0], pair(0.5, 0.6, **change)[1])
    assert (found.figures, found.pairs) == ({}, 0)
    assert found.reason == "PaSTe − STFPM, pixel F1, light networks: no two runs that differ in nothing else"


@pytest.mark.parametrize(
    "change", [{"random_weights": True}, {"label": "PaSTe, quick"}, {"tolerate": "turning 5"}]
)  # fmt: skip
def test_variants_and_untrained_networks_are_not_compared(change: dict) -> None:
    found = pastes(*pair(0.5, 0.6, **change))
    assert found.figures == {}
    assert found.reason == "light networks: not run but as a variant or with random weights"
    assert bool(pastes(*pair(0.5, 0.6, random_weights=True), quantity=PAPER_MEMORY).figures), "costs need no weights"


@pytest.mark.parametrize("change", ["data_fingerprint", "weights_sha256", "code_version"])
def test_runs_of_other_photographs_weights_or_code_are_no_pair(change: str) -> None:
    stfpm, paste = pair(0.5, 0.6)
    assert pastes(stfpm, dataclasses.replace(paste, **{change: "another"})).figures == {}


def test_other_settings_make_a_variant_without_a_label() -> None:
    stfpm, paste = pair(0.5, 0.6)
    brief = run(cell(method="stfpm", settings={"recipe": "paper", "epochs": 1}), 0.1)
    assert pastes(brief, paste).figures == {}
    assert pastes(stfpm, brief, paste).figures == {("mvtec_ad", "bottle"): pytest.approx(0.1)}
    # Of one method all settings are alike, or the paper's, which differ by backbone.
    comparison = Comparison(MOBILENET, LARGE, group("equiv"), F1, but_network)
    light = run(cell(method="padim"), 0.5)
    assert compared(Results([light, run(cell(method="padim", backbone="wide_resnet50_2"), 0.7)]), comparison).pairs == 1
    own = run(cell(method="padim", backbone="wide_resnet50_2", settings={"channels": 60}), 0.7)
    assert compared(Results([light, own]), comparison).pairs == 0
    student = run(cell(method="stfpm"), 0.5)
    fast = run(cell(method="stfpm", backbone="wide_resnet50_2", settings={"recipe": "fast"}), 0.7)
    assert compared(Results([student, fast]), comparison).pairs == 0


def test_a_stalled_seed_does_not_decide_a_time() -> None:
    records = []
    for seed, seconds in enumerate((5.0, 5.0, 900.0)):
        stfpm, paste = pair(0.5, 0.6, seed=seed)
        paste = dataclasses.replace(paste, cell=cell(**PASTE_CELL, seed=seed))
        records += [
            dataclasses.replace(stfpm, measured={"seconds_fitting": 10.0}),
            dataclasses.replace(paste, measured={"seconds_fitting": seconds}),
        ]
    found = pastes(*records, quantity=FITTING, how=SAVED)
    assert found.figures == {("mvtec_ad", "bottle"): 50.0}


@pytest.mark.parametrize("change", [{"cores": 1}, {"training_threads": 4}])
def test_training_times_are_compared_with_as_many_threads(change: dict) -> None:
    stfpm, paste = (dataclasses.replace(one, measured={"seconds_fitting": 9.0}) for one in pair(0.5, 0.6))
    assert pastes(stfpm, paste, quantity=FITTING).pairs == 1
    other = dataclasses.replace(paste, machine={**paste.machine, **change})
    assert pastes(stfpm, other, quantity=FITTING).pairs == 0


def test_what_was_done_to_photographs_is_looked_at_elsewhere() -> None:
    noisy = pair(0.5, 0.6, corruption="noise", severity=2)
    few = pair(0.5, 0.6, shots=5)
    assert pastes(*noisy, *few).figures == {}


def test_why_there_is_nothing_is_told() -> None:
    missing = record(cell(**PASTE_CELL), MISSING, error="no weights: pull them")
    stfpm = run(cell(method="stfpm"), 0.5)
    assert pastes(stfpm).reason == "PaSTe (light networks): not run"
    assert pastes(stfpm, missing).reason == "PaSTe (light networks): missing: no weights: pull them"
    assert pastes(run(cell(backbone="wide_resnet50_2"))).reason == "light networks: not run"
    assert pastes(run(cell(method="padim")), quantity=TRAINING_RAM).reason == "STFPM (light networks): not run"
    blank = dataclasses.replace(stfpm, paper_bytes=None)
    found = pastes(blank, run(cell(**PASTE_CELL)), quantity=PAPER_MEMORY)
    assert found.reason == "STFPM (light networks): memory as the paper counts it is not known there"
    found = pastes(*pair(0.5, 0.6), only=small(Results(pair(0.5, 0.6))))
    assert found.reason == (
        "no category whose defects cover at most 10 ‰ of the photograph was run: the smallest are those of bottle, 61 ‰"
    )


def test_two_figures_become_one() -> None:
    assert DIFFERENCE.figure(0.6, 0.5) == pytest.approx(0.1)
    assert SAVED.figure(30.0, 40.0) == 25.0
    assert TIMES.figure(40.0, 10.0) == 4.0
    records = pair(0.5, 0.6)
    records[0] = dataclasses.replace(records[0], paper_bytes=0)
    assert pastes(*records, quantity=PAPER_MEMORY, how=SAVED).figures == {}, "nothing is saved of nothing"


def test_times_are_compared_on_one_machine_with_as_many_threads() -> None:
    one, other = pair(0.5, 0.6)
    assert pastes(one, other, quantity=LATENCY).pairs == 1
    elsewhere = dataclasses.replace(other, machine={"host_hash": "another"})
    threads = dataclasses.replace(other, measured={**other.measured, "latency_threads": 2})
    for changed in (elsewhere, threads):
        found = pastes(one, changed, quantity=LATENCY)
        assert found.reason == "no two latencies were measured on one machine with as many threads"


def test_training_times_are_compared_by_one_recipe_and_where_there_was_a_training() -> None:
    def fits(settings: dict, paste_settings: dict, trained: bool = True) -> int:
        one = run(cell(method="stfpm", settings=settings), measured={"seconds_fitting": 9.0})
        other = run(cell(**PASTE_CELL, settings=paste_settings), measured={"seconds_fitting": 3.0}, trained=trained)
        return pastes(one, other, quantity=FITTING, how=SAVED).pairs

    assert fits({"recipe": "paper"}, {"recipe": "paper"}) == 1
    assert fits({}, {}) == 0, "the defaults differ"
    assert fits({}, {"recipe": "paper"}) == 1
    assert fits({"recipe": "paper"}, {"recipe": "paper"}, trained=False) == 0


@pytest.mark.parametrize("method", ["stfpm", "paste"])
def test_the_default_recipes_are_those_of_the_methods(method: str) -> None:
    (known,) = [one for one in hyperparameters_of(methods()[method]) if one.name == "recipe"]
    assert recipe(record(cell(method=method, settings={}))) == known.default


def test_layers_and_networks_are_compared_with_all_else_alike() -> None:
    low, equiv = run(cell(layers="low"), 0.4), run(cell(), 0.5)
    other_method = run(cell(layers="low", method="padim"), 0.1)
    comparison = Comparison(group("equiv"), group("low"), LIGHT, F1, but_layers)
    assert compared(Results([low, equiv, other_method]), comparison).pairs == 1
    large = run(cell(backbone="wide_resnet50_2"), 0.7)
    wide = dataclasses.replace(comparison, first=MOBILENET, alike=but_network)
    wide = dataclasses.replace(wide, second=LIGHT, within=group("equiv"))
    assert compared(Results([equiv, run(cell(backbone="phinet"), 0.3), large]), wide).figures == {
        ("mvtec_ad", "bottle"): pytest.approx((0.0 + 0.2) / 2)
    }


def test_small_defects_count_where_there_are_enough_of_them() -> None:
    def bands(*found: tuple[float, int, float | None]) -> Record:
        sizes = tuple(
            {"smallest": 0, "largest": most, "regions": regions, "found": 0, "recall": 0, "f1_max": f1}
            for most, regions, f1 in found
        )
        return record(cell(), defect_sizes=sizes)

    assert SMALL_F1.value(bands((2, 6, 0.1), (10, 4, 0.3), (50, 99, 0.9))) == pytest.approx(0.2)
    assert SMALL_F1.value(bands((2, 6, 0.1), (10, 3, 0.3))) is None
    assert SMALL_F1.value(bands((2, 0, None), (10, 12, 0.3))) == pytest.approx(0.3)
    assert SMALL_F1.value(record(cell(), defect_sizes=())) is None


def test_costs_of_untrained_networks_are_marked() -> None:
    records = pair(0.5, 0.6)
    assert not pastes(*records, quantity=PAPER_MEMORY).random_weights
    found = pastes(*records, *pair(0.5, 0.6, random_weights=True), quantity=PAPER_MEMORY)
    assert found.random_weights
    (part,) = claim("k", "5", "t", "r", [judged(found, Wanted(least=0.0))]).parts
    assert part.over == "2 pairs, 1 category, random weights"
