"""Weights that are little files, a cache of the test's own, and a server on this machine."""

import hashlib
import http.server
import threading

import pytest

from flawspot.backbones.weights import WeightsFile


@pytest.fixture(scope="session")
def content():
    """What the weights are, where nothing else is said."""
    return b"weights" * 100


@pytest.fixture
def weights_file(content):
    """Describe a file of weights by its content."""

    def make(*sources, name="first", content=content, **changes) -> WeightsFile:
        values = {
            "name": name,
            "filename": f"{name}.pth",
            "sha256": hashlib.sha256(content).hexdigest(),
            "sources": sources,
            "license": "none",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "native_size": 224,
            **changes,
        }
        return WeightsFile(**values)

    return make


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path / "my cache"))
    monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
    return tmp_path / "my cache" / "weights"


@pytest.fixture
def left(cache):
    """What lies in the cache, as a function."""
    return lambda: sorted(p.name for p in cache.rglob("*")) if cache.exists() else []


@pytest.fixture(scope="session")
def server(content):
    """A server on this machine: /good, /other, /cut (fewer bytes than announced); all else is missing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"/good": content, "/other": b"something else", "/cut": content}.get(self.path)
            if body is None:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + (50 if self.path == "/cut" else 0)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
