import datetime
import errno
import io
import urllib.parse
import zipfile

import numpy as np
import pytest
from PIL import Image

from ..conftest import grey


@pytest.fixture
def some(served):
    """Eight results of grey levels 20, 40, ..., 160; those above 100 are anomalous."""
    return served, [served.post(f"/v1/predict?part_id={level}", grey(level)).json for level in range(20, 161, 20)]


def test_by_filter_and_page(some):
    served, found = some
    page = served.get("/v1/results?limit=3").json
    assert [each["part"] for each in page["results"]] == ["160", "140", "120"]
    page = served.get(f"/v1/results?limit=3&before={page['before']}").json
    assert [each["part"] for each in page["results"]] == ["100", "80", "60"]
    bad = served.get("/v1/results?verdict=anomalous").json["results"]
    assert [each["part"] for each in bad] == ["160", "140", "120"]
    assert served.get(f"/v1/results/{found[0]['number']}").json["part"] == "20"
    for path, status in (("/v1/results?verdict=x", 400), ("/v1/results?limit=-1", 400), ("/v1/results/999", 404)):
        answer = served.get(path)
        assert (answer.status, set(answer.json)) == (status, {"error"})


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 5000, "x", "1e3"])
def test_numbers_that_no_result_has(some, number):
    served, _ = some
    assert served.get(f"/v1/results/{number}").status == 404
    assert served.post(f"/v1/results/{number}/words", {"word": "hold"}).status == 404
    assert served.get("/v1/results?limit=0").json == {"results": [], "before": None}


def test_times_are_moments_and_no_texts(some):
    served, found = some
    moment = datetime.datetime.fromisoformat(found[3]["time"])
    for zone in (datetime.UTC, datetime.timezone(datetime.timedelta(hours=9))):
        since = urllib.parse.quote(moment.astimezone(zone).isoformat())
        assert len(served.get(f"/v1/results?since={since}").json["results"]) == 5
        assert len(served.get(f"/v1/results?until={since}").json["results"]) == 3
        assert len(served.get(f"/v1/results.csv?until={since}").body.splitlines()) == 4
    for wrong in ("since=yesterday", "until=2026-01-31T12:00:00+01:00"):  # + is a space there
        answer = served.get(f"/v1/results?{wrong}")
        assert (answer.status, "is not a time" in answer.json["error"]) == (400, True)


def test_as_csv_that_a_spreadsheet_does_not_run(served):
    served.post("/v1/predict?part_id=%3DHYPERLINK(1)", grey(50))
    lines = served.get("/v1/results.csv").body.decode().splitlines()
    assert lines[0].startswith("number,time,detector,part")
    assert ",'=HYPERLINK(1)," in lines[1]


def test_people_say_what_a_part_was(some):
    served, found = some
    path = f"/v1/results/{found[-1]['number']}/words"
    answer = served.post(path, {"word": "false alarm", "note": "a drop of oil"})
    assert answer.status == 201
    assert served.get("/v1/results?word=false%20alarm").json["results"][0]["number"] == found[-1]["number"]
    told = served.get(f"/v1/results/{found[-1]['number']}").json
    assert told["words"][0]["note"] == "a drop of oil"
    assert served.station.record.words_on(found[-1]["number"])[0].content["by"] == "who is at this machine"
    for wrong in (
        {"word": "x"},
        {},
        [],
        {"word": "missed defect", "boxes": [[0, 0, 99, 5]]},
        {"word": "missed defect", "boxes": [[5, 0, 5, 5]]},
        {"word": "missed defect", "boxes": "all"},
        {"word": "hold", "note": 5},
        {"word": "hold", "note": "x" * 2000},
        {"word": "hold", "note": "\ud800"},
        {"word": ["x"] * 10_000},
    ):
        answer = served.post(path, wrong)
        assert (answer.status, len(answer.body) < 300) == (400, True), wrong
    assert served.post(path, b"{").status == 400
    assert served.post(path, {"word": "hold", "more": [[]] * 50_000}).status == 413
    assert served.post("/v1/results/999/words", {"word": "hold"}).status == 404


def test_pictures_and_no_other_files(some):
    served, found = some
    picture = found[0]["picture"]
    assert served.get(f"/v1/pictures/{picture}").body == grey(20)
    view = served.get(f"/v1/pictures/{picture}/view?side=16")
    assert Image.open(io.BytesIO(view.body)).size == (16, 16)
    for name in ("..%2Frecord.sqlite", "%2e%2e/record.sqlite", "x", "0" * 64, picture.upper()):
        assert served.get(f"/v1/pictures/{name}").status == 404
    broken = served.post("/v1/predict", b"garbage").json["picture"]
    assert served.get(f"/v1/pictures/{broken}").headers["content-type"] == "application/octet-stream"
    assert served.get(f"/v1/pictures/{broken}/view").status == 415


def test_the_trade_off_on_what_people_have_confirmed(some):
    served, found = some
    for each, word in zip(found, ("confirmed", "missed defect", *["confirmed"] * 5, "false alarm"), strict=True):
        served.post(f"/v1/results/{each['number']}/words", {"word": word})
    told = served.get("/v1/threshold").json
    assert (told["good"], told["defective"], told["present"]) == (5, 3, 100.0)
    at = {point["threshold"]: (point["false_alarms"], point["missed"]) for point in told["points"]}
    assert at[100.0] == (1, 1)  # 160 was a false alarm, 40 a missed defect; 120 and 140 are found
    assert at[20.0] == (4, 0)
    assert at[160.0] == (0, 3)


def test_confirmed_pictures_as_a_folder_to_learn_from(some, tmp_path):
    served, found = some
    assert served.get("/v1/confirmed.zip").status == 409
    served.post(f"/v1/results/{found[0]['number']}/words", {"word": "missed defect", "boxes": [[2, 4, 10, 12]]})
    served.post(f"/v1/results/{found[-1]['number']}/words", {"word": "false alarm"})
    served.post(f"/v1/results/{found[-2]['number']}/words", {"word": "confirmed"})
    with zipfile.ZipFile(io.BytesIO(served.get("/v1/confirmed.zip?unconfirmed=1").body)) as archive:
        archive.extractall(tmp_path / "out")
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    folders = [name.rpartition("/")[0] for name in names]
    assert folders == ["ground_truth/defect"] * 2 + ["test/defect"] * 2 + ["test/good"] + ["train/good"] * 4
    mask = np.asarray(Image.open(tmp_path / "out" / names[0]))
    assert mask.shape == (16, 16)
    assert (mask[4:12, 2:10] == 255).all()
    assert (mask == 255).sum() == 64
    from flawspot.data.layouts import open_folder

    assert len(open_folder(tmp_path / "out").test) == 3


def test_a_word_on_what_could_not_be_inspected_breaks_no_export(served):
    number = served.post("/v1/predict", b"garbage").json["number"]
    said = {"word": "missed defect", "boxes": [[0, 0, 2_000_000_000, 2_000_000_000]]}
    assert served.post(f"/v1/results/{number}/words", said).status == 400
    assert served.post(f"/v1/results/{number}/words", {"word": "missed defect"}).status == 201
    with zipfile.ZipFile(io.BytesIO(served.get("/v1/confirmed.zip").body)) as archive:
        assert archive.namelist() == [f"test/defect/{number:08}.bin"]


def test_an_export_that_finds_no_room(some, monkeypatch):
    served, found = some
    served.post(f"/v1/results/{found[0]['number']}/words", {"word": "confirmed"})

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    answer = served.get("/v1/confirmed.zip")
    assert (answer.status, set(answer.json)) == (507, {"error"})


def test_a_part_on_hold_keeps_what_was_said_of_it(some):
    served, found = some
    for word in ("missed defect", "hold"):
        served.post(f"/v1/results/{found[0]['number']}/words", {"word": word})
    for word in ("missed%20defect", "hold", "any"):
        assert [each["number"] for each in served.get(f"/v1/results?word={word}").json["results"]] == [
            found[0]["number"]
        ]
    served.post(f"/v1/results/{found[0]['number']}/words", {"word": "release"})
    assert not served.get("/v1/results?word=hold").json["results"]
    assert served.get("/v1/results?word=missed%20defect").json["results"]
    for wrong in ("word=oops", "colour=red"):
        assert served.get(f"/v1/results?{wrong}").status == 400
