"""What is well at a station, what needs a look, what is wrong."""

import copy

from flawspot.serve.lamps import lamps

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
            "drift": {"alarm": False, "evidence": 0.0, "parts": 9},
        }
    ],
    "outputs": [{"name": "mqtt", "trouble": None}],
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
    text = "1 of 16 wait; 3 parts found no room since the start"
    assert looked(lambda status: status["detectors"][0].update(refused=1, dropped=2)) == {"Queue": ("look", text)}


def test_drift_disk_record_and_outputs_can_be_wrong():
    def change(status):
        status["detectors"][0]["drift"]["alarm"] = True
        status["detectors"][0]["unrecorded"] = 2
        status["disk"]["trouble"] = "only 3 MB are free: free some space"
        status["outputs"][0]["trouble"] = "nobody answers"

    found = looked(change)
    assert set(found) == {"Drift", "Record", "Disk", "Mqtt"}
    assert {lamp for lamp, _ in found.values()} == {"wrong"}


def test_of_several_detectors_each_is_named():
    second = {**WELL["detectors"][0], "name": "tablet"}
    names = {each["name"] for each in lamps({**WELL, "detectors": [*WELL["detectors"], second]})}
    assert {"Queue pill", "Queue tablet", "Drift pill", "Drift tablet"} <= names
