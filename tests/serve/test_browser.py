"""The page at the line in a real browser."""

import itertools
import re
import time

import pytest

from flawspot.serve.record import RecordError
from flawspot.serve.sources import Source
from flawspot.serve.station import Settings, Station
from flawspot.serve.tokens import Person, Role

from .at_work import ANOMALOUS, GOOD, AtWork, part, shows

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
SETTLED = 500
"""Milliseconds after which a word is taken for the part in view."""


def test_verdicts_come_to_the_page(at_work, opened):
    page = opened(at_work.url)
    shows(page, "none")
    api.expect(page.locator("#word")).to_have_text("NO PART YET")
    api.expect(page.locator("#name")).to_have_text("Line <b>1</b>")
    for picture, kind, told in (
        (part(GOOD), "good", "GOOD"),
        (part(ANOMALOUS), "anomalous", "ANOMALOUS"),
        (b"no picture", "not-inspected", "NOT INSPECTED"),
    ):
        result = at_work.send(picture, part="<i>7</i>")
        shows(page, kind, result["number"])
        api.expect(page.locator("#word")).to_have_text(told)
        api.expect(page.locator("#number")).to_contain_text("Part <i>7</i>")
        api.expect(page.locator("#shape")).to_have_attribute("href", f"#{kind}")
    api.expect(page.locator("#reason")).to_contain_text("cannot read")
    api.expect(page.locator("#picture")).to_have_text("This picture cannot be shown.")
    api.expect(page.locator("#today-anomalous")).to_have_text("1")
    assert page.locator("#thumbnails button").count() == page.locator("#strip use").count() == 3


def test_two_parts_of_the_same_verdict_are_two(at_work, opened):
    page = opened(at_work.url)
    seen = []
    for _ in range(3):
        shows(page, "good", at_work.send(part(GOOD))["number"])
        seen.append((page.locator("#number").inner_text(), page.get_attribute("#verdict", "data-beat")))
    assert len({number for number, _ in seen}) == 3
    assert all(a != b for (_, a), (_, b) in itertools.pairwise(seen))


def test_many_parts_in_a_row_come_in_order(at_work, opened):
    page = opened(at_work.url)
    shows(page, "none")
    for count in range(30):
        last = at_work.send(part((GOOD, ANOMALOUS)[count % 2]), part=str(count))
    shows(page, "anomalous", last["number"])
    assert page.locator("#thumbnails button").count() == 24
    numbers = [int(re.findall(r"No (\d+)", each)[0]) for each in page.locator("#strip title").all_text_contents()]
    assert len(numbers) == 30
    assert numbers == sorted(numbers, reverse=True)


def test_regions_lie_over_the_picture(at_work, opened):
    page = opened(at_work.url)
    result = at_work.send(part(ANOMALOUS))
    shows(page, "anomalous")
    assert page.get_attribute("#picture svg", "viewBox") == "0 0 96 64"
    left, top, right, bottom = result["regions"][0]["box"]
    drawn = page.locator("#picture rect.found").first
    assert [drawn.get_attribute(name) for name in ("x", "y", "width", "height")] == [
        str(each) for each in (left, top, right - left, bottom - top)
    ]


def test_what_cannot_be_recorded_is_shown_as_not_inspected(at_work, opened, monkeypatch):
    page = opened(at_work.url)
    shows(page, "good", at_work.send(part(GOOD))["number"])

    def full(*_):
        raise RecordError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(at_work.station.record, "add", full)
        assert at_work.send(part(GOOD))["number"] is None
    shows(page, "not-inspected")
    api.expect(page.locator("#reason")).to_have_text("the disk is full")
    assert page.locator("#actions button:enabled").count() == 0
    api.expect(page.locator("#lamps .wrong").first).to_be_visible()


def test_a_station_that_answers_no_more_is_told_of(at_work, opened):
    page = opened(at_work.url)
    number = at_work.send(part(GOOD))["number"]
    shows(page, "good", number)
    begin = time.monotonic()
    at_work.end()
    shows(page, "broken")
    print(f"told after {time.monotonic() - begin:.1f} s")
    api.expect(page.locator("#word")).to_have_text("NO CONNECTION")
    assert page.locator("#picture svg").count() == 0
    assert "GOOD" not in page.locator("main").inner_text()
    page.locator("#thumbnails button").first.click()  # an earlier part may be looked at, and says so
    api.expect(page.locator("#banner")).to_contain_text("NO CONNECTION")
    page.keyboard.press("Escape")
    at_work.begin()
    shows(page, "good", number)
    shows(page, "anomalous", at_work.send(part(ANOMALOUS))["number"])


def test_a_stream_that_is_silent_is_no_connection(at_work, opened, monkeypatch):
    """Even where the station still answers other questions."""
    page = opened(at_work.url)
    shows(page, "good", at_work.send(part(GOOD))["number"])
    monkeypatch.setattr("flawspot.serve.api.streaming.ALIVE_SECONDS", 60.0)
    shows(page, "broken")


def test_a_source_in_trouble_is_told_of(tiny, tmp_path, opened):
    class Camera(Source):
        def work(self):
            self._stop.wait()

    station = Station({"washer": tiny}, Settings(tmp_path / "with a camera"))
    camera = Camera("left", "camera", station.inspection(None))
    station.sources.append(camera)
    with station:
        at_work = AtWork(station)
        page = opened(at_work.url)
        shows(page, "good", at_work.send(part(GOOD))["number"])
        camera.state.trouble = "the camera <left> is gone"
        shows(page, "broken")
        api.expect(page.locator("#word")).to_have_text("NO PICTURES")
        api.expect(page.locator("#reason")).to_have_text("the camera <left> is gone")
        shows(page, "good", at_work.send(part(GOOD))["number"])  # which comes another way
        api.expect(page.locator("#banner")).to_have_text("the camera <left> is gone")
        camera.state.trouble = None
        api.expect(page.locator("#banner")).to_have_text("")
        at_work.end()


def test_of_several_detectors_one_is_chosen(tiny, tmp_path, opened):
    with Station({"left": tiny, "right": tiny}, Settings(tmp_path / "two")) as station:
        at_work = AtWork(station)
        page = opened(at_work.url)
        left = at_work.send(part(ANOMALOUS), detector="left")["number"]
        right = at_work.send(part(GOOD), detector="right")["number"]
        shows(page, "good", right)
        api.expect(page.locator("#facts")).to_contain_text("right")
        page.get_by_label("Detector").select_option("left")
        shows(page, "anomalous", left)
        at_work.send(part(GOOD), detector="right")
        page.wait_for_timeout(SETTLED)
        shows(page, "anomalous", left)
        at_work.end()


def test_dark_or_light_is_chosen_and_remembered(at_work, opened):
    page = opened(at_work.url, color_scheme="dark")

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark = ground()
    page.get_by_role("button", name="Dark / light").click()
    assert ground() != dark
    page.reload()
    shows(page, "none")
    assert ground() != dark


def test_the_page_fits_a_telephone(at_work, opened):
    page = opened(at_work.url)
    page.set_viewport_size({"width": 390, "height": 844})
    shows(page, "anomalous", at_work.send(part(ANOMALOUS), part="7" * 150)["number"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{at_work.url}/engineer?number={at_work.station.record.results()[0].number}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_people_show_their_token(tiny, tmp_path, opened):
    class Two:
        demanded = True

        def person(self, token):
            return {"looks": Person("Ann", Role.VIEWER), "works": Person("Bob", Role.OPERATOR)}.get(token)

    with Station({"washer": tiny}, Settings(tmp_path / "with tokens")) as station:
        at_work = AtWork(station, Two())
        page = opened(at_work.url)
        page.get_by_label("Your token").fill("wrong")
        api.expect(page.locator("#wrong")).to_be_hidden()
        page.get_by_role("button", name="Log in").click()
        api.expect(page.locator("#wrong")).to_be_visible()
        page.get_by_label("Your token").fill("looks")
        page.get_by_role("button", name="Log in").click()
        shows(page, "none")
        api.expect(page.locator("#actions")).to_be_hidden()
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Your token").fill("works")
        page.keyboard.press("Enter")
        shows(page, "none")
        api.expect(page.locator("#actions")).to_be_visible()
        api.expect(page.get_by_role("link", name="Engineer")).to_be_hidden()
        at_work.end()
