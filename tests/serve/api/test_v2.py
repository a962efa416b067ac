"""The Open Inference Protocol: as its text has it, and as tritonclient speaks it where that is installed."""

import base64
import json
import time

import numpy as np
import pytest

from ..conftest import grey


def pixels(*levels, size=16):
    return np.stack([np.full((size, size, 3), level, np.uint8) for level in levels])


def asked(images, **more):
    tensor = {"name": "image", "datatype": "UINT8", "shape": list(images.shape), "data": images.ravel().tolist()}
    return {"inputs": [tensor], **more}


def outputs(answer):
    return {each["name"]: each for each in answer.json["outputs"]}


def test_health_and_what_there_is(served):
    assert served.get("/v2/health/live").json == {"live": True}
    assert served.get("/v2/health/ready").json == {"ready": True}
    assert served.get("/v2").json["name"] == "flawspot"
    model = served.get("/v2/models/tiny").json
    assert model["inputs"][0] == {"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}
    assert served.get("/v2/models/tiny/ready").json["ready"] is True
    assert served.get(f"/v2/models/tiny/versions/{model['versions'][0]}").status == 200
    assert served.get("/v2/models/tiny/versions/other").status == 404
    assert served.get("/v2/models/none").status == served.get("/v2/models/none/ready").status == 404


def test_pixels_as_json(served):
    answer = served.post("/v2/models/tiny/infer", asked(pixels(50, 150), id="7"))
    found = outputs(answer)
    assert answer.json["id"] == "7"
    assert found["score"]["data"] == [50.0, 150.0]
    assert found["severity"]["data"] == [0.5, 1.5]
    assert found["verdict"] == {"name": "verdict", "datatype": "BYTES", "shape": [2], "data": ["good", "anomalous"]}
    assert found["anomaly_map"]["shape"] == [2, 8, 8]
    assert [row.content["origin"] for row in served.station.record.results()] == ["v2", "v2"]


def test_files_as_base64_and_only_the_outputs_that_are_wanted(served):
    data = [base64.b64encode(grey(level)).decode() for level in (10, 200)]
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2], "data": data}
    answer = served.post("/v2/models/tiny/infer", {"inputs": [tensor], "outputs": [{"name": "verdict"}]})
    assert outputs(answer)["verdict"]["data"] == ["good", "anomalous"]
    assert list(outputs(answer)) == ["verdict"]


def test_bytes_after_the_json(served):
    images = pixels(50, 150)
    tensor = {"name": "image", "datatype": "UINT8", "shape": list(images.shape)}
    tensor["parameters"] = {"binary_data_size": images.nbytes}
    wanted = [{"name": name, "parameters": {"binary_data": True}} for name in ("score", "verdict")]
    head = json.dumps({"inputs": [tensor], "outputs": wanted}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    answer = served.post("/v2/models/tiny/infer", head + images.tobytes(), headers=headers)
    length = int({name.lower(): value for name, value in answer.headers.items()}["inference-header-content-length"])
    assert np.frombuffer(answer.body[length : length + 8], "<f4").tolist() == [50.0, 150.0]
    assert answer.body[length + 8 :] == b"\4\0\0\0good\x09\0\0\0anomalous"


def test_a_picture_that_is_not_inspected_makes_the_whole_an_error(served):
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2]}
    tensor["data"] = [base64.b64encode(each).decode() for each in (grey(10), b"garbage")]
    answer = served.post("/v2/models/tiny/infer", {"inputs": [tensor]})
    assert answer.status == 422
    assert "picture 1 was not inspected" in answer.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"inputs": 5}',
        b'{"inputs": []}',
        b'{"inputs": [{"name": "other", "datatype": "UINT8", "shape": [1], "data": [1]}]}',
        b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [1]}]}',
        b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 256]}]}',
        b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, "x"]}]}',
        b'{"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 1, 1, 3], "data": [1, 2, 3]}]}',
        b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 3], "data": []}]}',
        b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [99999999, 99999999], "data": []}]}',
        b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["***"]}]}',
        b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [2], "data": ["QQ=="]}]}',
        b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [0], "data": []}]}',
        b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["QQ=="]}],'
        b' "outputs": [{"name": "x"}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_as_the_protocol_has_it(served, body):
    answer = served.post("/v2/models/tiny/infer", body)
    assert answer.status == 400
    assert set(answer.json) == {"error"}
    assert not served.station.record.results()


def test_as_tritonclient_speaks_it(served):
    client_package = pytest.importorskip("tritonclient.http")
    client = client_package.InferenceServerClient(f"127.0.0.1:{served.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.get_model_metadata("tiny")["name"] == "tiny"
    images = pixels(50, 150)
    given = client_package.InferInput("image", list(images.shape), "UINT8")
    for binary in (True, False):
        given.set_data_from_numpy(images, binary_data=binary)
        wanted = [client_package.InferRequestedOutput(name, binary_data=binary) for name in ("score", "verdict")]
        found = client.infer("tiny", [given], outputs=wanted, request_id="4711")
        assert found.as_numpy("score").tolist() == [50.0, 150.0]
        assert [bytes(each) if binary else each.encode() for each in found.as_numpy("verdict")] == [
            b"good",
            b"anomalous",
        ]
    client.close()


def test_more_pictures_than_the_queue_has_room_for(served):
    answer = served.post("/v2/models/tiny/infer", asked(pixels(*range(64)), outputs=[{"name": "score"}] * 2))
    assert outputs(answer)["score"]["data"] == [float(level) for level in range(64)]


@pytest.mark.parametrize("shape", [[0, 4, 4, 3], [1, 0, 4, 3], [-1, -4, 4, 3], [2**62, 2**62], ["9" * 4000] * 5000])
def test_shapes_that_cannot_be_cost_nothing(served, shape):
    body = json.dumps({"inputs": [{"name": "image", "datatype": "UINT8", "shape": shape, "data": [0] * 48}]})
    begin = time.process_time()
    answer = served.post("/v2/models/tiny/infer", body.replace('"9', "9").replace('9"', "9").encode())
    assert (answer.status, set(answer.json)) == (400, {"error"})
    assert time.process_time() - begin < 30  # the product of the last has 20 million digits


def test_json_that_would_fill_the_memory_is_not_read(served):
    data = b"[]," * 3_000_000 + b"[]"
    begin = time.process_time()
    body = b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1], "data": [' + data + b"]}]}"
    answer = served.post("/v2/models/tiny/infer", body)
    assert (answer.status, set(answer.json)) == (413, {"error"})
    assert time.process_time() - begin < 5
    assert served.post("/v2/models/tiny/infer", asked(pixels(50, size=16))).status == 200


def test_an_id_that_is_no_text(served):
    tensor = asked(pixels(50))["inputs"]
    assert served.post("/v2/models/tiny/infer", {"inputs": tensor, "id": "\ud800"}).status == 400
    assert not served.station.record.results()
