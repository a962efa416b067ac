"""The drift tests of a station: what outlives a restart, and what starts them anew."""

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from flawspot.errors import FlawspotError, FlawspotWarning
from flawspot.runtime.tensors import read_tensors, write_tensors
from flawspot.serve.audit import RecordAudit
from flawspot.serve.drifting import MAX_BYTES
from flawspot.serve.lamps import LOOK, WELL, WRONG, lamps
from flawspot.serve.parts import Part
from flawspot.serve.record import RecordError
from flawspot.serve.station import Station
from flawspot.serve.status import status_of

from .conftest import grey, wait_for


def inspect(station, *levels, detector=None):
    """Let grey parts be judged, and their verdicts be heard of."""
    name = station.inspection(detector).name
    seen = station.drift(name).share.test.seen
    for level in levels:
        part = Part(grey(int(level)), str(level), "http")
        assert station.inspection(name).put(part)
        part.outcome.result(10)
    wait_for(lambda: station.drift(name).share.test.seen == seen + len(levels))


def told(station, name="tiny"):
    """What the tests say, without the time of their beginning."""
    found = station.drifting.told(name)
    return {key: value for key, value in found.items() if key != "since"}


def file_of(settings):
    (found,) = (settings.folder / "drift").iterdir()
    return found


@pytest.fixture
def kept(tiny, settings):
    """The file of the tests of a station that has ended; 40 parts have passed."""
    with Station({"tiny": tiny}, settings) as station:
        inspect(station, *np.random.default_rng(0).integers(40, 60, 40))
    return file_of(settings)


@pytest.mark.parametrize("count", [5, 60])
def test_a_restart_forgets_nothing(tiny, settings, count):
    levels = np.random.default_rng(0).integers(40, 60, count)
    with Station({"tiny": tiny}, settings) as station:
        inspect(station, *levels, 150, 160)
        before, since = told(station), station.drifting.told("tiny")["since"]
    with Station({"tiny": tiny}, settings) as station:
        assert told(station) == before
        assert station.drifting.told("tiny")["since"] == since
        assert before["parts"] == count
        inspect(station, 50)
        assert told(station)["parts"] == count + 1


def test_an_alarm_outlives_a_restart_and_ends_when_a_person_starts_anew(tiny, settings):
    def lamp(station):
        return next(each for each in lamps(status_of(station)) if each["name"] == "Drift")

    with Station({"tiny": tiny}, settings) as station:
        inspect(station, *np.random.default_rng(0).integers(40, 60, 60))
        inspect(station, *np.random.default_rng(1).integers(65, 90, 120))
        before = told(station)
        assert before["alarm"]
        assert lamp(station)["lamp"] == WRONG
    with Station({"tiny": tiny}, settings) as station:
        assert told(station) == before
        assert lamp(station)["lamp"] == WRONG
        row = station.drifting.anew("tiny", "ann")
        assert (row.kind, row.content["detector"], row.content["by"]) == ("drift", "tiny", "ann")
        assert row.content["artifact"] == station.inspection(None).loaded.sha256
        assert {key: value for key, value in row.content["said"].items() if key != "since"} == before
        assert row.content["said"]["since"] < station.drifting.told("tiny")["since"]
        assert (told(station)["alarm"], told(station)["parts"]) == (False, 0)
        assert lamp(station)["lamp"] == WELL
        assert list(RecordAudit(station.record).findings()) == []
        station.drifting.save()
    with Station({"tiny": tiny}, settings) as station:
        assert (told(station)["alarm"], told(station)["parts"]) == (False, 0)


def test_only_looks_or_verdicts_that_changed_need_a_look(station):
    inspect(station, *[50] * 60)
    inspect(station, *[150] * 60)
    found = told(station)
    assert found["alarm"]
    (change,) = found["changes"]
    assert change.startswith("called anomalous: ")
    assert {name: test["alarm"] for name, test in found["tests"].items()} == {
        "scores": False,
        "looks": False,
        "verdicts": True,
    }
    assert next(each for each in lamps(status_of(station)) if each["name"] == "Drift")["lamp"] == LOOK


def test_another_artifact_starts_anew(tiny, stricter, settings, kept):
    tiny.write_bytes(stricter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Station({"tiny": tiny}, settings) as station:
            assert (told(station)["parts"], told(station)["evidence"]) == (0, 0.0)
            inspect(station, 20)
    assert read_tensors(kept.read_bytes())[1]["artifact"] == station.inspections["tiny"].loaded.sha256


def test_an_artifact_that_is_approved_gets_new_tests(station, stricter):
    inspect(station, 40, 45)
    swap, candidate = station.swaps["tiny"], station.swaps["tiny"].begin(stricter, "ann")
    wait_for(lambda: candidate.state == "tried")
    swap.approve(candidate.sha256, "ann")
    assert told(station)["parts"] == 0
    inspect(station, 45)
    assert told(station)["parts"] == 1


def damaged(data, **changes):
    tensors, metadata = read_tensors(data)
    metadata |= {name: value for name, value in changes.items() if name in metadata}
    tensors |= {name: value for name, value in changes.items() if name in tensors}
    return b"".join(write_tensors(tensors, metadata))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "not a file of tensors"),
        (lambda data: data[:-100], "cut off"),
        (lambda data: b"x" * 1000, "not a file of tensors"),
        (lambda data: b"".join(write_tensors({}, {})), "is of schema None"),
        (lambda data: damaged(data, **{"flawspot.drift": "2"}), "is of schema 2, this flawspot reads 1"),
        (lambda data: damaged(data, detector="other"), "is of another detector"),
        (lambda data: damaged(data, begun="9999-12-31T23:59:59.999999Z"), "its time"),
        (lambda data: damaged(data, begun="yesterday\n"), "its time"),
        (lambda data: damaged(data, **{"scores/seen": np.array([-5])}), "do not fit their number"),
        (lambda data: damaged(data, **{"looks/mean": np.zeros((3, 3), np.float32)}), "another shape"),
        (lambda data: damaged(data, **{"share/recent": np.full(40, 9, np.uint8)}), "neither 0 nor 1"),
        (lambda data: data + bytes(MAX_BYTES), "larger than any"),
    ],
)
@pytest.mark.grid(4)
def test_a_damaged_file_is_told_and_the_tests_start_anew(tiny, settings, kept, damage, reason):
    kept.write_bytes(damage(kept.read_bytes()))
    with pytest.warns(FlawspotWarning, match=f"{reason}.*; the drift tests of tiny start anew"):
        station = Station({"tiny": tiny}, settings)
    with station:
        assert told(station)["parts"] == 0
        inspect(station, 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Station({"tiny": tiny}, settings) as station:
            assert told(station)["parts"] == 1


def test_a_folder_in_place_of_the_file_ends_nothing(tiny, settings, kept):
    kept.unlink()
    kept.mkdir()
    with pytest.warns(FlawspotWarning, match="it is a folder"):
        station = Station({"tiny": tiny}, settings)
    with station:
        inspect(station, 50)
        with pytest.raises(FlawspotError, match="it is a folder"):
            station.drifting.save()
        station.drifting.anew("tiny", "ann")
        assert told(station)["parts"] == 0
        inspect(station, 50)
        kept.rmdir()
        station.drifting.save()  # what could not be written waits
    assert kept.is_file()


def test_names_may_hold_any_characters(tiny, settings):
    names = ["../../left", "a/b\\c", "con", "é\u202e<b>", "x" * 300]
    with Station(dict.fromkeys(names, tiny), settings) as station:
        for place, name in enumerate(names):
            inspect(station, *[50] * (place + 1), detector=name)
    assert len(list((settings.folder / "drift").iterdir())) == len(names)
    with Station(dict.fromkeys(names, tiny), settings) as station:
        assert [told(station, name)["parts"] for name in names] == [1, 2, 3, 4, 5]


def test_it_is_kept_now_and_then_and_only_if_something_was_added(station, settings, monkeypatch):
    monkeypatch.setattr("flawspot.serve.station.SWEEP_SECONDS", 0.0)
    inspect(station, 50)
    wait_for(lambda: (settings.folder / "drift").is_dir() and file_of(settings).suffix == ".safetensors")
    monkeypatch.setattr("flawspot.serve.drifting.write_bytes", lambda path, data: pytest.fail("nothing was added"))
    station.drifting.save()
    station.drifting.save()


def test_what_cannot_be_kept_is_told_by_the_lamp(station, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise FlawspotError(f"cannot write {path.name}: the disk is full")

    monkeypatch.setattr("flawspot.serve.station.SWEEP_SECONDS", 0.0)
    monkeypatch.setattr("flawspot.serve.drifting.write_bytes", full)
    inspect(station, 50)
    wait_for(lambda: "the disk is full" in str(station.trouble))


def test_without_a_row_nothing_starts_anew(station, monkeypatch):
    def full(kind: str, content: object) -> None:
        raise RecordError("cannot write the record")

    inspect(station, 50)
    monkeypatch.setattr(station.record, "add", full)
    with pytest.raises(RecordError):
        station.drifting.anew("tiny", "ann")
    assert told(station)["parts"] == 1


def test_saving_while_parts_pass_keeps_whole_tests(settings, tiny):
    stop, failures = threading.Event(), []

    def save(station):
        while not stop.is_set():
            try:
                station.drifting._watched["tiny"]._changed = True
                station.drifting.save()
            except Exception as error:
                failures.append(error)

    with Station({"tiny": tiny}, settings) as station:
        saving = threading.Thread(target=save, args=(station,))
        saving.start()
        inspect(station, *np.random.default_rng(0).integers(40, 60, 60))
        stop.set()
        saving.join(20)
        before = told(station)
    assert not failures
    with Station({"tiny": tiny}, settings) as station:
        assert told(station) == before
        assert before["parts"] == 60
