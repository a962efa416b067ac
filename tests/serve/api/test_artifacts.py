from ..conftest import grey, wait_for


def test_sent_tried_approved_and_taken_back(guarded, stricter):
    served, tokens = guarded
    engineer = tokens["engineer"]
    served.post("/v1/predict", grey(70), token=engineer)
    sent = served.post("/v1/artifacts/tiny", stricter, token=engineer)
    assert sent.status == 202
    path = "/v1/artifacts/tiny"
    wait_for(lambda: served.get(path, token=engineer).json["candidate"]["state"] == "tried")
    candidate = served.get(path, token=engineer).json["candidate"]
    assert [(each["before"], each["after"]) for each in candidate["changed"]] == [("good", "anomalous")]
    for role in ("viewer", "operator"):
        assert served.post(f"{path}/approve", {"artifact": candidate["sha256"]}, token=tokens[role]).status == 403
    assert served.post(f"{path}/approve", {"artifact": "0" * 64}, token=engineer).status == 409
    assert served.post(f"{path}/approve", {}, token=engineer).status == 400
    assert served.post(f"{path}/approve", {"artifact": candidate["sha256"]}, token=engineer).status == 200
    assert served.post("/v1/predict", grey(70), token=engineer).json["verdict"] == "anomalous"
    assert served.post(f"{path}/back", {}, token=engineer).status == 200
    assert served.post("/v1/predict", grey(70), token=engineer).json["verdict"] == "good"
    history = served.get(path, token=tokens["viewer"]).json["history"]
    assert [(each["how"], each["by"]) for each in history[:2]] == [
        ("rolled back", "engineer"),
        ("approved", "engineer"),
    ]


def test_what_is_no_artifact_is_told(served):
    for content in (b"", b"x" * 1000, grey(5)):
        answer = served.post("/v1/artifacts/tiny", content)
        assert answer.status in (400, 409)
        assert set(answer.json) == {"error"}
    assert served.get("/v1/artifacts/none").status == 404
