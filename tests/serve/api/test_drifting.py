"""Drift by the API: what the tests say, and who may start them anew."""

from ..conftest import grey, wait_for


def test_each_role_may_what_it_may(guarded):
    served, tokens = guarded
    assert served.get("/v1/drift/tiny").status == served.post("/v1/drift/tiny/anew").status == 401
    for role in ("viewer", "operator"):
        assert served.get("/v1/drift/tiny", token=tokens[role]).status == 200
        assert served.post("/v1/drift/tiny/anew", token=tokens[role]).status == 403
    assert not served.station.record.of_kind("drift")
    assert served.post("/v1/drift/tiny/anew", token=tokens["engineer"]).status == 200
    (row,) = served.station.record.of_kind("drift")
    assert row.content["by"] == "engineer"


def test_they_are_started_anew_and_the_record_says_what_they_said(served):
    for level in (50, 60, 150):
        served.post("/v1/predict", grey(level))
    wait_for(lambda: served.get("/v1/drift/tiny").json["parts"] == 2)
    before = served.get("/v1/drift/tiny").json
    assert before["history"] == []
    row = served.post("/v1/drift/tiny/anew").json
    assert (row["kind"], row["how"], row["detector"]) == ("drift", "started anew", "tiny")
    assert row["said"] == {key: value for key, value in before.items() if key != "history"}
    after = served.get("/v1/drift/tiny").json
    assert (after["parts"], after["history"]) == (0, [row])
    assert after["since"] > before["since"]
    assert served.get("/v1/status").json["detectors"][0]["drift"] == {
        key: value for key, value in after.items() if key != "history"
    }


def test_other_sites_and_other_names_are_refused(served):
    assert served.post("/v1/drift/tiny/anew", headers={"Origin": "http://evil.example"}).status == 403
    assert served.post("/v1/drift/none/anew").status == served.get("/v1/drift/none").status == 404
    assert served.get("/v1/drift/tiny/anew").status == 405
    assert not served.station.record.of_kind("drift")


def test_it_is_described(served):
    paths = served.get("/openapi.json").json["paths"]
    assert set(paths["/v1/drift/{name}"]) == {"get"}
    assert "anew" in paths["/v1/drift/{name}/anew"]["post"]["summary"]


def test_the_page_starts_them_anew(served):
    served.post("/v1/predict", grey(50))
    wait_for(lambda: served.get("/v1/drift/tiny").json["parts"] == 1)
    assert "Start the drift tests anew" in served.get("/engineer").body.decode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = served.post("/engineer/tiny", b"do=anew", headers=form)
    assert (answer.status, answer.headers["location"]) == (303, "/engineer?detector=tiny#drift")
    assert served.get("/v1/drift/tiny").json["parts"] == 0
    assert "started anew by who is at this machine after 1 good part; no alarm" in served.get("/engineer").body.decode()
