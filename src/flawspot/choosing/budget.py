"""The limits that a device sets for a detector: memory, multiply-accumulates, time and working memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from flawspot.errors import ConfigurationError
from flawspot.texts import counted_digits, shortened

_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "mmac": 10**6, "gmac": 10**9}
_MILLISECONDS = {"ms": 1.0, "s": 1000.0}
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)\s*", re.ASCII)
_LONGEST = 100
_ROUNDED_UP = 0.9995
"""Share of the next unit from which a size is given in that unit: 999,999 bytes are 1 MB, not 1e+03 KB."""

Amount = str | int | float | None


@dataclass(frozen=True)
class Budget:
    """The most that a detector may take. None means no limit.

    Attributes:
        memory: bytes that it stores, as `flawspot costs` counts them.
        macs: multiply-accumulates for one photograph.
        latency_ms: milliseconds for one decoded photograph on this machine, on one thread.
        arena: bytes of working memory, as ``flawspot export --to c`` needs them.
    """

    memory: int | None = None
    macs: int | None = None
    latency_ms: float | None = None
    arena: int | None = None

    @classmethod
    def read(cls, memory: Amount = None, macs: Amount = None, latency: Amount = None, arena: Amount = None) -> Budget:
        """Read it from texts such as ``5MB``, ``300M``, ``20ms`` and ``256KB``, or from plain numbers.

        KB, MB and GB are powers of 1000, the cautious reading of a data sheet. KiB, MiB and GiB are powers of 1024.

        Args:
            memory, arena: in bytes if there is no unit.
            macs: in multiply-accumulates if there is no unit.
            latency: in milliseconds if there is no unit.

        Raises:
            ConfigurationError: a value is not above 0, or has another unit; the message gives examples.
        """
        return cls(
            memory=_whole(amount(memory, _BYTES, "memory", "5MB or 2.5MiB")),
            macs=_whole(amount(macs, _COUNTS, "macs", "300M or 1.2G")),
            latency_ms=amount(latency, {"": 1.0, **_MILLISECONDS}, "latency", "20ms or 0.5s"),
            arena=_whole(amount(arena, _BYTES, "arena", "256KB or 320KiB")),
        )

    def beyond_plan(self, memory: int, macs: int, arena: int) -> str | None:
        """Why a planned detector exceeds the budget; None if it does not, or if only a trial can tell.

        Args:
            memory: bytes that it stores.
            macs: multiply-accumulates.
            arena: least bytes of its working memory.
        """
        reasons = []
        if self.memory is not None and memory > self.memory:
            reasons.append(f"stores {bytes_text(memory)}")
        if self.macs is not None and macs > self.macs:
            reasons.append(f"computes {macs_text(macs)}")
        if self.arena is not None and arena > self.arena:
            reasons.append(f"needs at least {bytes_text(arena)} of working memory")
        return ", ".join(reasons) or None

    def said(self) -> str:
        """The budget in a few words."""
        parts = []
        if self.memory is not None:
            parts.append(f"{bytes_text(self.memory)} of memory")
        if self.macs is not None:
            parts.append(f"{macs_text(self.macs)} multiply-accumulates")
        if self.latency_ms is not None:
            parts.append(f"{self.latency_ms:g} ms")
        if self.arena is not None:
            parts.append(f"{bytes_text(self.arena)} of working memory")
        return ", ".join(parts) or "no limit"


def seconds(text: Amount) -> float | None:
    """Convert a time such as ``30min``, ``90s`` or ``2h`` to seconds. A number without a unit is in seconds.

    Raises:
        ConfigurationError: the time is not above 0, or has another unit.
    """
    return amount(text, {"": 1.0, **_SECONDS}, "time", "30min, 90s or 2h")


def amount(text: Amount, units: dict[str, float] | dict[str, int], what: str, examples: str) -> float | None:
    """Convert a number with a unit. None stays None.

    Args:
        text: the number as the user wrote it.
        units: the value of each unit, in lower case; an empty one stands for no unit.
        what: name of the value, for the message.
        examples: examples of valid values, for the message.

    Raises:
        ConfigurationError: it is not such a number, or not above 0.
    """
    if text is None:
        return None
    if isinstance(text, int | float) and not isinstance(text, bool):
        value = float(text) if not isinstance(text, int) or text.bit_length() < 64 else math.inf
        if math.isfinite(value) and value > 0:
            return value * units[""]
        shown = counted_digits(text) if isinstance(text, int) else f"{text:g}"
        raise ConfigurationError(f"{what} must be a number above 0, such as {examples}, not {shown}")
    found = _NUMBER.fullmatch(text) if isinstance(text, str) and len(text) < _LONGEST else None
    factor = None if found is None else units.get(found[2].lower())
    if found is None or factor is None or float(found[1]) <= 0:
        known = ", ".join(unit for unit in units if unit)
        raise ConfigurationError(
            f"{what} must be a number above 0 with one of the units {known}, such as {examples}, "
            f"not {shortened(repr(text))}"
        )
    return float(found[1]) * factor


def bytes_text(count: float) -> str:
    """``4.31 MB``, ``256 KB``; of thousands."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= _ROUNDED_UP * size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} byte{'' if count == 1 else 's'}"


def macs_text(count: float) -> str:
    """``152 M``."""
    return f"{count / 1e9:.3g} G" if count >= _ROUNDED_UP * 1e9 else f"{count / 1e6:.3g} M"


def _whole(value: float | None) -> int | None:
    return None if value is None else max(int(value), 1)
