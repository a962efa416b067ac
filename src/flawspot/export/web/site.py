"""Serves files from memory to a browser on this machine, and receives what its pages post."""

from __future__ import annotations

import queue
import secrets
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "wasm": "application/wasm",
    "png": "image/png",
    "jpg": "image/jpeg",
}
_MOST_POSTED = 1 << 28
_GLANCE = 0.2
"""Seconds between two checks whether waiting still makes sense."""


class Site:
    """See `serving`.

    Attributes:
        files: by name, as bytes.
        headers: that each answer has, by name.
        address: of the folder, with a slash; it holds a token, so that no other user of the machine finds it.
    """

    def __init__(self, files: Mapping[str, bytes], headers: Mapping[str, str] | None = None) -> None:
        self.files, self.headers = dict(files), dict(headers or {})
        self._given: queue.Queue[bytes] = queue.Queue()
        self._posted: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._closed = threading.Event()
        self._token = secrets.token_urlsafe(16)
        self.address = ""

    def give(self, data: bytes) -> None:
        """Let a page's next request for ``next`` have `data`."""
        self._given.put(data)

    def posted(self, seconds: float, lost: Callable[[], bool] = lambda: False) -> tuple[str, bytes] | None:
        """Name and content of a page's post; None after `seconds`, or if the browser has ended."""
        for _ in range(max(int(seconds / _GLANCE), 1)):
            try:
                return self._posted.get(timeout=_GLANCE)
            except queue.Empty:
                if lost():
                    break
        return None

    def _next(self) -> bytes | None:
        while not self._closed.is_set():
            try:
                return self._given.get(timeout=_GLANCE)
            except queue.Empty:
                continue
        return None

    def _name(self, path: str) -> str | None:
        begin, path = f"/{self._token}/", path.split("?")[0]
        return path[len(begin) :] or "index.html" if path.startswith(begin) else None


@contextmanager
def serving(files: Mapping[str, bytes], headers: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Serve files on 127.0.0.1 to everyone who knows the address."""
    site = Site(files, headers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = site._name(self.path)
            data = site._next() if name == "next" else site.files.get(name or "")
            self._answer(204 if name == "next" and data is None else 404 if data is None else 200, name or "", data)

        def do_POST(self) -> None:
            name, length = site._name(self.path), int(self.headers.get("Content-Length") or 0)
            if name is None or length > _MOST_POSTED:
                return self._answer(404, "", None)
            site._posted.put((name, self.rfile.read(length)))
            return self._answer(204, name, None)

        def _answer(self, code: int, name: str, data: bytes | None) -> None:
            self.send_response(code)
            self.send_header("Content-Type", _TYPES.get(name.rpartition(".")[2], "application/octet-stream"))
            if code != 204:
                self.send_header("Content-Length", str(len(data or b"")))
            for header, value in site.headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: Any) -> None:
            """Log nothing about requests."""

    server = _Server(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_address[1]}/{site._token}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site._closed.set()
        server.shutdown()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Ignore a browser that ends in the middle of an answer."""
