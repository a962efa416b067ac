"""Sentences, curves and the page."""

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flawspot.data.samples import ImageFolder
from flawspot.runtime.found_sizes import KINDS, FoundSize, FoundSizes, wrong_in
from flawspot.smallest.curves import curve
from flawspot.smallest.measure import SmallestDefect
from flawspot.smallest.page import write_page
from flawspot.smallest.sentences import about, sentences

WIDTHS = (2, 3, 4, 6)


def figures(*found, contrast=40.0, trials=10):
    sizes = [FoundSize("scratch", 4 * width, width, contrast, n) for width, n in zip(WIDTHS, found, strict=True)]
    return FoundSizes(1.5, trials, 0.9, 7, 0, False, (900, 900), (900, 900), 0, tuple(sizes))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((0, 9, 10, 9), "scratches of 12 x 3 pixels and more, 40 grey levels: 9 of 10 (0.60 to 0.98)"),
        ((9, 8, 10, 9), "scratches of 16 x 4 pixels and more, 40 grey levels: 10 of 10 (0.72 to 1.00)"),
        (
            (9, 9, 9, 9),
            "scratches of 8 x 2 pixels and more, the smallest tried, 40 grey levels: 9 of 10 (0.60 to 0.98)",
        ),
        (
            (10, 10, 10, 8),
            "scratches, 40 grey levels: no size is found 9 times of 10; the largest tried, 24 x 6 pixels: 8 of 10 "
            "(0.49 to 0.94)",
        ),
    ],
)  # fmt: skip
def test_sentences(found, said):
    """From the smallest size on from which no larger one is missed too often."""
    assert sentences(figures(*found)) == [said]


@pytest.mark.parametrize(
    ("trials", "share", "needed"), [(20, 0.9, 18), (10, 0.9, 9), (10, 0.95, 10), (3, 0.5, 2), (1, 1.0, 1), (7, 0.01, 1)]
)
def test_how_many_make_a_size_count(trials, share, needed):
    assert dataclasses.replace(figures(0, 0, 0, 0), trials=trials, share=share).needed == needed


def test_about():
    said = about(dataclasses.replace(figures(0, 0, 0, 0), false_alarms=2, learned=True, to_size=(4000, 3000)))
    assert "pasted, not real ones" in said
    assert "7 good photographs of 900 x 900 to 4000 x 3000 pixels, some perhaps learned from" in said
    assert "2 more good photographs were false alarms without a defect" in said


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_curves_are_xml(count):
    every = [figures(0, 3, 9, 10, contrast=float(10 * (number + 1))).sizes for number in range(count)]
    found = dataclasses.replace(figures(0, 0, 0, 0), sizes=tuple(size for sizes in every for size in sizes))
    drawn = ElementTree.fromstring(curve(found, "scratch"))
    assert len(drawn.findall("polyline")) == count


def test_a_curve_of_one_size():
    found = dataclasses.replace(figures(0, 0, 0, 0), sizes=(FoundSize("spot", 1, 1, 40.0, 3),))
    assert "nan" not in curve(found, "spot")


def test_page(tmp_path):
    measured = SmallestDefect(figures(0, 9, 10, 9), (), (), (), ImageFolder("x", Path("x"), (), ()))
    write_page(measured, "<b>padim</b>", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "scratches of 12 x 3 pixels and more" in page
    assert "&lt;b&gt;padim" in page
    assert "http" not in page
    assert "pasted, not real ones" in page


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 1.4},
        {"trials": 0},
        {"trials": 9},
        {"share": 0.0},
        {"share": 1.5},
        {"photographs": 0},
        {"false_alarms": -1},
        {"from_size": (900,)},
        {"to_size": (0, 900)},
        {"sizes": ()},
        {"sizes": (FoundSize("hole", 2, 2, 40.0, 1),)},
        {"sizes": (FoundSize("spot", 2, 3, 40.0, 1),)},
        {"sizes": (FoundSize("spot", 2, 2, 0.0, 1),)},
        {"sizes": (FoundSize("spot", 2, 2, 40.0, -1),)},
        {"sizes": (FoundSize("spot", 2, 2, 40.0, 1),) * 2},
    ],
    ids=str,
)
def test_what_no_measurement_gives(change):
    assert not wrong_in(figures(0, 9, 10, 9), 1.5)
    assert wrong_in(dataclasses.replace(figures(0, 9, 10, 9), **change), 1.5)


def test_kinds_have_names():
    from flawspot.smallest.sentences import NAMES

    assert set(NAMES) == set(KINDS)
