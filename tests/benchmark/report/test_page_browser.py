"""The page in a browser: marks tell their figures, wide tables scroll and the page does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flawspot.benchmark.report import write_report

from .conftest import paper_grid

FIGURE = "#figure-1-mvtec-ad"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(paper_grid(1, ("bottle", "screw")), tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser: Any, written: Path, request: pytest.FixtureRequest) -> Any:
    """The page, as wide as the test wants it; what its console complains of fails the test."""
    opened = browser.new_page(viewport={"width": request.param, "height": 900})
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.goto(written.as_uri())
    yield opened
    opened.close()
    assert not complaints


@pytest.mark.parametrize("page", [1280], indirect=True)
def test_a_mark_tells_its_figures_by_pointer_and_by_keyboard(page: Any) -> None:
    tip, marks = page.locator(".tip"), page.locator(f"{FIGURE} .mark")
    assert not tip.is_visible()
    assert page.locator(f"{FIGURE} .mark[tabindex='0']").count() == 1
    page.locator(f"{FIGURE} .mark[tabindex='0']").focus()
    first = tip.inner_text()
    assert "pixel F1 0." in first
    assert "MMAC" in first
    page.keyboard.press("ArrowRight")
    second = tip.inner_text()
    assert second != first
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == second.replace("\n", ", ")
    page.keyboard.press("ArrowLeft")
    assert tip.inner_text() == first
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.locator("#figure-6-mvtec-ad .mark").first.hover()
    assert tip.inner_text().startswith(("STFPM", "PaSTe"))
    assert marks.count() > 10
    assert page.locator(".mark title").count() == 0, "or the browser would show a second one"


@pytest.mark.parametrize("page", [390], indirect=True)
def test_on_a_telephone_wide_tables_scroll_and_the_page_does_not(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for table in ("#detectors-1", "#claims", "#paper-table-3"):
        box = page.locator(f"{table} .scroll")
        wide, shown = box.evaluate("(box) => [box.scrollWidth, box.clientWidth]")
        assert wide > shown
        assert box.evaluate("(box) => { box.scrollLeft = 60; return box.scrollLeft; }") == 60
