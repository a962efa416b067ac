"""An update at the station, from what people said to an artifact that judges."""

import dataclasses
import hashlib
import os
import signal

import pytest

import flawspot
from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.runtime.artifact import graph_sha256, read
from flawspot.runtime.signature import make_key
from flawspot.runtime.state import read_state
from flawspot.serve.parts import ANOMALOUS, GOOD
from flawspot.serve.record import Record
from flawspot.serve.station import Settings, Station
from flawspot.serve.swapping import Loading
from flawspot.serve.updating import process, updates
from flawspot.serve.updating.choosing import Asked
from flawspot.serve.updating.process import Bounds

from ..conftest import pass_by, say, wait_for

SECONDS = 120.0
ASKED = Asked("ann")


def done(station, name="part"):
    """The update, after its end."""
    wait_for(lambda: station.updates[name].as_dict()["state"] != "running", SECONDS)
    return station.updates[name].as_dict()


def tried(station):
    swap = station.swaps["part"]
    wait_for(lambda: swap.candidate is None or swap.candidate.state != "trying", SECONDS)
    return swap.candidate


def rows(station):
    return [row.content for row in reversed(station.record.of_kind(updates.KIND))]


def left(station):
    return list(station.settings.folder.glob(".update-*"))


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """The process of an update tells of a step, and then works until it is ended."""
    (tmp_path / "slow_update.py").write_text(
        "import json, pathlib, time\n"
        "print(json.dumps({'step': 'being slow', 'done': 1, 'of': 9}), flush=True)\n"
        f"pathlib.Path({str(tmp_path / 'began')!r}).touch()\n"
        "time.sleep(60)\n"
    )
    places = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
    monkeypatch.setattr(process, "_MODULE", "slow_update")
    return tmp_path / "began"


def test_from_what_people_said_to_an_artifact_that_judges(line, updatable):
    station, swap = line, line.swaps["part"]
    before = swap.inspection.loaded.sha256
    results = station.record.results()
    for row in results[:3]:
        say(station, row.number, "confirmed" if row.content["verdict"] == GOOD else "false alarm")
    for row in results[3:]:
        if row.content["verdict"] == ANOMALOUS:
            say(station, row.number, "false alarm")  # the others nobody speaks of
    assert station.updates["part"].ask(ASKED)["state"] == "running"
    found = done(station)
    assert found["state"] == "made", found["reason"]
    assert found["pictures"]["false_alarms"] + found["pictures"]["confirmed"] + found["pictures"]["sampled"] == 8
    assert found["report"]["learned"] + found["report"]["held_out"] == 8
    assert swap.inspection.loaded.sha256 == before  # it judges nothing yet
    candidate = tried(station)
    assert (candidate.sha256, candidate.by, candidate.update_of) == (found["candidate"], "ann", before)
    assert (candidate.state, candidate.pictures) == ("tried", 8)
    kept = swap.folder / f"{candidate.sha256}.state"
    assert not kept.exists()
    swap.approve(candidate.sha256, "berta")
    assert read_state(kept).graph_sha256 == graph_sha256(read(kept.with_suffix(".onnx")).model)
    assert pass_by(station, [900])[0]["artifact"] == candidate.sha256
    began, made = rows(station)
    assert (began["event"], made["event"]) == ("began", "made")
    assert began["results"] == sorted(row.number for row in results)
    assert (made["artifact"], made["candidate"], made["by"]) == (before, candidate.sha256, "ann")
    assert made["report"] == found["report"]
    assert not list(station.record.verify())


def test_it_comes_to_what_the_function_comes_to(line, updatable, tmp_path):
    line.updates["part"].ask(Asked("ann", seed=3))
    found = done(line)
    names = tmp_path / "same"
    names.mkdir()
    for number in rows(line)[0]["results"]:
        path = line.pictures.find(line.record.row(number).content["picture"])
        (names / f"{number:08}{path.suffix}").write_bytes(path.read_bytes())
    same = flawspot.update(updatable, names, seed=3, progress=False)
    made = read(line.swaps["part"].folder / f"{found['candidate']}.onnx")
    assert graph_sha256(made.model) == graph_sha256(same.artifact.model)
    assert made.manifest.calibration == same.artifact.manifest.calibration


@pytest.mark.slow
def test_what_was_updated_is_updated_again_after_a_restart(updatable, settings):
    with Station({"part": updatable}, settings) as station:
        pass_by(station, range(500, 506))
        station.updates["part"].ask(ASKED)
        first = done(station)["candidate"]
        tried(station)
        station.swaps["part"].approve(first, "ann")
    updatable.with_suffix(".state").unlink()  # what the station keeps is enough
    with Station({"part": updatable}, settings) as station:
        told = station.updates["part"].as_dict()
        assert (told["state"], told["candidate"], told["cannot"]) == ("made", first, None)
        assert not left(station)
        good = sum(result["verdict"] == GOOD for result in pass_by(station, range(600, 606)))
        station.updates["part"].ask(ASKED)
        found = done(station)
        assert found["state"] == "made", found["reason"]
        assert found["artifact"] == first
        assert found["report"]["learned"] + found["report"]["held_out"] == good  # since the update judges
        assert found["report"]["known"] == 0
        station.swaps["part"].turn_down(found["candidate"], "ann")
        station.swaps["part"].back("ann")
        assert station.updates["part"].as_dict()["cannot"] is None  # the state of what was given is kept as well


@pytest.mark.parametrize("word", ["turn_down", None])
@pytest.mark.grid(1)
def test_a_result_that_nobody_decided_on_is_lost_with_the_station(updatable, settings, word):
    with Station({"part": updatable}, settings) as station:
        pass_by(station, range(500, 506))
        station.updates["part"].ask(ASKED)
        made = done(station)["candidate"]
        tried(station)
        if word:
            station.swaps["part"].turn_down(made, "ann")
    with Station({"part": updatable}, settings) as station:
        told = station.updates["part"].as_dict()
        assert (told["state"], told["candidate"]) == (("made", made) if word else ("failed", None))
        if not word:
            assert "before its result was approved or turned down: ask again" in told["reason"]
            assert told["cannot"] is None


def test_what_the_detector_knows_is_no_update(updatable, settings):
    with Station({"part": updatable}, settings) as station:
        pass_by(station, range(4))  # it was trained on these
        station.updates["part"].ask(ASKED)
        found = done(station)
        assert (found["state"], station.swaps["part"].candidate) == ("failed", None)
        assert "nothing is new: the detector knows the 4 pictures" in found["reason"]
        assert rows(station)[-1]["reason"] == found["reason"]
        assert not left(station)


def test_without_pictures_it_says_what_to_do(updatable, settings):
    with Station({"part": updatable}, settings) as station:
        station.updates["part"].ask(ASKED)
        assert "no picture to learn from: mark parts" in done(station)["reason"]
        assert [row["event"] for row in rows(station)] == ["failed"]


def test_one_at_a_time_and_none_while_a_candidate_waits(line, slow, updatable, monkeypatch):
    asked = line.updates["part"]
    asked.ask(ASKED)
    with pytest.raises(FlawspotError, match="an update of part is under way: wait"):
        asked.ask(ASKED)
    wait_for(lambda: asked.as_dict()["done"] == 1)
    assert asked.as_dict()["step"] == "being slow"
    assert asked.as_dict()["far"] == "Under way: being slow, 1 of 9."
    asked._process.kill()
    assert "ended from outside (signal 9)" in done(line)["reason"]
    swap = line.swaps["part"]
    swap.begin(updatable.read_bytes(), "berta")
    tried(line)
    with pytest.raises(FlawspotError, match="a candidate for part waits: approve it or turn it down"):
        asked.ask(ASKED)
    assert "waits" in asked.as_dict()["cannot"]
    swap.turn_down(swap.candidate.sha256, "berta")
    assert asked.as_dict()["cannot"] is None
    assert line.record.of_kind("candidate")[0].content["how"] == "turned down"


def test_what_was_sent_meanwhile_is_not_replaced(line, updatable, monkeypatch):
    swap = line.swaps["part"]
    wanted = swap.begin

    def begin(content, by, **more):
        wanted(updatable.read_bytes(), "berta")
        return wanted(content, by, **more)

    monkeypatch.setattr(swap, "begin", begin)
    line.updates["part"].ask(ASKED)
    assert "another candidate was sent meanwhile" in done(line)["reason"]
    assert tried(line).by == "berta"
    assert [row["event"] for row in rows(line)] == ["began", "made", "failed"]


def test_the_end_of_the_station_ends_it(updatable, settings, slow):
    with Station({"part": updatable}, settings) as station:
        pass_by(station, range(500, 503))
        station.updates["part"].ask(ASKED)
        wait_for(slow.exists)
        child = station.updates["part"]._process._process
    assert child.poll() is not None
    assert not left(station)
    with Record(settings.folder / "record.sqlite", create=False) as record:
        assert record.of_kind(updates.KIND)[0].content["reason"] == "the station was ended"


def test_a_station_that_was_killed_says_so_later(updatable, settings):
    with Station({"part": updatable}, settings) as station:
        began = {"detector": "part", "event": "began", "artifact": "a", "by": "ann", "since": "", "pictures": {}}
        station.record.add(updates.KIND, began)
        (settings.folder / ".update-left").mkdir()
    with Station({"part": updatable}, settings) as station:
        found = station.updates["part"].as_dict()
        assert (found["state"], found["reason"]) == ("failed", "the station ended before it was done: ask again")
        assert (found["by"], found["cannot"]) == ("ann", None)
        assert not left(station)


def test_it_may_take_so_long(updatable, tmp_path, slow):
    settings = Settings(tmp_path / "station", updates=Bounds(seconds=0.5))
    with Station({"part": updatable}, settings) as station:
        pass_by(station, range(500, 503))
        station.updates["part"].ask(ASKED)
        assert "it was ended after 0.5 s: ask for fewer pictures" in done(station)["reason"]


def test_it_needs_a_state(updatable, settings):
    updatable.with_suffix(".state").unlink()
    refused = pytest.raises(FlawspotError, match=r"is not at the station: put the \.state file")
    with Station({"part": updatable}, settings) as station, refused:
        station.updates["part"].ask(ASKED)


def test_the_state_of_another_detector_is_told_of(line, updatable):
    state = line.swaps["part"].state
    assert state.read_bytes() == updatable.with_suffix(".state").read_bytes()
    dataclasses.replace(read_state(state), graph_sha256=hashlib.sha256(b"another").hexdigest()).save(state)
    line.updates["part"].ask(ASKED)
    assert "the state belongs to another detector" in done(line)["reason"]


def test_another_file_in_the_place_of_what_judges_is_not_updated(line, stricter):
    (line.settings.folder / "artifacts" / f"{line.swaps['part'].inspection.loaded.sha256}.onnx").write_bytes(stricter)
    line.updates["part"].ask(ASKED)
    assert "is not the file that judges" in done(line)["reason"]


def test_a_method_that_cannot_be_updated_is_told_of(station, monkeypatch):
    def none(method):
        raise ConfigurationError(f"detectors of {method} cannot be updated: train again")

    monkeypatch.setattr(updates, "updating_of", none)
    with pytest.raises(FlawspotError, match="cannot be updated"):
        station.updates["tiny"].ask(ASKED)


def test_a_method_that_needs_torch_is_told_of_at_once(line, monkeypatch):
    class Trained:
        needs_torch = True

    monkeypatch.setattr(updates, "updating_of", lambda method: Trained)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "needs torch, which is not installed" in line.updates["part"].as_dict()["cannot"]


def test_where_signatures_are_demanded_none_is_made(line, tmp_path):
    make_key(tmp_path / "line.key")
    line.swaps["part"].loading = Loading(trusted_keys=[tmp_path / "line.key"])
    with pytest.raises(FlawspotError, match="accepts only signed artifacts"):
        line.updates["part"].ask(ASKED)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_parts_are_judged_meanwhile(line, slow):
    line.updates["part"].ask(ASKED)
    wait_for(slow.exists)
    assert len(pass_by(line, range(700, 705))) == 5
    assert line.updates["part"].as_dict()["state"] == "running"
