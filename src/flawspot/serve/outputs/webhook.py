"""Results to a web server, each by its own POST request."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import urllib.parse
from pathlib import Path

from flawspot.errors import ConfigurationError
from flawspot.serve.chain import Row
from flawspot.serve.outputs.follower import DeliveryError, Follower, message
from flawspot.serve.outputs.secrets_file import read_secret
from flawspot.serve.record import Record
from flawspot.texts import shortened

_LATER = (408, 429)
"""The 4xx answers by which a receiver asks for another attempt."""


class Webhook(Follower):
    """Sends rows as JSON, in order. A row is accepted when the answer is 2xx, and sent again after any other answer.

    The header ``X-Flawspot-Row`` is the number. If there is a secret, ``X-Flawspot-Signature`` is ``sha256=`` and the
    HMAC of the body in hexadecimal digits. Redirects are not followed, and proxies of the environment are not used.
    """

    def __init__(
        self,
        record: Record,
        name: str,
        url: str,
        *,
        secret: Path | None = None,
        authorities: Path | None = None,
        timeout: float = 10.0,
        after: int | None = None,
        seed: int = 0,
    ) -> None:
        """Check the settings. Nothing is sent yet.

        Args:
            record, name, after, seed: see `Follower`.
            url: ``http://`` or ``https://``, without user and password.
            secret: a file with the key of the signature.
            authorities: a PEM file with the trusted certificate authorities, instead of the system's.
            timeout: seconds that one POST may take in total.

        Raises:
            ConfigurationError: a setting is wrong, or a file cannot be read.
            FlawspotError: see `Follower`.
        """
        self._secure, self._host, self._port, self._target = _parts(url)
        self._shown = f"{'https' if self._secure else 'http'}://{self._host}"
        self._timeout = timeout
        self._key = None if secret is None else read_secret(secret).encode("utf-8")
        self._context = context(authorities) if self._secure else None
        super().__init__(record, name, after=after, seed=seed)

    def send(self, row: Row) -> None:
        """See `Follower`."""
        body = message(row)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "flawspot",
            "X-Flawspot-Row": str(row.number),
            "Connection": "close",
        }
        if self._key is not None:
            headers["X-Flawspot-Signature"] = f"sha256={hmac.new(self._key, body, hashlib.sha256).hexdigest()}"
        try:
            status, reason, location = self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            what = str(error) or type(error).__name__
            raise DeliveryError(f"{self._shown} did not take row {row.number}: {shortened(what, 200)}") from error
        if 200 <= status < 300:
            return
        told = f"{status} {shortened(reason)}".strip()
        if 300 <= status < 400:
            raise DeliveryError(f"{self._shown} answers {told}, {shortened(location, 200)}: give the final address")
        if 400 <= status < 500 and status not in _LATER:
            raise DeliveryError(
                f"{self._shown} refuses row {row.number} with {told}: later rows wait until it is accepted"
            )
        raise DeliveryError(f"{self._shown} answers {told} to row {row.number}")

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        """Status, reason, and target of a redirect."""
        connection = self._connection()
        # A receiver that sends a byte now and then would never trigger the socket's own timeout.
        late = threading.Event()
        watch = threading.Timer(self._timeout, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.request("POST", self._target, body, headers)
            answer = connection.getresponse()
            if late.is_set():  # the answer may be cut off
                raise TimeoutError("timed out")
            return answer.status, answer.reason, answer.headers.get("Location", "")
        finally:
            watch.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)


def context(authorities: Path | None) -> ssl.SSLContext:
    """An SSL context. The server needs a certificate for its name, from the system's authorities or those in a file.

    Raises:
        ConfigurationError: the file holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ConfigurationError(f"{authorities} holds no certificates in PEM: {error.strerror or error}") from error


def _parts(url: str) -> tuple[bool, str, int, str]:
    """Whether it is https, host, port, and path with query."""
    wrong = ConfigurationError(
        f"{shortened(url)!r} is not an address for a webhook: give http://HOST/... or https://HOST/..."
    )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("the address of a webhook holds a user or a password: sign with a secret instead")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, parts.hostname, port if port is not None else (443 if secure else 80), target


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a call that another thread waits for."""
    late.set()
    with contextlib.suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
