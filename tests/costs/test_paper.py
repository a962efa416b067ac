"""Tables 2 and 3 of the PaSTe paper, reproduced where they can be derived."""

import pytest

from flawspot.costs.paper import Figure, reproduce
from flawspot.costs.tables import paper_tables

FIGURES = reproduce()


def named(figure: Figure) -> str:
    return f"{figure.table}-{figure.backbone}-{figure.method}-{figure.quantity}"


def test_every_figure_of_both_tables_is_there() -> None:
    tables = paper_tables()
    assert "2410.11591" in tables["source"]
    assert len([f for f in FIGURES if f.table == 3]) == 2 * (4 + 5)
    assert len([f for f in FIGURES if f.table == 2]) == 2 * 3


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.quantity == "memory_mb"], ids=named)
def test_memory(figure: Figure) -> None:
    assert abs(figure.difference) <= (1.0 if figure.method == "cfa" else 0.5)


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.quantity == "training_ram_mb"], ids=named)
def test_training_ram(figure: Figure) -> None:
    assert abs(figure.difference) <= 0.5


@pytest.mark.parametrize(
    "figure",
    [f for f in FIGURES if f.quantity == "inference_mmac" and f.method in ("stfpm", "paste")],
    ids=named,
)
def test_macs_of_students_and_teachers(figure: Figure) -> None:
    assert abs(figure.difference) <= 1.5


def test_patchcore_with_its_search() -> None:
    (figure,) = (
        f for f in FIGURES if (f.backbone, f.method, f.quantity) == ("mobilenet_v2", "patchcore", "inference_mmac")
    )
    assert figure.honest == pytest.approx(225.5 + 23_300, rel=0.01)


def test_what_is_shared_is_counted_once() -> None:
    by_method = {f.method: f.computed for f in FIGURES if f.table == 2 and f.quantity == "memory_mb"}
    assert by_method["paste"] == pytest.approx((697_792 + 642_304) * 4 / 2**20)
    assert by_method["stfpm"] == pytest.approx(2 * 697_792 * 4 / 2**20)
