"""``flawspot serve`` as its users meet it."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from flawspot.serve.station import Settings, Station


@pytest.fixture
def start(tiny, tmp_path):
    """Start a station as a process; gives it and its port once it answers."""
    processes = []

    def run(*arguments, artifact=tiny):
        command = [
            sys.executable,
            "-m",
            "flawspot",
            "serve",
            str(artifact),
            "--folder",
            str(tmp_path / "st"),
            "--port",
            "0",
        ]
        process = subprocess.Popen(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        line = process.stdout.readline()
        found = re.search(r":(\d+)/", line)
        assert found, process.stderr.read()
        return process, int(found[1])

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def ask(port, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_answers_and_ends_cleanly(start, number, code, tmp_path, small):
    process, port = start("--name", "line 3", "--results", tmp_path / "out")
    photograph = small.read_bytes()
    assert ask(port, "POST", "/v1/predict", photograph)[1]["verdict"] == "not inspected"
    status = ask(port, "GET", "/v1/status")[1]
    assert (status["station"], status["outputs"][0]["name"]) == ("line 3", "results")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == "0 parts inspected, 1 not inspected\n"
    assert err.count("\n") == 1
    assert "everybody on this machine may do everything here" in err


def test_a_second_station_in_the_same_folder_is_refused(start, flawspot, tiny, tmp_path):
    start()
    code, _, err = flawspot("serve", tiny, "--folder", tmp_path / "st", "--port", 0)
    assert code == 1
    assert "another station works in" in err


def test_with_tokens_strangers_are_refused(start, flawspot, tmp_path):
    code, out, _ = flawspot("tokens", "add", tmp_path / "st", "--role", "operator", "--name", "anna")
    assert code == 0
    token = max(out.split(), key=len)
    _, port = start("--address", "0.0.0.0")
    assert ask(port, "GET", "/v1/status")[0] == 401
    assert ask(port, "GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})[0] == 200


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "there is no detector"),
        (["nowhere.onnx"], "there is no file nowhere.onnx: give the .onnx file that `flawspot train` wrote"),
        (["TINY", "--address", "0.0.0.0"], "flawspot tokens add"),
        (["TINY", "TINY"], "two detectors are called tiny"),
        (["a b/c=TINY"], "cannot name a detector"),
        (["TINY", "--watch", "nowhere"], "there is no folder nowhere to watch"),
        (["TINY", "--tls-key", "k.pem"], "go together"),
        (["TINY", "--tls-key", "k.pem", "--tls-certificate", "c.pem"], "c.pem"),
        (["TINY", "--webhook", "ftp://x"], "ftp://x"),
        (["TINY", "--webhook-secret", "s.txt"], "is for --webhook: give that too"),
        (["TINY", "--mqtt", "broker:99999"], "is not a port"),
        (["TINY", "--port", "BUSY"], "BUSY"),
        (["a=TINY", "b=TINY", "--watch", "."], "there are several detectors"),
    ],
)
def test_mistakes_are_told_in_one_line(flawspot, tiny, tmp_path, arguments, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        given = [text.replace("TINY", str(tiny)).replace("BUSY", port) for text in arguments]
        code, out, err = flawspot("serve", *given, "--folder", tmp_path / "st")
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 1
    assert len(errors) == 1
    assert told.replace("BUSY", port) in errors[0]
    assert not out
    again, *_ = flawspot("audit", "verify", tmp_path / "st")
    assert again in (0, 1)  # the folder is free again


def test_a_check_changes_nothing(flawspot, tiny, tmp_path):
    """Neither where there is no station yet, nor the record of one that was started with another artifact."""
    station = tmp_path / "line" / "station"
    line = ("--folder", station, "--port", "0", "--check")
    code, out, _ = flawspot("serve", f"part={tiny}", *line)
    assert (code, out.strip().endswith("everything is ready; nothing was started")) == (0, True)
    assert not station.parent.exists()
    with Station({"part": tiny}, Settings(station)).abandoned_on_error():
        pass

    def kept():  # beside what SQLite makes where anybody reads
        files = [path for path in station.rglob("*") if path.is_file() and path.suffix[7:] not in ("-shm", "-wal")]
        return {path: path.read_bytes() for path in files}

    before = kept()
    assert flawspot("serve", f"other={tiny}", *line)[0] == 0
    assert kept() == before


def test_a_check_while_a_station_works_there(start, flawspot, tiny, tmp_path):
    """It may be the one that is to be replaced, at the same port."""
    _, port = start()
    code, out, err = flawspot("serve", f"part={tiny}", "--folder", tmp_path / "st", "--port", port, "--check")
    assert code == 0
    assert "everything is ready; nothing was started" in out
    assert "another station works in" in err


def test_a_check_does_not_train_the_demo(flawspot, tmp_path):
    code, _, err = flawspot("serve", "--demo", "--check", "--folder", tmp_path / "st")
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert "leave one out" in err


@pytest.mark.parametrize("name", ["pictures", "artifacts", "drift"])
@pytest.mark.parametrize(
    ("option", "told"),
    [("--watch", "the station keeps its own files in"), ("--results", "where the station keeps its own files")],
)
def test_a_check_refuses_the_stations_own_folders(option, told, name, flawspot, tiny, tmp_path):
    (tmp_path / name).mkdir()
    line = ("--folder", tmp_path, option, tmp_path / name, "--port", "0", "--check")
    code, _, err = flawspot("serve", f"part={tiny}", *line)
    assert code == 1
    assert told in err
