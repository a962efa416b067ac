import errno
import functools
import threading
import time

import pytest

from flawspot.serve.station import Station

from ..conftest import grey, serving


def form(content, **fields):
    """A multipart form with a picture, as browsers and curl send it."""
    lines = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    lines.append('--x\r\nContent-Disposition: form-data; name="image"; filename="part 1.png"\r\n\r\n')
    body = "".join(lines).encode() + content + b"\r\n--x--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_picture_in_the_body(served):
    answer = served.post("/v1/predict?part_id=7&station=left", grey(150))
    found = answer.json
    assert answer.status == 200
    assert (found["verdict"], found["severity"], found["part"], found["station"]) == ("anomalous", 1.5, "7", "left")
    assert found["regions"][0]["box"] == [0, 0, 16, 16]
    assert found["artifact"] == served.station.inspection(None).loaded.sha256
    assert set(found["milliseconds"]) == {"waited", "judged", "whole"}
    assert served.get(found["picture_url"]).body == grey(150)
    row = served.station.record.row(found["number"])
    assert row.hash == found["hash"]


def test_a_picture_in_a_form(served):
    body, headers = form(grey(50), part_id="8")
    found = served.post("/v1/predict", body, headers=headers).json
    assert (found["verdict"], found["part"], found["name"]) == ("good", "8", "part 1.png")


@pytest.mark.parametrize("content", [b"garbage", grey(50)[:-30], b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
def test_what_is_no_picture_is_not_inspected_and_recorded(served, content):
    answer = served.post("/v1/predict", content)
    assert answer.status == 200
    assert answer.json["verdict"] == "not inspected"
    assert served.station.record.row(answer.json["number"]).content["verdict"] == "not inspected"


def test_what_is_asked_wrongly_is_told_in_one_line(served):
    for path, body, headers, status in (
        ("/v1/predict", b"", {}, 400),
        ("/v1/predict?detector=none", grey(5), {}, 404),
        ("/v1/predict?part=7", grey(5), {}, 400),
        ("/v1/predict?part_id=" + "x" * 300, grey(5), {}, 400),
        ("/v1/predict", b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        ("/v1/predict", b"no form", {"Content-Type": "multipart/form-data"}, 400),
        ("/v1/predict", grey(5), {"Idempotency-Key": "x" * 300}, 400),
    ):
        answer = served.post(path, body, headers=headers)
        assert answer.status == status, path
        assert set(answer.json) == {"error"}
        assert "\n" not in answer.json["error"]
    assert not served.station.record.results()


@pytest.mark.parametrize("charset", ["undefined", "unicode_escape", "idna", "zlib"])
def test_a_form_in_an_odd_encoding(served, charset):
    body, headers = form(grey(50), part_id="\\ud800")
    headers["Content-Type"] = f'multipart/form-data; charset="{charset}"; boundary=x'
    answer = served.post("/v1/predict", body, headers=headers)
    assert answer.status in (200, 400)
    assert served.get("/v1/status").json["detectors"][0]["unrecorded"] == 0


def test_a_form_that_finds_no_room(served, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", full)
    body, headers = form(grey(50))
    answer = served.post("/v1/predict", body, headers=headers)
    assert (answer.status, set(answer.json)) == (507, {"error"})
    assert "No space left" in answer.json["error"]


def test_the_same_request_twice_has_one_result(served):
    key = {"Idempotency-Key": "4711"}
    first = served.post("/v1/predict", grey(50), headers=key).json
    again = served.post("/v1/predict", grey(50), headers=key).json
    assert again["number"] == first["number"]
    assert len(served.station.record.results()) == 1


def test_a_key_that_was_used_before_gives_no_other_part_its_verdict(served):
    key = {"Idempotency-Key": "4711"}
    first = served.post("/v1/predict", grey(50), headers=key).json
    other = served.post("/v1/predict", grey(150), headers=key).json
    assert (first["verdict"], other["verdict"]) == ("good", "not inspected")
    assert f"row {first['number']} is of another picture" in other["reason"]
    assert served.station.record.row(other["number"]).content["verdict"] == "not inspected"
    assert served.post("/v1/predict", grey(50), headers=key).json["number"] == first["number"]
    assert served.post("/v1/predict", grey(50), headers={"Idempotency-Key": ""}).status == 400


def test_each_detector_judges_by_itself_what_has_the_same_key(tiny, settings):
    with Station({"left": tiny, "right": tiny}, settings) as station, serving(station) as served:
        key = {"Idempotency-Key": "4711"}
        sides = ("left", "right", "left")
        found = [served.post(f"/v1/predict?detector={side}", grey(50), headers=key).json for side in sides]
        assert [each["detector"] for each in found] == ["left", "right", "left"]
        assert found[0]["number"] == found[2]["number"] != found[1]["number"]


def test_the_same_key_from_many_at_once_has_one_result(served):
    answers = []
    ask = functools.partial(served.post, "/v1/predict", grey(50), headers={"Idempotency-Key": "4711"})
    asking = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len({answer.json["number"] for answer in answers if answer.status == 200}) == 1
    assert len(served.station.record.results()) == 1


def test_a_full_queue_refuses_and_counts(served, monkeypatch):
    detector = type(served.station.inspection(None).loaded.detector)
    predict = detector.predict
    monkeypatch.setattr(detector, "predict", lambda *a, **m: (time.sleep(0.2), predict(*a, **m))[1])
    monkeypatch.setattr(served.station.inspection(None)._queue, "maxsize", 2)
    answers = []
    asking = [threading.Thread(target=lambda: answers.append(served.post("/v1/predict", grey(50)))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    refused = [answer for answer in answers if answer.status == 503]
    assert refused
    assert {answer.json["verdict"] for answer in refused} == {"not inspected"}
    assert "Retry-After" in {name.title() for name in refused[0].headers}
    assert served.get("/v1/status").json["detectors"][0]["refused"] == len(refused)
    assert len(served.station.record.results()) == 8 - len(refused)


def test_a_full_disk_is_no_verdict(served):
    db = served.station.record._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    answers = [served.post(f"/v1/predict?part_id={'x' * 200}", grey(50)) for _ in range(30)]
    lost = [answer for answer in answers if answer.status == 507]
    assert lost
    assert {answer.json["verdict"] for answer in lost} == {"not inspected"}
    assert "not be recorded" in served.get("/v1/status").json["disk"]["trouble"]
    assert served.get("/v2/health/ready").status == 503
