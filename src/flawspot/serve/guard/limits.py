"""How much of everything clients may ask of a station."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from flawspot.errors import ConfigurationError

_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is more, or slower, is refused.

    Attributes:
        body_bytes: of one request. 32 MiB hold a photograph of 20 megapixels as JPEG several times, and most as PNG.
        bodies_at_once: that are held, of any clients together; one address gets half of them. 8 of 32 MiB are
            256 MiB, and more than a small device inspects at once. Bodies of 16 KiB or less need no turn.
        requests_per_second: of one client address, in the long run; as many connections may be opened. A line makes
            some parts a second, and a page asks for some pictures.
        burst: requests of one address that may come at once. A page of results has about a hundred pictures.
        header_seconds: from the first byte of a request, or the opening of its connection, to the end of its head; also
            for the handshake of TLS. Honest clients send a head in one packet.
        body_seconds: from the first byte of a body to its last: 32 MiB in 30 s need 1.1 MiB/s, a tenth of the slowest
            cable.
        turn_seconds: that a body waits for its turn before the client is told to come again.
        unread_seconds: that an answer may wait for a client which does not read. Pieces of 64 KiB are counted one by
            one, so that a slow line is no silent one.
        unread_bytes: of large answers that wait for their clients, together. Beyond it the one that was read from
            longest ago is given up. 128 MiB are some dozen photographs.
        idle_seconds: that a connection stays open between two requests. Longer than a page's pauses, and too short to
            gather many.
        connections: at once. Beyond it the one that has waited longest without a request is closed. A plant has some
            dozen screens; 2,000 take a few hundred MiB at worst.
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
        """Raises ConfigurationError where a limit is no number above 0, or no whole one where things are counted."""
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(field.default, int)
            good = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not good or not math.isfinite(value) or value <= 0:
                kind = "whole number" if whole else "number"
                raise ConfigurationError(f"the limit {field.name} is {value!r}: give a {kind} above 0")
