"""A record that is followed."""

import datetime
import ipaddress
import ssl
import time

import pytest

from flawspot.serve.record import Record

from ..written import result


@pytest.fixture
def record(tmp_path):
    with Record(tmp_path / "line" / "record.sqlite") as opened:
        yield opened


@pytest.fixture
def add(record):
    """``add(index)``: one more result."""
    return lambda index: record.add("result", result(index))


@pytest.fixture
def eventually():
    """``eventually(check)``: wait until it is true, for so long as no test should take."""

    def wait(check, seconds=20.0):
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, "it does not happen"
            time.sleep(0.005)

    return wait


@pytest.fixture
def running():
    """``running(output)``: start it; it is stopped with the test."""
    started = []

    def start(output):
        output.start()
        started.append(output)
        return output

    yield start
    for output in started:
        assert output.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Attempts follow each other quickly, in tests."""
    monkeypatch.setattr("flawspot.serve.outputs.follower._FIRST_DELAY", 0.02)
    monkeypatch.setattr("flawspot.serve.outputs.follower.LONGEST_DELAY", 0.1)


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1, vouched for by itself: its file, and what a server with it needs."""
    pytest.importorskip("cryptography", reason="cryptography is not installed: pip install 'flawspot[sign]'")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    public, both = tmp_path / "certificate.pem", tmp_path / "server.pem"
    public.write_bytes(made.public_bytes(pem))
    both.write_bytes(public.read_bytes() + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return public, context
