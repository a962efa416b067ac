"""How many requests each client address may make: a token bucket for each of the addresses that were seen last."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_ADDRESSES = 4096
"""Buckets that are kept, 1 MiB. Who has more addresses than that is counted less strictly, but takes no more memory."""


class Rates:
    """Token buckets; not for several threads."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        addresses: int = _ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._addresses, self._clock = per_second, float(burst), addresses, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when that was so

    def __len__(self) -> int:
        """Addresses that are remembered."""
        return len(self._buckets)

    def seconds_to_wait(self, address: str) -> float:
        """0 where a request of `address` may be served now, which is counted; else after how many seconds one may."""
        now = self._clock()
        left, since = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        served = left >= 1
        self._buckets[address] = (left - 1 if served else left, now)
        while len(self._buckets) > self._addresses:
            self._buckets.popitem(last=False)
        return 0.0 if served else (1 - left) / self._per_second
