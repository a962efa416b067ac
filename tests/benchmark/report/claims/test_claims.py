"""Every claim on a made-up store where it is plainly true, on one where it is plainly false, and where it is open."""

from __future__ import annotations

import dataclasses
import json

import pytest

from flawspot.benchmark.record import Cell, Record
from flawspot.benchmark.report.claims.every import claims
from flawspot.benchmark.report.claims.table import claims_table, counted
from flawspot.benchmark.report.claims.verdict import FAILS, HOLDS, OPEN
from flawspot.errors import ConfigurationError, DataError

from ..conftest import AREAS, cell, chance, record
from .conftest import CATEGORIES, Changes, bank, found, keys, noisy, run, store

MIB = 2**20
LARGE = "wide_resnet50_2"


def by_backbone(**levels: float) -> Changes:
    """A pixel F1 for each backbone, .5 for the others."""
    return noisy(lambda of: levels.get(of.backbone, 0.5))


def by_method(**levels: float) -> Changes:
    return noisy(lambda of: levels.get(of.method, 0.5))


def by_layers(**levels: float) -> Changes:
    return noisy(lambda of: levels.get(of.layers, 0.5))


def costs(name: str, factor: int, light: int, **of_methods: int) -> Changes:
    """A cost of `light` times what is said of the method, `factor` times as much on the large network."""

    def changes(of: Cell) -> dict[str, int]:
        size = light * of_methods.get(of.method, 1)
        return {name: size * factor if of.backbone == LARGE else size}

    return changes


def students(name: str, stfpm: int, paste: int, *, but: dict[str, int] | None = None) -> Changes:
    """A cost of STFPM and PaSTe, PaSTe's on some backbones another one."""

    def changes(of: Cell) -> dict[str, int]:
        return {name: (but or {}).get(of.backbone, paste) if of.method == "paste" else stfpm}

    return changes


def three(paste: tuple[int, int, int], *, but: dict[str, tuple[int, int, int]] | None = None) -> Changes:
    """Inference, training computation and training RAM, 100 of each for STFPM."""

    def changes(of: Cell) -> dict[str, int]:
        figures = (but or {}).get(of.backbone, paste) if of.method == "paste" else (100, 100, 100)
        return dict(zip(("paper_macs", "training_macs", "training_ram"), figures, strict=True))

    return changes


def measured(name: str, **of_methods: float) -> Changes:
    return lambda of: {
        "measured": {name: of_methods.get(of.method, 10.0) * (1 + 0.001 * chance(of.category, of.backbone, of.method))},
    }


def stored(bank_of: dict[str, int], images: dict[str, int]) -> Changes:
    """PatchCore's bank and the photographs it was made of."""
    return lambda of: {
        "parts": bank(("backbone", 100, 100), ("memory bank", bank_of.get(of.category, 1000), 5)),
        "training_images": images.get(of.category, 100),
    }


def sizes(**f1: float) -> Changes:
    """Pixel F1 of small defects by layers, with a little noise."""

    def changes(of: Cell) -> dict[str, tuple[dict[str, float], ...]]:
        figure = f1.get(of.layers, 0.1) + 0.001 * chance(of.category, of.backbone, of.method, of.layers)
        band = {"smallest": 2, "largest": 10, "regions": 20, "found": 1, "recall": 0.05, "f1_max": figure}
        return {"defect_sizes": (band,)}

    return changes


def parts(**macs: int) -> Changes:
    return lambda of: {"parts": bank(("all", macs.get(of.method, 100), macs.get(of.method, 100)))}


def area_slope(sign: float) -> Changes:
    return noisy(lambda of: 0.4 + sign * 0.002 * AREAS[of.category])


CASES: dict[str, tuple[Changes, Changes]] = {  # where it holds, where it does not
    "light-loses-little": (by_backbone(mobilenet_v2=0.47), by_backbone(mobilenet_v2=0.40)),
    "stfpm-loses-nothing": (by_backbone(mobilenet_v2=0.495), by_backbone(mobilenet_v2=0.48)),
    "light-memory": (costs("paper_bytes", 80, 1000), costs("paper_bytes", 20, 1000)),
    "light-inference": (costs("paper_macs", 230, 1000), costs("paper_macs", 100, 1000)),
    "light-similar": (by_backbone(phinet=0.52, mcunet_in3=0.47), by_backbone(phinet=0.6)),
    "micronet-too-small": (by_backbone(micronet_m1=0.3), by_backbone(micronet_m1=0.48)),
    "cfa-leads": (by_method(cfa=0.6), by_method(cfa=0.4)),
    "padim-last": (by_method(padim=0.4), by_method(padim=0.6)),
    "paste-as-patchcore": (by_method(paste=0.5), by_method(paste=0.45)),
    "cfa-stfpm-lightest": (
        costs("paper_bytes", 1, 1000, patchcore=5, padim=8),
        costs("paper_bytes", 1, 1000, patchcore=5, padim=8, cfa=9),
    ),
    "cfa-stfpm-lightest-as-stored": (parts(patchcore=500, padim=400), parts(patchcore=500, padim=90)),
    "bank-grows": (
        stored({"bottle": 2000, "tile": 3000}, {"bottle": 200, "tile": 300}),
        stored({}, {"bottle": 200, "tile": 300}),
    ),
    "stfpm-faster-than-cfa": (costs("paper_macs", 1, 1000, cfa=6), costs("paper_macs", 1, 1000, cfa=5)),
    "stfpm-faster-than-cfa-as-computed": (parts(cfa=600), parts(cfa=130)),
    "stfpm-faster-than-cfa-as-measured": (measured("latency_ms", cfa=61.0), measured("latency_ms", cfa=20.0)),
    "groups-similar": (by_layers(low=0.47, high=0.52), by_layers(high=0.4)),
    "larger-easier": (area_slope(1.0), area_slope(-1.0)),
    "low-for-small-categories": (by_layers(low=0.6), by_layers(low=0.6, high=0.7)),
    "low-for-small-defects": (sizes(low=0.2), sizes(mid=0.2)),
    "equiv-for-small": (by_layers(equiv=0.6), by_layers(equiv=0.6, low=0.7)),
    "equiv-compromise": (by_layers(equiv=0.5, low=0.505, high=0.4), by_layers(low=0.55)),
    "large-for-small": (by_backbone(wide_resnet50_2=0.6), by_backbone(wide_resnet50_2=0.4)),
    "paste-f1": (by_method(paste=0.495), by_method(paste=0.47)),
    "paste-better-on-mobilenet": (by_method(paste=0.52), by_method(paste=0.48)),
    "paste-for-small": (by_method(paste=0.52), by_method(paste=0.48)),
    "paste-inference": (students("paper_macs", 1000, 750), students("paper_macs", 1000, 770)),
    "paste-latency": (measured("latency_ms", paste=7.4), measured("latency_ms", paste=9.0)),
    "paste-memory": (students("paper_bytes", 1000, 961), students("paper_bytes", 1000, 800)),
    "paste-training": (students("training_macs", 1000, 500), students("training_macs", 1000, 700)),
    "paste-training-time": (measured("seconds_fitting", paste=6.0), measured("seconds_fitting", paste=8.0)),
    "paste-training-time-halved": (measured("seconds_fitting", paste=4.0), measured("seconds_fitting", paste=6.0)),
    "paste-training-ram": (students("training_ram", 1000, 238), students("training_ram", 1000, 300)),
    "paste-others": (three((75, 60, 24)), three((75, 60, 24), but={"phinet": (90, 60, 24)})),
    "paste-micronet": (three((75, 60, 24), but={"micronet_m1": (90, 80, 60)}), three((75, 60, 24))),
    "paste-up-to-ram": (students("training_ram", 100, 30, but={"phinet": 13}), students("training_ram", 100, 30)),
    "paste-up-to-computation": (three((75, 60, 24), but={"mcunet_in3": (75, 45, 24)}), three((75, 60, 24))),
}


def test_every_claim_has_a_case() -> None:
    assert list(CASES) == keys()


@pytest.mark.parametrize("key", CASES)
def test_it_holds_where_it_is_true(key: str) -> None:
    claim = found(store(CASES[key][0]), key)
    assert (claim.verdict, claim.reason) == (HOLDS, ""), [part.text for part in claim.parts]
    assert all(part.pairs and part.categories for part in claim.parts)


@pytest.mark.parametrize("key", CASES)
def test_it_does_not_hold_where_it_is_false(key: str) -> None:
    claim = found(store(CASES[key][1]), key)
    assert (claim.verdict, claim.reason) == (FAILS, ""), [part.text for part in claim.parts]


@pytest.mark.parametrize("key", CASES)
def test_it_is_open_where_nothing_was_run_and_says_why(key: str) -> None:
    claim = found([record(cell(method="jury", label="jury"))], key)
    assert claim.verdict == OPEN
    assert claim.reason
    assert all(part.mean is None and part.reason for part in claim.parts)


@pytest.mark.parametrize("key", CASES)
def test_two_categories_are_too_few_for_what_is_measured(key: str) -> None:
    claim = found(store(CASES[key][0], ("screw", "grid")), key)
    measured_ones = [part for part in claim.parts if not part.counted]
    assert all(part.verdict == OPEN and "are needed" in part.reason for part in measured_ones)
    if measured_ones:
        assert claim.verdict == OPEN


@pytest.mark.parametrize("key", ["paste-f1", "light-loses-little", "equiv-compromise", "low-for-small-categories"])
def test_where_categories_disagree_the_interval_decides_nothing(key: str) -> None:
    records = store(noisy(lambda of: 0.5, noise=0.45))
    claim = found(records, key)
    assert claim.verdict == OPEN
    assert claim.reason.startswith("the interval lies on both sides of")


def test_without_the_large_network_only_what_is_said_of_it_is_open() -> None:
    records = [one for one in store(by_backbone(micronet_m1=0.3)) if one.cell.backbone != LARGE]
    for key in ("light-loses-little", "stfpm-loses-nothing", "light-memory", "large-for-small"):
        claim = found(records, key)
        assert claim.verdict == OPEN
        assert claim.reason.startswith("WideResNet50")
        assert "not run" in claim.reason
    assert found(records, "micronet-too-small").verdict == HOLDS


def test_a_claim_on_every_category_is_not_decided_by_small_ones_alone() -> None:
    low_wins_on_small = noisy(lambda of: 0.7 if of.layers == "low" and AREAS[of.category] <= 10 else 0.5)
    records = store(low_wins_on_small)
    assert found(records, "low-for-small-categories").verdict == HOLDS
    assert {c for _, c in found(records, "low-for-small-categories").parts[0].categories} == set(CATEGORIES[:4])
    large = [one for one in records if AREAS[one.cell.category] > 10]
    assert found(large, "low-for-small-categories").reason.endswith("the smallest are those of bottle, 61 ‰")


def test_a_data_set_may_be_looked_at_alone() -> None:
    records = [*store(by_method(paste=0.52)), run(cell(data="demo", method="padim"), 0.1)]
    assert [one.key for one in claims(records, ["mvtec_ad"])] == list(CASES)
    (other,) = [one for one in claims(records, ["demo"]) if one.key == "paste-f1"]
    assert other.verdict == OPEN
    with pytest.raises(ConfigurationError, match="no run is of a data set 'btad': there are demo, mvtec_ad"):
        claims(records, ["btad"])
    with pytest.raises(DataError, match="benchmark run"):
        claims([])


def test_the_table_names_rule_categories_and_verdict() -> None:
    def changes(of: Cell) -> dict[str, object]:
        return {**by_method(paste=0.52)(of), **measured("latency_ms")(of)}

    every = claims(store(changes))
    table = claims_table(every)
    rows = {row[0].text: row for row in table.rows}
    row = rows["PaSTe is as accurate as STFPM"]
    assert row[2].text == HOLDS
    assert row[1].text.startswith("PaSTe − STFPM, pixel F1, light networks: +0.020 (95 % interval +0.0")
    assert row[1].text.endswith("; 24 pairs, 6 categories")
    assert table.notes[row[1].note - 1] == "categories: MVTec AD: bottle, capsule, grid, leather, screw, tile"
    unknown = rows["STFPM's inference is around six times smaller than CFA's (as measured latency)"]
    assert unknown[2].text == FAILS
    text = table.markdown()
    assert "| PaSTe is as accurate as STFPM | PaSTe − STFPM, pixel F1, light networks: +0.020 (95 %" in text
    assert counted(every).startswith("holds: ")
    assert sum(int(part.rsplit(" ", 1)[1]) for part in counted(every).split(", ")) == len(every)
    several = next(line for line in text.splitlines() if line.startswith("| MCUNet and PhiNet are about"))
    assert several.count("<br>") == 1
    records = [one for one in store(CASES["light-similar"][1]) if one.cell.backbone != "mcunet_in3"]
    (first, second) = claims_table([found(records, "light-similar")]).rows[0][1].text.split("\n")
    assert first == "MCUNet − MobileNetV2, pixel F1, all methods: – (MCUNet (all methods): not run)"
    assert second.startswith("PhiNet − MobileNetV2, pixel F1, all methods: +0.1")
    json.dumps([claim.as_dict() for claim in every], allow_nan=False)


def test_what_cancels_out_on_average_does_not_hold() -> None:
    def opposite(of: Cell) -> float:
        return {"patchcore": 0.4, "stfpm": -0.4}.get(of.method, 0.0) * (0.5 if of.backbone == LARGE else -0.5) + 0.5

    claim = found(store(noisy(opposite)), "light-loses-little")
    assert claim.verdict == OPEN
    assert claim.reason == "it holds on average, but not for MobileNetV2 · PatchCore · equiv (−0.400)"
    layers = noisy(lambda of: 0.5 + {"phinet": 0.3, "mcunet_in3": -0.3}.get(of.backbone, 0.0) * (of.layers == "low"))
    assert found(store(layers), "groups-similar").verdict == OPEN


def test_one_product_under_several_names_is_one_category() -> None:
    records = [dataclasses.replace(one, data_fingerprint="the same") for one in store(by_method(paste=0.6))]
    claim = found(records, "paste-f1")
    assert claim.verdict == OPEN
    assert claim.reason == "too few categories for an interval (screw): 3 are needed"


def test_a_slope_without_uncertainty_decides_nothing() -> None:
    def of(area: float, f1: float, category: str) -> Record:
        made = run(cell(category=category), f1)
        return dataclasses.replace(made, metrics={**made.metrics, "defective_pixels": int(area * 63 * 224 * 224)})

    names = CATEGORIES[:4]
    same = [of(0.01 * 2**k, 0.5, name) for k, name in enumerate(names)]
    assert found(same, "larger-easier").reason.startswith("the figures lie on a line")
    alike = [of(0.01, 0.1 * k, name) for k, name in enumerate(names)]
    assert found(alike, "larger-easier").reason == "the defects of all categories have the same mean area"


def test_a_bank_grows_between_categories_not_within_one() -> None:
    def bank_of(size: int, images: int, **changes: object) -> Record:
        return run(cell(**changes), parts=bank(("memory bank", size, 1)), training_images=images)

    same = [bank_of(1000, 100), bank_of(2000, 200, seed=1)]
    assert found(same, "bank-grows").reason.startswith("no two categories with different numbers of photographs")
    differ = [*same[:1], bank_of(4000, 200, category="tile"), bank_of(1000, 200, category="tile", seed=1)]
    assert found(differ, "bank-grows").reason == "the runs differ"


def test_older_runs_and_failures_are_no_figures() -> None:
    records = store(by_method(paste=0.52))
    old = [run(one.cell, 0.1, key=f"old {one.key}", finished="2023-01-01T00:00:00Z") for one in records]
    assert [c.as_dict() for c in claims(records + old)] == [c.as_dict() for c in claims(records)]
