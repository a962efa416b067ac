"""Reads energy from the processor's own counters (RAPL) if Linux allows it; never an estimate.

They count everything that runs on the processor, idle power included, and usually only the administrator may read them.
"""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Joules of all processor packages since this object was made.

    Args:
        root: where Linux shows the counters.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        # intel-rapl:0 is a package, intel-rapl:0:1 a part of it; AMD's have the same names.
        packages = [p for p in root.glob("intel-rapl:*") if p.name.count(":") == 1] if root.is_dir() else []
        self._before = {
            package: joules for package in packages if (joules := _counter(package, "energy_uj")) is not None
        }
        self._all_readable = bool(packages) and len(self._before) == len(packages)

    def joules(self) -> float | None:
        """Joules so far; None if there are no counters, or not all can be read."""
        if not self._all_readable:
            return None
        total = 0
        for package, before in self._before.items():
            now = _counter(package, "energy_uj")
            if now is None:
                return None
            if now < before:  # the counter has wrapped around
                most = _counter(package, "max_energy_range_uj")
                if most is None:
                    return None
                now += most
            total += now - before
        return total / 1e6


def _counter(package: Path, name: str) -> int | None:
    try:
        return int((package / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
