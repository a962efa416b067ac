"""Updates on the page of the engineers, in a real browser."""

import re

import pytest

from flawspot.serve.pages.updates import update_view
from flawspot.serve.station import Station
from flawspot.updating.report import Found, Report

from .at_work import AtWork
from .conftest import say

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
SECONDS = 120.0


@pytest.fixture
def at_work(line):
    """A station whose detector can be updated, and of whose parts people have spoken."""
    for row in line.record.results()[:5]:
        say(line, row.number, "false alarm" if row.content["verdict"] == "anomalous" else "confirmed")
    found = AtWork(line)
    yield found
    found.end()


def test_it_is_asked_for_made_tried_and_approved(at_work, opened):
    station, page = at_work.station, opened(f"{at_work.url}/engineer")
    before = station.inspections["part"].loaded.sha256
    page.get_by_role("spinbutton", name="Good ones that nobody commented on").fill("2")
    page.get_by_label("Parts since").fill("2020-01-31T12:00")
    page.get_by_role("button", name="Make an update").click()
    report = page.locator("section", has=page.locator("#update"))
    api.expect(report).to_contain_text("It learned from", timeout=SECONDS * 1000)
    api.expect(report).to_contain_text(re.compile(r"Threshold.* → "))
    api.expect(report).to_contain_text("Not now: a candidate for part waits")
    api.expect(page.get_by_role("button", name="Make an update")).to_have_count(0)
    assert station.updates["part"].as_dict()["since"].startswith("2020-01-3")
    candidate = page.locator("section", has=page.locator("#artifact")).locator(".candidate")
    api.expect(candidate).to_contain_text("Update asked for by")
    api.expect(candidate).to_contain_text("Tried on the last 8 pictures", timeout=SECONDS * 1000)
    assert station.inspections["part"].loaded.sha256 == before
    page.get_by_role("button", name="Approve the candidate").click()
    page.get_by_role("button", name="Yes, approve").click()
    api.expect(candidate).to_have_count(0)
    api.expect(page.get_by_role("button", name="Make an update")).to_be_visible()
    assert station.inspections["part"].loaded.sha256 == station.updates["part"].as_dict()["candidate"] != before


def test_an_update_that_finds_fewer_defects_is_told():
    numbers = {"threshold_before": 1.0, "threshold_alike": 1.1, "threshold": 1.2, "promised_rate": 0.05}
    numbers |= {"pasted": 60, "pasted_found_before": 51, "pasted_found": 42}
    pictures = dict.fromkeys(
        ("false_alarms", "confirmed", "sampled", "kept_good", "not_kept", "changed", "contradicted", "beyond"), 1
    )
    told = {"state": "made", "cannot": None, "by": "anna", "time": "2026-11-28T10:00:00Z", "candidate": "0" * 64}

    def page(alone, alike):
        found = Report(known=0, not_inspected=(), **numbers, pasted_alone=alone, pasted_alike=alike)
        return str(update_view(told | {"report": found.as_dict(), "pictures": pictures}, "part"))

    fewer, same = Found(50, 42, 9), Found(50, 50, 0)
    assert "51 → 42 of 60" in page(same, same)
    assert "misses" not in page(same, same)
    assert "at one promised rate it misses 9 of 50 pasted defects that the detector of today finds" in page(same, fewer)
    assert "50 → 42" in page(same, fewer)
    assert "At its threshold it misses 9 of 50 pasted defects" in page(fewer, same)


def test_a_failure_is_told_and_a_candidate_turned_down(at_work, opened, updatable):
    page = opened(f"{at_work.url}/engineer")
    page.get_by_label("Parts since").fill("2090-01-31T12:00")
    page.get_by_role("button", name="Make an update").click()
    api.expect(page.locator("section .bad")).to_contain_text("The update failed: there is no picture to learn from")
    page.get_by_label("Another artifact").set_input_files(updatable)
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("button", name="Turn it down").click()
    api.expect(page.locator(".candidate")).to_have_count(0)
    assert at_work.station.swaps["part"].candidate is None


def test_where_drift_is_on_the_page_leads_to_the_form(at_work, opened, monkeypatch):
    drift = at_work.station.drift("part").scores
    page = opened(f"{at_work.url}/engineer")
    assert page.locator(".drift").count() == 0
    monkeypatch.setattr(type(drift), "alarm", True)
    page.reload()
    api.expect(page.locator(".drift")).to_contain_text("The scores of good parts of part have changed")
    page.locator(".drift a").click()
    api.expect(page.locator("#update")).to_be_in_viewport()
    assert at_work.station.updates["part"].as_dict()["state"] == "none"  # never by itself


def test_where_none_can_be_made_it_says_why(tiny, settings, opened):
    with Station({"tiny": tiny}, settings) as station:
        found = AtWork(station)
        page = opened(f"{found.url}/engineer")
        api.expect(page.locator("section", has=page.locator("#update"))).to_contain_text("Not now: ")
        found.end()
