import errno
import os
import sys
import threading

import numpy as np
import pytest

from flawspot.errors import ImageError
from flawspot.serve.inspection import Inspection
from flawspot.serve.keeping import Pictures
from flawspot.serve.parts import Part
from flawspot.serve.record import Record
from flawspot.serve.swapping import Loading

from .conftest import grey, wait_for


@pytest.fixture
def inspection(tiny, settings):
    with Record(settings.folder / "record.sqlite") as record:
        pictures = Pictures(settings.folder / "pictures", record, settings.keeping)
        found = Inspection("tiny", Loading().load(tiny), record, pictures, lambda _: None, waiting=2)
        found.start()
        yield found
        found.close()


def inspected(inspection, source, **more):
    part = Part(source, "a", "http", **more)
    assert inspection.put(part)
    return part.outcome.result(10)


def test_a_verdict_its_row_and_its_picture(inspection, tiny):
    outcome = inspected(inspection, grey(150), part="7", station="left")
    content = outcome.row.content
    assert content["verdict"] == "anomalous"
    assert (content["score"], content["threshold"], content["severity"]) == (150.0, 100.0, 1.5)
    assert content["regions"][0]["box"] == [0, 0, 16, 16]
    assert (content["part"], content["station"], content["origin"]) == ("7", "left", "http")
    assert content["artifact"] == Loading().load(tiny).sha256
    assert inspection._pictures.find(content["picture"]).read_bytes() == grey(150)
    assert inspected(inspection, grey(100)).content["verdict"] == "good"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"garbage", "cannot read"),
        (b"", "cannot read"),
        (grey(50)[:-40], "cannot read"),
        (ImageError("camera 0 gives no more pictures"), "camera 0 gives no more pictures"),
        (np.zeros((3, 3), np.float64), "flawspot failed on it"),
    ],
)
def test_what_cannot_be_inspected_is_never_good(inspection, source, reason):
    content = inspected(inspection, source).row.content
    assert content["verdict"] == "not inspected"
    assert reason in content["reason"]
    assert content["score"] is content["severity"] is content["p_value"] is None
    assert inspection.tally.not_inspected == 1
    assert inspected(inspection, grey(50)).content["verdict"] == "good"


def test_a_fault_of_the_detector_ends_nothing(inspection, monkeypatch):
    monkeypatch.setattr(type(inspection.loaded.detector), "predict", lambda *_, **__: 1 / 0)
    content = inspected(inspection, grey(50)).row.content
    assert content["verdict"] == "not inspected"
    assert "ZeroDivisionError" in content["reason"]


def test_a_score_that_is_no_number_is_not_good(inspection, monkeypatch):
    run = type(inspection.loaded.detector).run

    def broken(self, batch):
        maps, scores = run(self, batch)
        return maps, scores * np.nan

    monkeypatch.setattr(type(inspection.loaded.detector), "run", broken)
    content = inspected(inspection, grey(50)).row.content
    assert content["verdict"] == "not inspected"
    assert "not a finite number" in content["reason"]


def test_pixels_are_kept_as_they_were_judged(inspection, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 90, (20, 30, 3), np.uint8)
    content = inspected(inspection, pixels).row.content
    kept = inspection._pictures.find(content["picture"])
    again = inspection.loaded.detector.predict(kept)
    assert again.score == content["score"]
    assert content["image_size"] == [30, 20]


def test_nothing_is_judged_twice(inspection):
    first = inspected(inspection, grey(50), item="watch:a")
    again = inspected(inspection, grey(50), item="watch:a")
    assert again.row == first.row
    assert inspection.tally.judged == 1
    other = inspected(inspection, grey(60), item="watch:a").row.content
    assert (other["verdict"], other["item"]) == ("not inspected", None)


def test_a_full_disk_makes_parts_not_inspected(inspection):
    db = inspection._record._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    outcomes = [inspected(inspection, grey(50), part="x" * 2000) for _ in range(20)]
    lost = [outcome for outcome in outcomes if outcome.row is None]
    assert lost
    assert {outcome.content["verdict"] for outcome in lost} == {"not inspected"}
    assert "free some space" in lost[0].content["reason"]
    db.execute("PRAGMA max_page_count = 100000")
    assert inspected(inspection, grey(50)).row is not None
    told = [row.content for row in inspection._record.of_kind("station")]
    assert {each["event"] for each in told} == {"not recorded"}
    assert sum(each["parts"] for each in told) == len(lost)
    assert not list(inspection._record.verify())


def test_a_picture_that_cannot_be_kept_is_not_inspected(inspection, settings):
    (settings.folder / "pictures").mkdir(parents=True)
    (settings.folder / "pictures" / "ab").write_text("in the way")
    for level in range(256):
        content = inspected(inspection, grey(level % 90, 16 + level)).row.content
        if content["picture"].startswith("ab"):
            assert content["verdict"] == "not inspected"
            assert "cannot be kept" in content["reason"]
            return
    pytest.fail("no picture whose hash begins with ab")


@pytest.mark.parametrize("place", ["flawspot.serve.keeping.Pictures.find", "flawspot.serve.record.Record.add"])
def test_a_disk_that_fails_in_a_new_way_ends_nothing(inspection, monkeypatch, place):
    def fail(*_):
        raise PermissionError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(place, fail)
        content = inspected(inspection, grey(50)).content
    assert content["verdict"] == "not inspected"
    assert "Input/output error" in content["reason"]
    assert inspected(inspection, grey(50)).row.content["verdict"] == "good"


def test_a_row_that_cannot_be_written_down_ends_nothing(inspection, monkeypatch):
    monkeypatch.setattr("flawspot.serve.inspection.told", lambda _: {"verdict": "good", "p_value": float("nan")})
    outcome = inspected(inspection, grey(50))
    assert (outcome.content["verdict"], outcome.row) == ("not inspected", None)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_a_pipe_keeps_nothing_waiting(inspection, tmp_path):
    os.mkfifo(tmp_path / "a.png")
    content = inspected(inspection, tmp_path / "a.png").row.content
    assert content["verdict"] == "not inspected"
    assert content["reason"].endswith("it is a pipe")


def test_a_record_that_was_removed_takes_no_verdict(inspection, settings):
    assert inspected(inspection, grey(50)).row
    for path in settings.folder.glob("record.sqlite*"):
        path.rename(path.with_name(f"away {path.name}"))
    outcome = inspected(inspection, grey(50))
    assert (outcome.content["verdict"], outcome.row) == ("not inspected", None)
    assert "was removed or replaced" in outcome.content["reason"]


def test_a_full_queue_is_told(inspection, monkeypatch):
    going = threading.Event()
    predict = type(inspection.loaded.detector).predict

    def slow(*given, **more):
        going.wait(10)
        return predict(*given, **more)

    monkeypatch.setattr(type(inspection.loaded.detector), "predict", slow)
    parts = [Part(grey(50), "a", "http") for _ in range(8)]
    taken = [inspection.offer(part) for part in parts]
    assert not all(taken)
    assert sum(taken) <= 3  # two wait, one is at work
    going.set()
    assert all(part.outcome.result(10).row for part, was in zip(parts, taken, strict=True) if was)


def test_what_waits_is_inspected_before_it_ends(inspection):
    parts = [Part(grey(50), "a", "http") for _ in range(2)]
    assert all(inspection.put(part) for part in parts)
    inspection.close()
    assert all(part.outcome.done() for part in parts)
    assert not inspection.offer(Part(grey(50), "a", "http"))
    assert not inspection.put(Part(grey(50), "a", "http"))


def test_parts_that_can_wait_leave_room(inspection, monkeypatch):
    going = threading.Event()
    monkeypatch.setattr(type(inspection.loaded.detector), "predict", lambda *_, **__: going.wait(10))
    parts = [Part(grey(50), "a", "watch") for _ in range(4)]
    feeding = threading.Thread(target=lambda: [inspection.put(part) for part in parts])
    feeding.start()
    wait_for(lambda: inspection.waiting == 1)  # one is at work, one of two places is theirs
    feeding.join(0.3)
    assert inspection.waiting == 1
    assert inspection.offer(Part(grey(50), "a", "http"))
    going.set()
    feeding.join(10)
    assert all(part.outcome.result(10) for part in parts)


def test_what_there_was_no_time_for_is_counted(inspection, monkeypatch):
    going = threading.Event()
    monkeypatch.setattr(type(inspection.loaded.detector), "predict", lambda *_, **__: going.wait(10))
    parts = [Part(grey(50), "a", origin) for origin in ("camera", "camera", "watch")]
    assert inspection.offer(parts[0])
    wait_for(lambda: not inspection.waiting)
    assert inspection.offer(parts[1])
    assert inspection.offer(parts[2])
    inspection.close(0.1)
    assert inspection.tally.dropped == 1
    going.set()
