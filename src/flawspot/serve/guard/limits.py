"""Limits on the requests to a station."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from flawspot.errors import ConfigurationError

_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits. Requests beyond them are refused.

    Attributes:
        body_bytes: the most bytes in the body of one request. 32 MiB hold a photograph of 20 megapixels as JPEG several
            times over, and mostly also as PNG.
        bodies_at_once: the most bodies held at once, of all clients. One address gets half of them. 8 bodies of 32 MiB
            are 256 MiB, and more than a small device inspects at once. Bodies of 16 KiB or less are not counted.
        requests_per_second: the most requests of one client address per second, in the long run; also the most new
            connections. A line makes a few parts a second, and a page asks for a few pictures.
        burst: the most requests of one address that may come at once. A page of results has about a hundred pictures.
        header_seconds: seconds from the first byte of a request, or the opening of its connection, to the end of its
            head; also for the TLS handshake. Ordinary clients send a head in one packet.
        body_seconds: seconds from the first byte of a body to its last. 32 MiB in 30 s need 1.1 MiB/s, a tenth of the
            slowest cable.
        turn_seconds: seconds that a body waits for its turn before the client is told to come again.
        unread_seconds: seconds that an answer may wait for a client that does not read. Each piece of 64 KiB is timed
            by itself, so that a slow connection does not count as a silent one.
        unread_bytes: the most bytes of large answers that wait for their clients, together. Beyond it, the answer with
            the longest time since its last read is dropped. 128 MiB are a few dozen photographs.
        idle_seconds: seconds that a connection may stay open between two requests. This is longer than a page's pauses,
            and too short to collect many connections.
        connections: the most connections at once. Beyond it, the one that has waited longest without a request is
            closed. A plant has a few dozen screens. 2,000 connections take a few hundred MiB at worst.
    """

    body_bytes: int = 32 * _MIB
    bodies_at_once: int = 8
    requests_per_second: float = 50.0
    burst: int = 200
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    turn_seconds: float = 10.0
    unread_seconds: float = 30.0
    unread_bytes: int = 128 * _MIB
    idle_seconds: int = 15
    connections: int = 2000

    def __post_init__(self) -> None:
        """Raises ConfigurationError if a limit is not a number above 0, or not a whole number for a count."""
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(field.default, int)
            good = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not good or not math.isfinite(value) or value <= 0:
                kind = "whole number" if whole else "number"
                raise ConfigurationError(f"the limit {field.name} is {value!r}: give a {kind} above 0")
