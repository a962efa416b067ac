"""The page of the engineers in a real browser."""

import re

import pytest

from flawspot.serve.station import Settings, Station

from .at_work import ANOMALOUS, GOOD, AtWork, artifact, part

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def at_work(tmp_path, tiny_model, tiny_manifest):
    """A station that has judged four parts, of three of which people have spoken."""
    with Station({"washer": artifact(tmp_path, tiny_model, tiny_manifest)}, Settings(tmp_path / "station")) as station:
        found = AtWork(station)
        for level, word in ((GOOD, "confirmed"), (ANOMALOUS, "false alarm"), (ANOMALOUS + 20, "confirmed"), (70, None)):
            number = found.send(part(level), part=f"<i>{level}</i>")["number"]
            if word is not None:
                said = {"result": number, "word": word, "boxes": [], "note": None, "by": "<b>Ann", "role": "operator"}
                station.record.add("word", said)
        yield found
        found.end()


@pytest.fixture
def candidate(tmp_path, tiny_model, tiny_manifest):
    """An artifact that calls nothing below grey level 210 anomalous."""
    return artifact(tmp_path, tiny_model, tiny_manifest, threshold=210.0)


def test_results_are_found_by_filter(at_work, opened):
    page = opened(f"{at_work.url}/engineer")
    cards = page.locator("#filter ~ .cards a")
    api.expect(cards).to_have_count(4)
    page.get_by_label("Verdict").select_option("anomalous")
    page.get_by_label("Word").select_option("false alarm")
    page.get_by_label("Since").fill("2020-01-31T12:00")
    page.get_by_role("button", name="Search").click()
    api.expect(cards).to_have_count(1)
    api.expect(cards).to_contain_text(f"Part <i>{ANOMALOUS}</i>")
    assert "since=2020-01-3" in page.get_attribute("#csv", "href")
    assert "verdict=anomalous" in page.get_attribute("#zip", "href")
    cards.click()
    api.expect(page.locator("#chosen h2")).to_contain_text("anomalous")
    api.expect(page.locator("#chosen ol")).to_contain_text("<b>Ann: false alarm")
    assert page.locator("#chosen rect.found").count() == 1
    api.expect(cards).to_have_count(1)
    page.get_by_label("Until").fill("2020-02-01T12:00")
    page.get_by_role("button", name="Search").click()
    api.expect(page.get_by_text("No result fits")).to_be_visible()


def test_a_picture_that_could_not_be_read_is_told_of(at_work, opened):
    number = at_work.send(b"no picture")["number"]
    page = opened(f"{at_work.url}/engineer?number={number}")
    api.expect(page.locator("#chosen .photo")).to_contain_text("This picture could not be read.")
    api.expect(page.locator("#chosen dl")).to_contain_text("cannot read")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download its file").click()
    assert download.value.path().read_bytes() == b"no picture"


def test_results_come_in_pages(at_work, opened):
    for _ in range(25):
        at_work.send(part(GOOD))
    page = opened(f"{at_work.url}/engineer?verdict=good")
    cards = page.locator("#filter ~ .cards a")
    api.expect(cards).to_have_count(24)
    page.get_by_role("link", name="Earlier ones").click()
    api.expect(cards).to_have_count(3)
    page.get_by_role("link", name="The newest").click()
    api.expect(cards).to_have_count(24)


def test_what_another_threshold_would_do(at_work, opened):
    page = opened(f"{at_work.url}/engineer")
    api.expect(page.locator("#threshold-title ~ p").first).to_contain_text("2 are confirmed as good and 1 as defective")
    api.expect(page.locator("#trade")).to_contain_text(
        "calls 1 of 2 good parts anomalous and 0 of 1 defective ones good"
    )
    curves = page.locator("#curves").bounding_box()
    page.mouse.move(curves["x"] + curves["width"] - 2, curves["y"] + 50)
    api.expect(page.locator("#trade")).to_contain_text(
        "calls 0 of 2 good parts anomalous and 1 of 1 defective ones good"
    )
    page.locator("#slider").fill("205")
    api.expect(page.locator("#trade")).to_have_text(
        "A threshold of 205.0 calls 0 of 2 good parts anomalous and 0 of 1 defective ones good."
    )


def test_a_candidate_is_tried_approved_and_taken_back(at_work, opened, candidate):
    station, page = at_work.station, opened(f"{at_work.url}/engineer")
    before = station.inspections["washer"].loaded.sha256
    assert page.get_by_role("button", name="Roll back").count() == 0
    page.get_by_label("Another artifact").set_input_files(candidate)
    page.get_by_role("button", name="Try it").click()
    api.expect(page.locator(".candidate")).to_contain_text("Tried on the last 4 pictures: 1 verdict would change")
    change = page.locator(".candidate .cards > div")
    api.expect(change).to_have_count(1)
    api.expect(change).to_contain_text(re.compile("now.*anomalous.*then.*good"))
    assert station.inspections["washer"].loaded.sha256 == before

    page.get_by_role("button", name="Approve the candidate").click()
    sha256 = station.swaps["washer"].candidate.sha256
    api.expect(page.locator("#sure-approve")).to_contain_text(sha256[:12])
    page.get_by_role("button", name="Cancel").click()
    api.expect(page.locator("#sure-approve")).to_be_hidden()
    assert station.inspections["washer"].loaded.sha256 == before
    page.get_by_role("button", name="Approve the candidate").click()
    page.get_by_role("button", name="Yes, approve").click()
    api.expect(page.locator("ol").last).to_contain_text(f"{sha256[:12]} approved by who is at this machine, tried on 4")
    assert at_work.send(part(ANOMALOUS))["verdict"] == "good"

    page.get_by_role("button", name="Roll back").click()
    api.expect(page.locator("#sure-back")).to_contain_text(before[:12])
    page.get_by_role("button", name="Yes, roll back").click()
    api.expect(page.locator("ol").last).to_contain_text(f"{before[:12]} rolled back by")
    assert at_work.send(part(ANOMALOUS))["verdict"] == "anomalous"
    assert [row.content["how"] for row in station.record.of_kind("artifact")] == ["rolled back", "approved", "start"]


def test_what_is_no_artifact_is_told_in_words(at_work, opened, tmp_path):
    (tmp_path / "notes.onnx").write_bytes(b"no artifact")
    page = opened(f"{at_work.url}/engineer")
    page.get_by_label("Another artifact").set_input_files(tmp_path / "notes.onnx")
    page.get_by_role("button", name="Try it").click()
    api.expect(page.locator("#trouble")).to_contain_text("Not done: ")
    api.expect(page.locator("#filter")).to_be_visible()


def test_what_is_asked_wrongly_is_refused(at_work):
    import urllib.error
    import urllib.request

    for query in ("since=never", "number=x", "number=999", "verdict=fine", "detector=none", "before=-1"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{at_work.url}/engineer?{query}")
        assert refused.value.code in (400, 404), query


def test_the_drift_tests_are_started_anew_once_it_is_sure(at_work, opened):
    drifting = at_work.station.drifting
    page = opened(f"{at_work.url}/engineer")
    section = page.locator("section", has=page.locator("h2#drift"))
    api.expect(section).to_contain_text("none seen")
    api.expect(section).to_contain_text("2 good parts")
    section.get_by_role("button", name="Start the drift tests anew").click()
    page.get_by_role("button", name="Cancel").click()
    assert drifting.told("washer")["parts"] == 2
    section.get_by_role("button", name="Start the drift tests anew").click()
    page.get_by_role("button", name="Yes, start anew").click()
    api.expect(section).to_contain_text("started anew by who is at this machine after 2 good parts; no alarm")
    api.expect(section).to_contain_text("0 good parts")
    assert drifting.told("washer")["parts"] == 0
