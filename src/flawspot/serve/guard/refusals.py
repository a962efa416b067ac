"""Answers that refuse a request, and the headers that every answer has."""

from __future__ import annotations

import json
from collections.abc import Iterable

from flawspot.texts import visible

RawHeaders = list[tuple[bytes, bytes]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
IMPOSED: RawHeaders = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Nothing on a page may come from elsewhere, and no other site may embed it, whatever headers an answer sets itself."""
_UNLESS_SET: RawHeaders = [(b"cache-control", b"no-store")]


class RefusedError(Exception):
    """A request is refused. The application may raise it too, before its answer has begun.

    Attributes:
        status: HTTP status.
        message: one line that names the cure.
        headers: headers beside those of every answer.
    """

    def __init__(self, status: int, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = visible(message)
        self.headers: RawHeaders = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]

    def body(self) -> bytes:
        """``{"error": message}``."""
        return json.dumps({"error": self.message}, ensure_ascii=False).encode()

    def all_headers(self) -> RawHeaders:
        """The answer's headers, with type and length of its body."""
        length = str(len(self.body())).encode()
        own = [(b"content-type", b"application/json"), (b"content-length", length), *self.headers]
        return secured(own)


def secured(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Add the headers of every answer to `headers`. Those in `IMPOSED` replace the answer's own."""
    imposed = {name for name, _ in IMPOSED}
    kept = [(name, value) for name, value in headers if name.lower() not in imposed]
    there = {name.lower() for name, _ in kept}
    return [*kept, *IMPOSED, *((name, value) for name, value in _UNLESS_SET if name not in there)]
