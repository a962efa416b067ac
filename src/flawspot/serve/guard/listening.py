"""The socket that a station listens on, and its TLS. Errors are one line that names the cure."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import FlawspotError


class ListeningError(FlawspotError):
    """An address cannot be listened on, or a certificate or key cannot be used."""


@dataclass(frozen=True)
class TLS:
    """A certificate and its private key.

    Attributes:
        certificate: PEM file with the station's own certificate first, followed by those that sign it.
        key: PEM file of the private key, unencrypted, readable only by the station.
    """

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """An SSL context for TLS 1.2 or newer.

        Raises:
            ListeningError: a file cannot be read, has the wrong contents, or the two do not belong together.
        """
        for path, what in ((self.certificate, "certificate"), (self.key, "key")):
            _check_pem(path, what)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key, password=self._refuse_password)
        except ssl.SSLError as error:
            reason = error.reason or "unknown reason"
            if reason == "KEY_VALUES_MISMATCH":
                told = f"the key {self.key} does not belong to the certificate {self.certificate}: give the pair"
            else:
                told = (
                    f"cannot use the certificate {self.certificate} with the key {self.key} ({reason}): give PEM files"
                )
            raise ListeningError(told) from error
        return context

    def _refuse_password(self) -> str:
        """Called when OpenSSL would ask for a password on the terminal, which a service does not have."""
        raise ListeningError(f"the key {self.key} is encrypted: decrypt it with `openssl pkey -in KEY -out NEW`")


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket. Connections wait in it until they are accepted.

    Raises:
        ListeningError: `host` is not an address of this machine, or the port is in use or not allowed.
    """
    if not 0 <= port <= 65535:
        raise ListeningError(f"{port} is not a port: give one from 1 to 65535, or 0 for any that is free")
    if not host:
        raise ListeningError("the address is empty: give one, such as 127.0.0.1, or 0.0.0.0 for all of this machine")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
    except (OSError, UnicodeError) as error:
        raise ListeningError(f"{host} is not an address: give one of this machine's, such as 127.0.0.1") from error
    try:
        return socket.create_server(address[:2], family=family, backlog=backlog)
    except OSError as error:
        raise ListeningError(_why(error, host, port)) from error


def _why(error: OSError, host: str, port: int) -> str:
    told = f"cannot listen on {host} port {port}: "
    if error.errno == errno.EADDRINUSE:
        return f"{told}it is in use. Stop the program that uses it, perhaps another station, or choose another port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{told}this machine has no such address. Give one that it has, or 0.0.0.0 for all."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{told}it is not allowed. Choose a port above 1023."
    return f"{told}{error.strerror or error}. Choose another address or port."


def _check_pem(path: Path, what: str) -> None:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ListeningError(
            f"cannot read the {what} {path}: {error.strerror or error}. Give a PEM file that this user may read."
        ) from error
    wanted = b"CERTIFICATE-----" if what == "certificate" else b"PRIVATE KEY-----"
    if b"-----BEGIN " not in text or wanted not in text:
        raise ListeningError(f"{path} holds no {what}: give a PEM file")
