"""Results to a web server that fails, hangs, drips and dies: at least once, in order, and signed."""

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.outputs.webhook import Webhook


class Receiver(ThreadingHTTPServer):
    """Answers requests one after the other as `plan` says: a status, or ``hang``, ``die``, ``die late``, ``drip``."""

    daemon_threads = True

    def __init__(self, port=0, tls=None):
        super().__init__(("127.0.0.1", port), Answering)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.plan, self.taken, self.ended = [], [], threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/results?line=1"

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        step = server.plan.pop(0) if server.plan else 200
        if step == "die":  # before it has read anything
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the sender was killed in the middle
            return
        if step == "hang":
            server.ended.wait(30)
            return
        if step == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not server.ended.wait(0.05):
                self.wfile.write(b"X: y\r\n"[:1])
            return
        if step in (200, 204, "die late"):
            server.taken.append((dict(self.headers), self.path, body))
        if step == "die late":  # it was taken, and nobody is told
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(step)
        if step == 302:
            self.send_header("Location", server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


def numbers(receiver):
    return [json.loads(body)["number"] for _, _, body in receiver.taken]


def test_what_is_sent(record, add, running, eventually, receiver, tmp_path):
    (tmp_path / "secret").write_text("a key\n", encoding="utf-8")
    output = running(Webhook(record, "mes", receiver.url, secret=tmp_path / "secret"))
    rows = [add(index) for index in range(3)]
    output.nudge()
    eventually(lambda: len(receiver.taken) == 3)
    for row, (headers, path, body) in zip(rows, receiver.taken, strict=True):
        assert json.loads(body) == row.as_dict()
        assert path == "/results?line=1"
        assert headers["X-Flawspot-Row"] == str(row.number)
        assert headers["Content-Type"] == "application/json"
        expected = hmac.new(b"a key", body, hashlib.sha256).hexdigest()
        assert headers["X-Flawspot-Signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed(record, add, running, eventually, receiver):
    running(Webhook(record, "mes", receiver.url))
    add(0)
    eventually(lambda: receiver.taken)
    assert "X-Flawspot-Signature" not in receiver.taken[0][0]


def test_a_receiver_that_fails_hangs_and_dies(record, add, running, eventually, receiver):
    receiver.plan = [500, "hang", 200, "die", 503, 204, "drip", 400, 404, 429, 408, 302, 200, 200, "die late"]
    for index in range(6):
        add(index)
    output = running(Webhook(record, "mes", receiver.url, timeout=0.4, after=0))
    eventually(lambda: output.state.waiting == 0)
    assert numbers(receiver) == [1, 2, 3, 4, 5, 5, 6]  # row 5 was taken by one that died before it said so
    assert receiver.plan == []


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (500, "answers 500"),
        (400, "refuses row 1 with 400"),
        (429, "answers 429"),
        (302, "give the final address"),
        ("die", "did not take row 1"),
        ("hang", "did not take row 1"),
    ],
)
def test_what_people_are_told(step, says, record, add, running, eventually, receiver):
    receiver.plan = [step] * 1000
    output = running(Webhook(record, "mes", receiver.url, timeout=0.3))
    add(0), add(1)
    eventually(lambda: output.state.error is not None)
    assert says in output.state.error
    assert (output.state.position, output.state.waiting, output.state.delivered) == (0, 2, 0)
    assert receiver.taken == []
    receiver.plan.clear()
    eventually(lambda: numbers(receiver) == [1, 2])


def test_a_server_that_comes_later(record, add, running, eventually, receiver):
    port, url = receiver.server_address[1], receiver.url
    receiver.close()
    output = running(Webhook(record, "mes", url))
    add(0)
    eventually(lambda: output.state.failures > 2)
    assert "did not take row 1" in output.state.error
    again = Receiver(port)
    try:
        eventually(lambda: numbers(again) == [1])
        eventually(lambda: output.state.error is None)
    finally:
        again.close()


def test_no_answer_holds_an_output_up_for_ever(record, add, running, eventually, receiver):
    receiver.plan = ["drip"] * 1000
    output = running(Webhook(record, "mes", receiver.url, timeout=0.3))
    add(0)
    eventually(lambda: output.state.failures >= 2)
    begin = time.monotonic()
    assert output.stop()
    assert time.monotonic() - begin < 3


def test_proxies_of_the_environment_are_not_asked(record, add, running, eventually, receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    running(Webhook(record, "mes", receiver.url))
    add(0)
    eventually(lambda: receiver.taken)


def test_https(record, add, running, eventually, certificate):
    public, context = certificate
    receiver = Receiver(tls=context)
    url = receiver.url.replace("http:", "https:")
    try:
        stranger = running(Webhook(record, "stranger", url, after=0))
        add(0)
        eventually(lambda: stranger.state.error is not None)
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.state.error
        assert receiver.taken == []
        running(Webhook(record, "mes", url, authorities=public, after=0))
        eventually(lambda: numbers(receiver) == [1])
    finally:
        receiver.close()


KILLED = """
import sys, time
from pathlib import Path
from flawspot.serve.outputs.webhook import Webhook
from flawspot.serve.record import Record
with Record(Path(sys.argv[1])) as record:
    output = Webhook(record, "mes", sys.argv[2], after=0)
    output.start()
    while output.state.waiting:
        time.sleep(0.01)
    output.stop()
"""


def test_a_station_that_is_killed_again_and_again(record, add, eventually, receiver):
    """In processes of their own, ended as by a power cut."""
    for index in range(60):
        add(index)
    for count in (5, 20, 21, 40):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(record.path), receiver.url])
        eventually(lambda count=count: len(receiver.taken) >= count)
        process.kill()
        process.wait()
    subprocess.run([sys.executable, "-c", KILLED, str(record.path), receiver.url], check=True, timeout=60)
    found = numbers(receiver)
    assert list(dict.fromkeys(found)) == list(range(1, 61))  # all, each for the first time in order
    again = [after for before, after in pairwise(found) if after <= before]
    assert len(again) <= 4  # and only a killed process makes one begin at an earlier row


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://a/b",
        "//a",
        "http://",
        "http://a:99999/",
        "http://a b/",
        "http://a\n/",
        "http://ü/",
    ],
)
def test_no_addresses(url, record):
    with pytest.raises(ConfigurationError, match="is not an address for a webhook"):
        Webhook(record, "mes", url)


def test_passwords_in_addresses_are_refused_and_not_repeated(record):
    with pytest.raises(ConfigurationError) as refused:
        Webhook(record, "mes", "http://anna:secret@a/")
    assert "secret@" not in str(refused.value)
    assert "anna" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff", b"x" * 5000])
def test_no_secrets(content, record, tmp_path):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret"):
        Webhook(record, "mes", "http://127.0.0.1/", secret=tmp_path / "secret")


def test_authorities_that_are_none(record, tmp_path):
    for path in (tmp_path / "none", tmp_path / "ca"):
        (tmp_path / "ca").write_bytes(b"no certificate")
        with pytest.raises(ConfigurationError, match="holds no certificates"):
            Webhook(record, "mes", "https://127.0.0.1/", authorities=path)
