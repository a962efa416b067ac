"""What people at the line say of parts, in a real browser."""

import pytest

from flawspot.serve.record import RecordError

from .at_work import ANOMALOUS, GOOD, part, shows

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
SETTLED = 500
"""Milliseconds after which a word is taken for the part in view."""


def words(station, number):
    return [row.content for row in station.record.words_on(number)]


def test_a_false_alarm_is_said_by_a_key(at_work, opened):
    page = opened(at_work.url)
    number = at_work.send(part(ANOMALOUS))["number"]
    shows(page, "anomalous", number)
    page.wait_for_timeout(SETTLED)
    page.keyboard.press("f")
    api.expect(page.locator("#said")).to_contain_text("false alarm")
    api.expect(page.locator("#note")).to_have_text(f"Said of No {number}: false alarm")
    assert [each["word"] for each in words(at_work.station, number)] == ["false alarm"]
    page.get_by_role("button", name="Hold").click()
    api.expect(page.locator("#thumbnails button").first).to_contain_text("hold")


def test_a_word_that_may_be_meant_for_the_part_before_is_not_said(at_work, opened):
    page = opened(at_work.url)
    shows(page, "none")
    # Pressed in the moment in which the part comes, before anybody can have seen it.
    page.evaluate(
        """() => new MutationObserver(() => document.querySelector('[data-word="hold"]').click())
          .observe(document.getElementById("number"), { childList: true })"""
    )
    number = at_work.send(part(ANOMALOUS))["number"]
    api.expect(page.locator("#note")).to_contain_text("the part changed just now")
    assert words(at_work.station, number) == []


def test_a_word_of_another_page_is_shown(at_work, opened):
    page, other = opened(at_work.url), opened(at_work.url)
    number = at_work.send(part(ANOMALOUS))["number"]
    shows(page, "anomalous", number)
    shows(other, "anomalous", number)
    other.wait_for_timeout(SETTLED)
    other.get_by_role("button", name="Confirmed").click()
    api.expect(page.locator("#said")).to_contain_text("confirmed")


def test_a_word_that_is_refused_is_told_in_words(at_work, opened, monkeypatch):
    page = opened(at_work.url)
    shows(page, "anomalous", at_work.send(part(ANOMALOUS))["number"])
    page.wait_for_timeout(SETTLED)

    def full(*_):
        raise RecordError("cannot write to the record: the disk is full")

    monkeypatch.setattr(at_work.station.record, "add", full)
    page.keyboard.press("h")
    api.expect(page.locator("#note")).to_contain_text("Not said: cannot write to the record: the disk is full")
    api.expect(page.locator("#said")).to_have_text("")


def test_missed_defects_are_drawn(at_work, opened):
    page = opened(at_work.url)
    number = at_work.send(part(GOOD))["number"]
    shows(page, "good", number)
    page.keyboard.press("m")
    api.expect(page.locator("#drawing")).to_be_visible()
    area = page.locator("#picture svg").bounding_box()
    scale = min(area["width"] / 96, area["height"] / 64)
    left, top = area["x"] + (area["width"] - 96 * scale) / 2, area["y"] + (area["height"] - 64 * scale) / 2
    for box in ((10, 20, 40, 50), (90, 60, 70, 5), (1, 1, 1, 1), (50, 30, 60, 300)):
        page.mouse.move(left + box[0] * scale, top + box[1] * scale)
        page.mouse.down()
        page.mouse.move(left + box[2] * scale, top + box[3] * scale, steps=3)
        page.mouse.up()
    api.expect(page.locator("#count")).to_have_text("3 drawn")
    page.get_by_role("button", name="Take back the last box").click()
    shown = at_work.send(part(ANOMALOUS))["number"]  # which comes while the operator draws
    api.expect(page.locator("#today-anomalous")).to_have_text("1")
    api.expect(page.locator("#number")).to_contain_text(f"No {number}")
    page.locator("#send").click()
    shows(page, "anomalous", shown)
    [said] = words(at_work.station, number)
    assert said["word"] == "missed defect"
    assert len(said["boxes"]) == 2
    for drawn, meant in zip(said["boxes"], ([10, 20, 40, 50], [70, 5, 90, 60]), strict=True):
        assert max(abs(a - b) for a, b in zip(drawn, meant, strict=True)) <= 1


def test_escape_takes_back_what_was_drawn(at_work, opened):
    page = opened(at_work.url)
    number = at_work.send(part(GOOD))["number"]
    shows(page, "good", number)
    page.keyboard.press("m")
    page.keyboard.press("Escape")
    api.expect(page.locator("#drawing")).to_be_hidden()
    assert words(at_work.station, number) == []


def test_an_earlier_part_is_looked_at_and_left_again(at_work, opened):
    page = opened(at_work.url)
    first = at_work.send(part(ANOMALOUS))["number"]
    second = at_work.send(part(GOOD))["number"]
    shows(page, "good", second)
    page.locator("#thumbnails button").nth(1).click()
    shows(page, "anomalous", first)
    api.expect(page.locator("#earlier")).to_be_visible()
    third = at_work.send(part(GOOD))["number"]
    api.expect(page.locator("#today-good")).to_have_text("2")
    shows(page, "anomalous", first)
    page.get_by_role("button", name="Back to live").click()
    shows(page, "good", third)
    api.expect(page.locator("#earlier")).to_be_hidden()
