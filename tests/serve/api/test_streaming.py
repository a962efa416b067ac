import datetime
import http.client
import json
import sys
import time

import pytest

from flawspot.data.appearance import UNITS
from flawspot.serve.status import midnight
from flawspot.serve.tokens import Tokens

from ..conftest import grey, wait_for


def listening(port, *, last=None):
    """A connection to the events, its first line read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/events", headers={} if last is None else {"Last-Event-ID": str(last)})
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.readline() == b"retry: 1000\n"
    return connection, answer


def events(answer, count):
    """The next events: (number, kind, content)."""
    found, number, kind = [], None, None
    while len(found) < count:
        line = answer.readline().decode().rstrip("\n")
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            found.append((number, kind, json.loads(value)))
    return found


def test_results_and_words_as_they_come(served):
    connection, answer = listening(served.port)
    time.sleep(0.1)
    first = served.post("/v1/predict", grey(150)).json["number"]
    served.post(f"/v1/results/{first}/words", {"word": "confirmed"})
    found = events(answer, 2)
    assert [(number, kind) for number, kind, _ in found] == [(first, "result"), (first + 1, "word")]
    assert found[0][2]["verdict"] == "anomalous"
    connection.close()


def test_who_comes_again_gets_what_was_missed(served):
    numbers = [served.post("/v1/predict", grey(level)).json["number"] for level in (10, 20, 30)]
    connection, answer = listening(served.port, last=numbers[0])
    assert [number for number, _, _ in events(answer, 2)] == numbers[1:]
    connection.close()


def test_a_listener_that_does_not_read_is_let_go_and_others_go_on(served):
    deaf, _ = listening(served.port)
    time.sleep(0.1)
    for number in range(300):
        served.station.events.tell("result", {"number": None, "padding": "x" * 5000, "count": number})
    connection, answer = listening(served.port)
    time.sleep(0.1)
    served.post("/v1/predict", grey(50))
    assert events(answer, 1)[0][1] == "result"
    connection.close()
    deaf.close()


def test_metrics(served):
    for content in (grey(50), grey(150), b"garbage"):
        served.post("/v1/predict", content)
    # Parts are counted after they were answered.
    wait_for(lambda: 'verdict="not inspected"} 1.0' in served.get("/metrics").body.decode())
    text = served.get("/metrics").body.decode()
    for line in (
        'flawspot_parts_total{detector="tiny",verdict="good"} 1.0',
        'flawspot_parts_total{detector="tiny",verdict="anomalous"} 1.0',
        'flawspot_parts_total{detector="tiny",verdict="not inspected"} 1.0',
        'flawspot_severity_bucket{detector="tiny",le="1.0"} 1.0',
        'flawspot_waiting{detector="tiny"} 0.0',
        'flawspot_drift_evidence{detector="tiny"} 0.0',
        'flawspot_drift_looks_evidence{detector="tiny"} 0.0',
        'flawspot_drift_measure_evidence{detector="tiny",measure="shift down"} 0.0',
        'flawspot_drift_verdicts_evidence{detector="tiny"} 0.0',
        'flawspot_drift_alarm{detector="tiny"} 0.0',
    ):
        assert line in text
    assert "flawspot_disk_free_bytes" in text


def test_the_status(served):
    served.post("/v1/predict", grey(150))
    status = served.get("/v1/status").json
    assert status["today"] == {"good": 0, "anomalous": 1, "not inspected": 0}
    assert status["disk"]["trouble"] is None or "are free" in status["disk"]["trouble"]
    assert status["detectors"][0]["name"] == "tiny"
    assert status["record"]["number"] == served.station.record.last.number


def test_the_status_outlives_a_change_that_lasts(served):
    drift = served.station.drift("tiny").scores
    for number in range(3000):
        drift.add(number / 50)  # a lamp that fades: each part looks worse than all before
    told = served.get("/v1/status").json["detectors"][0]["drift"]
    assert (told["alarm"], told["evidence"], told["parts"]) == (True, 12.0, 3000)
    text = served.get("/metrics").body.decode()
    assert 'flawspot_drift_evidence{detector="tiny"} 12.0' in text
    assert 'flawspot_drift_alarm{detector="tiny"} 1.0' in text


def test_an_alarm_of_verdicts_alone_is_seen_by_programs(served):
    share = served.station.drift("tiny").share
    for number in range(200):
        share.add(number > 100)
    told = served.get("/v1/status").json["detectors"][0]["drift"]
    assert (told["alarm"], told["evidence"], told["parts"]) == (True, 0.0, 0)
    assert told["changes"] == [str(share)]
    verdicts = told["tests"]["verdicts"]
    assert (verdicts["alarm"], told["tests"]["scores"]["alarm"], told["tests"]["looks"]["alarm"]) == (
        True,
        False,
        False,
    )
    assert set(told["tests"]["looks"]["measures"]) == set(UNITS)
    text = served.get("/metrics").body.decode()
    assert f'flawspot_drift_verdicts_evidence{{detector="tiny"}} {verdicts["evidence"]}' in text
    assert 'flawspot_drift_evidence{detector="tiny"} 0.0' in text
    assert 'flawspot_drift_alarm{detector="tiny"} 1.0' in text


@pytest.mark.skipif(sys.platform == "win32", reason="time zones cannot be set")
@pytest.mark.parametrize(
    ("day", "begun"),
    [(28, "2026-03-27T23:00:00.000000Z"), (29, "2026-03-28T23:00:00.000000Z"), (30, "2026-03-29T22:00:00.000000Z")],
)
def test_today_begins_at_midnight_when_the_clocks_change_too(monkeypatch, day, begun):
    with monkeypatch.context() as there:
        there.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert midnight(datetime.datetime(2026, 3, day, 12)) == begun
    time.tzset()


def test_who_is_no_longer_known_hears_no_more(guarded):
    served, tokens = guarded
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/events", headers={"Authorization": f"Bearer {tokens['viewer']}"})
    answer = connection.getresponse()
    assert answer.readline() == b"retry: 1000\n"
    Tokens(served.station.settings.folder / "tokens.json").remove("viewer")
    served.post("/v1/predict", grey(150), token=tokens["operator"])
    assert answer.read() == b"\n"
    connection.close()
