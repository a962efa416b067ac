"""The server: its socket, its TLS, its beginning and its end."""

import contextlib
import datetime
import http.client
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from flawspot.errors import FlawspotError

pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")

from flawspot.serve.guard import Guard, Limits
from flawspot.serve.guard import server as serving
from flawspot.serve.guard.listening import TLS
from flawspot.serve.guard.server import running, server


async def nothing(scope, receive, send):
    """Answers every request with an empty page."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


def get(port: int, context: ssl.SSLContext | None = None) -> int:
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    with contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status


def test_the_port_is_known_before_it_runs():
    made = server(nothing)
    assert made.port > 0
    assert made.url == f"http://127.0.0.1:{made.port}"
    with running(made):
        assert get(made.port) == 200
    with pytest.raises(ConnectionError):
        get(made.port)


def test_a_port_in_use_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(FlawspotError) as told:
        server(nothing, port=other.getsockname()[1])
    assert "it is in use. Stop the program that uses it" in str(told.value)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("", 0, "the address is empty"),
        ("x" * 300, 0, "is not an address"),
        ("203.0.113.1", 0, "this machine has no such address"),
        ("127.0.0.1", 70000, "70000 is not a port"),
    ],
)
def test_an_address_that_is_none_is_told(host, port, words):
    with pytest.raises(FlawspotError, match=words):
        server(nothing, host=host, port=port)


def test_an_application_that_does_not_start_is_told_and_the_port_is_free_again():
    async def fails(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no detector"})

    made = server(fails)
    with pytest.raises(FlawspotError, match="did not start"), running(made):
        pytest.fail("it runs")
    socket.create_server(("127.0.0.1", made.port)).close()


def test_what_an_application_raises_at_its_start_is_told():
    errors = []

    async def fails(scope, receive, send):
        await send({"type": "lifespan.startup.failed", "message": ""})
        raise ZeroDivisionError

    with pytest.raises(FlawspotError), running(server(Guard(fails, on_error=errors.append))):
        pytest.fail("it runs")
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_requests_under_way_are_ended_first(station):
    there = station()
    there.application.held = True
    answers = []
    thread = threading.Thread(target=lambda: answers.append(there.request("GET", "/hold")[0]))
    thread.start()
    time.sleep(0.3)
    there.server.should_exit = True
    time.sleep(0.3)
    there.application.held = False
    thread.join()
    assert answers == [200]


def test_streams_do_not_keep_it_from_ending(station):
    there = station()
    client = there.connect()
    client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(4096)
    there.server.should_exit = True
    client.settimeout(10)
    with contextlib.suppress(ConnectionError):
        while client.recv(4096):
            pass


INTERRUPTED = """
import sys, time
from flawspot.cli.interruption import Interruption, exit_code_of
interruption = Interruption()
interruption.install()
from flawspot.serve.guard.server import running, server
async def application(scope, receive, send): raise RuntimeError
try:
    with running(server(application)) as runner:
        print("runs", flush=True)
        runner.wait()
except KeyboardInterrupt as error:
    interruption.finish()
    sys.exit(interruption.tell())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_one_line(number, code):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert told.count("\n") == 1
    assert "nothing half-written" in told


def test_few_open_files_are_few_connections(monkeypatch):
    resource = pytest.importorskip("resource", reason="no such limits on Windows")
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    made = server(nothing, limits=Limits(connections=2000))
    made.close()
    assert asked == [(1024, 1024)]
    assert made.limits.connections == 1024 - serving._FILES_BESIDE


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate that signs itself, and its key."""
    pytest.importorskip("cryptography", reason="makes the certificate: pip install 'flawspot[sign]'")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "station")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    made = TLS(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made.key.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    other = ec.generate_private_key(ec.SECP256R1())
    (folder / "other.pem").write_bytes(other.private_bytes(*form, serialization.NoEncryption()))
    (folder / "locked.pem").write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"secret")))
    (folder / "broken.pem").write_bytes(made.key.read_bytes()[:80] + b"\n-----END PRIVATE KEY-----\n")
    return made


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_tls(pair):
    made = server(nothing, tls=pair)
    assert made.url.startswith("https://")
    with running(made):
        assert get(made.port, unchecked()) == 200
        old = unchecked()
        with pytest.warns(DeprecationWarning):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            get(made.port, old)


def test_a_handshake_has_its_time(station, pair):
    there = station(tls=pair, header_seconds=0.5)
    with there.connect() as client:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert client.recv(10) == b""
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("none.pem", "key.pem", "cannot read the certificate .*none.pem"),
        ("certificate.pem", ".", "cannot read the key"),
        ("key.pem", "key.pem", "holds no certificate"),
        ("certificate.pem", "certificate.pem", "holds no key"),
        ("certificate.pem", "other.pem", "does not belong to the certificate"),
        ("certificate.pem", "locked.pem", "is encrypted"),
        ("certificate.pem", "broken.pem", "cannot use the certificate"),
    ],
)
def test_what_does_not_serve_as_tls_is_told(pair, certificate, key, words):
    folder = pair.key.parent
    with pytest.raises(FlawspotError, match=words) as told:
        server(nothing, tls=TLS(folder / certificate, folder / key))
    assert "\n" not in str(told.value)
