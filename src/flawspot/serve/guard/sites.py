"""Tells requests of the station's own page or a program from those of another site in somebody's browser."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flawspot.serve.guard.refusals import RefusedError
from flawspot.texts import shortened

if TYPE_CHECKING:
    from starlette.types import Scope

_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN_SITE = (b"same-origin", b"none")


def check_host(scope: Scope, hosts: Collection[str]) -> None:
    """Refuse a request under another site's name that was made to point here (DNS rebinding).

    Addresses and ``localhost`` are always accepted, as the attack needs a name that the attacker owns.

    Args:
        scope: the request's ASGI scope.
        hosts: names of the station in lower case, without ports.

    Raises:
        RefusedError: 400, there is no Host header, or several; 421, it is not a name of this station.
    """
    values = [value for name, value in scope["headers"] if name == b"host"]
    if len(values) != 1:
        raise RefusedError(400, "the request has no Host, or several: send one")
    name = _name(values[0].decode("latin-1"))
    if name is None or not (name == "localhost" or name in hosts or _is_address(name)):
        told = shortened(values[0].decode("latin-1"))
        raise RefusedError(421, f"this station is not called {told}: use its address, or start it with --host NAME")


def check_site(scope: Scope) -> None:
    """Refuse a change that a page of another site requests (CSRF).

    Browsers send Sec-Fetch-Site only over TLS and on this machine, but Origin with every change. A request with neither
    does not come from a browser.

    Raises:
        RefusedError: 403, another site asks.
    """
    if scope["method"] in _SAFE:
        return
    headers = dict(scope["headers"])
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        ours = site in _OWN_SITE
    elif origin is not None:
        ours = _place(origin.decode("latin-1")) == headers.get(b"host", b"").decode("latin-1").lower()
    else:
        ours = True
    if not ours:
        raise RefusedError(
            403, "another site asks for this change: use the station's own page, or a program with a token"
        )


def _name(host: str) -> str | None:
    """The host's name without its port; None if it is not valid."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port  # an invalid port raises
    except ValueError:
        return None
    return name if name and parts.netloc == host and "@" not in host else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _place(origin: str) -> str | None:
    """Host and port of an origin. The scheme is left out, as a proxy may end TLS."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
