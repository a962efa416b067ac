"""Limits the requests of each client address, with a token bucket for each recently seen address."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_ADDRESSES = 4096
"""Most buckets kept, about 1 MiB. A client with more addresses is counted less strictly, but takes no more memory."""


class Rates:
    """Token buckets. Not thread-safe."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        addresses: int = _ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._addresses, self._clock = per_second, float(burst), addresses, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and the time of that count

    def __len__(self) -> int:
        """The number of remembered addresses."""
        return len(self._buckets)

    def seconds_to_wait(self, address: str) -> float:
        """0 if a request of `address` may be served now; it is then counted. Otherwise the seconds until one may."""
        now = self._clock()
        left, since = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        served = left >= 1
        self._buckets[address] = (left - 1 if served else left, now)
        while len(self._buckets) > self._addresses:
            self._buckets.popitem(last=False)
        return 0.0 if served else (1 - left) / self._per_second
