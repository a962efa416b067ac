"""What is well at a station, what needs a look, what is wrong."""

import copy

from flawspot.serve.lamps import lamps
from flawspot.serve.outputs.follower import State
from flawspot.serve.outputs.json_folder import JsonFolder
from flawspot.serve.status import status_of

from .conftest import wait_for

WELL = {
    "sources": [
        {"name": "/line/3/in", "kind": "folder", "pictures": 5, "trouble": None, "ended": False},
        {"name": "rtsp://camera", "kind": "camera", "pictures": 7, "trouble": None, "ended": False},
    ],
    "detectors": [
        {
            "name": "pill",
            "waiting": 1,
            "room": 16,
            "refused": 0,
            "dropped": 0,
            "unrecorded": 0,
            "drift": {
                "alarm": False,
                "evidence": 0.0,
                "parts": 9,
                "changes": [],
                "tests": {"scores": {"alarm": False, "evidence": 0.0}},
            },
        }
    ],
    "outputs": [vars(State("mqtt", 12, 5, 0, None, 0, True))],
    "housekeeping": None,
    "disk": {"free_bytes": 25 * 10**9, "trouble": None},
    "record": {"number": 12, "hash": "ab"},
}


def looked(change):
    """The lamps that are not well once a status was changed, by their names."""
    status = copy.deepcopy(WELL)
    change(status)
    return {each["name"]: (each["lamp"], each["text"]) for each in lamps(status) if each["lamp"] != "well"}


def test_all_is_well():
    assert looked(lambda status: None) == {}
    told = {each["name"]: each["text"] for each in lamps(WELL)}
    assert told["Folder in"] == "5 pictures"
    assert told["Camera camera"] == "7 pictures"
    assert told["Queue"] == "1 of 16 wait"
    assert told["Disk"] == "25 GB free"
    assert told["Record"] == "row 12"


def test_a_source_in_trouble_is_wrong():
    found = looked(lambda status: status["sources"][0].update(trouble="gone\u202e"))
    assert found == {"Folder in": ("wrong", "gone\\u202e")}


def test_a_queue_that_fills_or_has_lost_parts_needs_a_look():
    assert looked(lambda status: status["detectors"][0].update(waiting=9)) == {"Queue": ("look", "9 of 16 wait")}
    text = "1 of 16 wait; 3 parts found the queue full since the start"
    assert looked(lambda status: status["detectors"][0].update(refused=1, dropped=2)) == {"Queue": ("look", text)}


def test_drift_disk_record_and_outputs_can_be_wrong():
    def change(status):
        status["detectors"][0]["drift"]["tests"]["scores"]["alarm"] = True
        status["detectors"][0]["unrecorded"] = 2
        status["disk"]["trouble"] = "only 3 MB are free: free some space"
        status["outputs"][0].update(error="nobody answers", waiting=3)

    found = looked(change)
    assert set(found) == {"Drift", "Record", "Disk", "Mqtt"}
    assert {lamp for lamp, _ in found.values()} == {"wrong"}
    assert found["Mqtt"] == ("wrong", "nobody answers; 3 rows wait")
    assert looked(lambda status: status["outputs"][0].update(running=False)).keys() == {"Mqtt"}
    assert looked(lambda status: status.update(housekeeping="cut off")) == {"Record": ("wrong", "cut off")}


def test_drift_is_wrong_by_scores_and_needs_a_look_by_all_else():
    def change(status):
        status["detectors"][0]["drift"].update(alarm=True, changes=["brightness 50 -> 80 grey levels"])

    assert looked(change) == {"Drift": ("look", "brightness 50 -> 80 grey levels")}

    def change_more(status):
        change(status)
        status["detectors"][0]["drift"]["tests"]["scores"]["alarm"] = True

    assert looked(change_more)["Drift"][0] == "wrong"


def test_a_real_output_and_a_real_anchor_that_fail_are_told(station, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.serve.station.SWEEP_SECONDS", 0.0)
    swept = []
    monkeypatch.setattr(station.pictures, "sweep", lambda: swept.append(1))
    out = tmp_path / "out"
    station.outputs.append(JsonFolder(station.record, "results", out))
    (out / ".unfinished").parent.mkdir()
    (out / ".unfinished").write_text("in the way")
    station.record.add("result", {"detector": "tiny", "verdict": "good"})
    station.outputs[0].start()
    (station.settings.folder / "head").write_text("someone else's")

    def wrong():
        return {each["name"]: each["text"] for each in status_of(station)["lamps"] if each["lamp"] == "wrong"}

    wait_for(lambda: {"Results", "Record"} <= wrong().keys())
    assert "is not an anchor" in wrong()["Record"]
    assert "cannot write" in wrong()["Results"]
    wait_for(lambda: swept)  # or the disk would fill
    (out / ".unfinished").unlink()
    (station.settings.folder / "head").unlink()
    wait_for(lambda: not {"Results", "Record"} & wrong().keys())


def test_of_several_detectors_each_is_named():
    second = {**WELL["detectors"][0], "name": "tablet"}
    names = {each["name"] for each in lamps({**WELL, "detectors": [*WELL["detectors"], second]})}
    assert {"Queue pill", "Queue tablet", "Drift pill", "Drift tablet"} <= names
