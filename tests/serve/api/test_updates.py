"""An update by the API: who may ask for one, what may be asked, and what is told of it."""

import pytest

from flawspot.serve.station import Station
from flawspot.serve.tokens import Role, Tokens

from ..conftest import pass_by, say, serving, wait_for

PATH = "/v1/artifacts/part/update"


@pytest.fixture
def guarded(line):
    """The station that can be updated, with the tokens of a viewer, an operator and an engineer."""
    tokens = Tokens(line.settings.folder / "tokens.json")
    given = {role.name.lower(): tokens.add(role.name.lower(), role) for role in Role}
    with serving(line, tokens) as found:
        yield found, given


def test_asked_for_made_and_approved(guarded):
    served, tokens = guarded
    engineer, station = tokens["engineer"], served.station
    for row in station.record.results():
        say(station, row.number, "false alarm" if row.content["verdict"] == "anomalous" else "confirmed")
    for role in ("viewer", "operator"):
        assert served.post(PATH, {}, token=tokens[role]).status == 403
    assert served.post(PATH, {}).status == 401
    assert served.get(PATH).status == 401
    told = served.get(PATH, token=tokens["viewer"]).json
    assert (told["state"], told["cannot"]) == ("none", None)
    since = station.record.results()[-1].time
    assert served.post(PATH, {"since": since, "sample": 0, "seed": 1}, token=engineer).json["state"] == "running"
    wait_for(lambda: served.get(PATH, token=engineer).json["state"] != "running", 120)
    told = served.get(PATH, token=tokens["viewer"]).json
    assert (told["state"], told["by"], told["since"]) == ("made", "engineer", since)
    assert (told["pictures"]["sampled"], told["report"]["learned"] + told["report"]["held_out"]) == (0, 8)
    path = "/v1/artifacts/part"
    wait_for(lambda: served.get(path, token=engineer).json["candidate"]["state"] == "tried", 120)
    found = served.get(path, token=engineer).json
    assert found["update"] == served.get(PATH, token=engineer).json
    assert (found["candidate"]["sha256"], found["candidate"]["update_of"]) == (told["candidate"], found["artifact"])
    refused = served.post(PATH, {}, token=engineer)
    assert (refused.status, "waits: approve it or turn it down" in refused.json["error"]) == (409, True)
    assert served.post(f"{path}/approve", {"artifact": told["candidate"]}, token=engineer).status == 200
    assert served.get(path, token=engineer).json["artifact"] == told["candidate"]


def test_a_candidate_is_turned_down(guarded, updatable):
    served, tokens = guarded
    path, engineer = "/v1/artifacts/part", tokens["engineer"]
    sent = served.post(path, updatable.read_bytes(), token=engineer).json["sha256"]
    down = f"{path}/turn-down"
    assert served.post(down, {"artifact": sent}, token=tokens["operator"]).status == 403
    assert served.post(down, {"artifact": "0" * 64}, token=engineer).status == 409
    assert served.post(down, {}, token=engineer).status == 400
    assert served.post(down, {"artifact": sent}, token=engineer).json == {"artifact": sent}
    assert served.get(path, token=engineer).json["candidate"] is None
    (row,) = served.station.record.of_kind("candidate")
    assert (row.content["how"], row.content["by"], row.content["artifact"]) == ("turned down", "engineer", sent)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"since": "never"}, "is not a time"),
        ({"since": 5}, "since is 5"),
        ({"sample": -1}, "sample is -1: give a whole number from 0 to 1000"),
        ({"sample": "50"}, "sample is 50"),
        ({"seed": 2**40}, "seed is"),
        ({"pictures": []}, "an update has no field 'pictures'"),
        ([], "not a JSON object"),
    ],
)
def test_what_is_asked_wrongly_is_refused(served, content, told):
    answer = served.post("/v1/artifacts/tiny/update", content)
    assert answer.status == 400
    assert told in answer.json["error"]


def test_a_detector_that_cannot_be_updated_says_why(served):
    answer = served.post("/v1/artifacts/tiny/update")
    assert answer.status == 409
    assert "is not at the station: put the .state file" in answer.json["error"]
    assert served.get("/v1/artifacts/tiny/update").json["cannot"] == answer.json["error"]
    assert served.post("/v1/artifacts/none/update").status == 404


def test_a_failure_is_told(updatable, settings):
    with Station({"part": updatable}, settings) as station, serving(station) as served:
        assert served.post(PATH).status == 202
        wait_for(lambda: served.get(PATH).json["state"] == "failed")
        assert "no picture to learn from" in served.get(PATH).json["reason"]
        pass_by(station, [500])
        assert served.get(PATH).json["cannot"] is None


def test_it_is_described(served):
    paths = served.get("/openapi.json").json["paths"]
    assert set(paths["/v1/artifacts/{name}/update"]) == {"get", "post"}
    assert "candidate" in paths["/v1/artifacts/{name}/update"]["post"]["summary"]
    assert "turn-down" in str(sorted(paths))
