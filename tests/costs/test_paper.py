"""Tables 2 and 3 of the PaSTe paper, reproduced where they can be derived."""

import dataclasses

import pytest

from flawspot.costs.paper import Figure, of_paper, reproduce
from flawspot.costs.tables import paper_tables
from flawspot.runtime.manifest import Manifest

FIGURES = reproduce()


def named(figure: Figure) -> str:
    return f"{figure.table}-{figure.backbone}-{figure.method}-{figure.quantity}"


def test_every_figure_of_both_tables_is_there() -> None:
    tables = paper_tables()
    assert "2410.11591" in tables["source"]
    assert len([f for f in FIGURES if f.table == 3]) == 2 * (4 + 5)
    assert len([f for f in FIGURES if f.table == 2]) == 2 * 4


def test_what_could_not_be_derived_is_left_open() -> None:
    assert {f.quantity for f in FIGURES if f.computed is None} == {"training_mmac"}
    assert all(f.honest > 0 for f in FIGURES)


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.quantity == "memory_mb"], ids=named)
def test_memory(figure: Figure) -> None:
    assert figure.difference is not None
    assert abs(figure.difference) <= (1.0 if figure.method == "cfa" else 0.5)


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.quantity == "training_ram_mb"], ids=named)
def test_training_ram(figure: Figure) -> None:
    assert figure.difference is not None
    assert abs(figure.difference) <= 0.5


@pytest.mark.parametrize(
    "figure",
    [f for f in FIGURES if f.quantity == "inference_mmac" and f.method in ("stfpm", "paste")],
    ids=named,
)
def test_macs_of_students_and_teachers(figure: Figure) -> None:
    assert figure.difference is not None
    assert abs(figure.difference) <= 1.5


def test_patchcore_with_its_search() -> None:
    (figure,) = (
        f for f in FIGURES if (f.backbone, f.method, f.quantity) == ("mobilenet_v2", "patchcore", "inference_mmac")
    )
    assert figure.honest == pytest.approx(225.5 + 23_300, rel=0.01)


@pytest.mark.slow
def test_what_a_trained_detector_counted_stands_beside() -> None:
    counted = reproduce({("mobilenet_v2", "patchcore"): 1_500_000_000})
    assert [f.counted for f in counted if f.counted is not None] == [1500.0]


def test_only_detectors_of_the_table_may_stand_there(tiny_manifest: Manifest) -> None:
    backbone = dataclasses.replace(tiny_manifest.backbone, taps=(3, 8, 14))
    bank = {"bank_size": 30_000, "reweight": False}
    patchcore = dataclasses.replace(
        tiny_manifest, method="patchcore", backbone=backbone, input_size=224, hyperparameters=bank
    )
    assert of_paper(patchcore)
    assert not of_paper(dataclasses.replace(patchcore, hyperparameters={"bank_size": 10_000}))
    assert not of_paper(dataclasses.replace(patchcore, input_size=176))
    assert not of_paper(dataclasses.replace(patchcore, backbone=tiny_manifest.backbone))
    assert not of_paper(dataclasses.replace(patchcore, hyperparameters={**bank, "quantization": "product"}))
    assert not of_paper(dataclasses.replace(patchcore, method="padim"))


def test_what_is_shared_is_counted_once() -> None:
    by_method = {f.method: f.computed for f in FIGURES if f.table == 2 and f.quantity == "memory_mb"}
    assert by_method["paste"] == pytest.approx((697_792 + 642_304) * 4 / 2**20)
    assert by_method["stfpm"] == pytest.approx(2 * 697_792 * 4 / 2**20)
