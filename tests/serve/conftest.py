"""A browser that looks at the pages of a station."""

import os

import pytest

from flawspot.export.web.browser import find_browser
from flawspot.serve.station import Settings, Station

from .at_work import AtWork, artifact


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    command = find_browser()
    if command is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        found = playwright.chromium.launch(executable_path=command[0], args=["--no-sandbox"] if root else [])
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """Open a page; what its console complains of, or the policy forbids, fails the test."""
    complaints, contexts = [], []

    def hear(message):
        # That a picture cannot be shown, or nothing answers, the browser tells by itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_(url, **options):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def tiny(tmp_path, tiny_model, tiny_manifest):
    return artifact(tmp_path, tiny_model, tiny_manifest)


@pytest.fixture
def at_work(tiny, tmp_path):
    """A station with a folder that it watches."""
    station = Station({"washer": tiny}, Settings(tmp_path / "station", name="Line <b>1</b>"))
    (tmp_path / "in").mkdir()
    station.watch(tmp_path / "in")
    with station:
        found = AtWork(station)
        yield found
        found.end()
