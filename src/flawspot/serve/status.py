"""The state of a station as plain values, for its page, API and metrics."""

from __future__ import annotations

import datetime
import shutil
import time
from typing import Any

from flawspot.runtime.calibration import proved_rate
from flawspot.serve.lamps import lamps
from flawspot.serve.parts import VERDICTS
from flawspot.serve.record import RecordError, as_time
from flawspot.serve.station import Station

LEAST_FREE_BYTES = 500 * 10**6
"""Free bytes on the disk of the record below which the station warns."""


def status_of(station: Station) -> dict[str, Any]:
    """The state of a station."""
    now = time.monotonic()
    head = station.record.last
    found = {
        "station": station.settings.name,
        "detectors": [_detector(station, name) for name in station.inspections],
        "sources": [{**vars(source.state), "heard": round(now - source.state.heard, 1)} for source in station.sources],
        "outputs": [vars(output.state) for output in station.outputs],
        "today": _counted(station, midnight(datetime.datetime.now())),
        "disk": _disk(station),
        "housekeeping": station.trouble,
        "record": None if head is None else {"number": head.number, "hash": head.hash},
    }
    trouble = "; ".join(source.state.trouble for source in station.sources if source.state.trouble)
    return {**found, "trouble": trouble or None, "lamps": lamps(found)}


def midnight(local: datetime.datetime) -> str:
    """The start of the day of a local time without a zone, in the form of rows. Days of 23 and 25 hours are handled."""
    begun = datetime.datetime.combine(local, datetime.time.min)
    return as_time(begun)


def _detector(station: Station, name: str) -> dict[str, Any]:
    inspection, swap = station.inspections[name], station.swaps[name]
    manifest = inspection.loaded.detector.manifest
    return {
        "name": name,
        "title": manifest.title(),
        "artifact": inspection.loaded.sha256,
        "threshold": manifest.calibration.threshold,
        "false_alarm_rate": manifest.calibration.false_alarm_rate,
        "promised_rate": manifest.calibration.promised_rate,
        "proved_rate": proved_rate(manifest.calibration),
        "waiting": inspection.waiting,
        "room": station.settings.waiting,
        **vars(inspection.tally),
        "drift": station.drifting.told(name),
        "candidate": None if swap.candidate is None else swap.candidate.as_dict(),
        "previous": swap.previous,
    }


def _counted(station: Station, since: str) -> dict[str, int]:
    try:
        return {**dict.fromkeys(VERDICTS, 0), **station.record.counts(since)}
    except RecordError:
        return {}


def _disk(station: Station) -> dict[str, Any]:
    try:
        free = shutil.disk_usage(station.settings.folder).free
    except OSError as error:
        return {"free_bytes": 0, "trouble": str(error.strerror or error)}
    unrecorded = sum(inspection.tally.unrecorded for inspection in station.inspections.values())
    trouble = None
    if unrecorded:
        trouble = f"{unrecorded} results could not be recorded: free some space"
    elif free < LEAST_FREE_BYTES:
        trouble = f"only {free // 10**6} MB are free: free some space"
    return {"free_bytes": free, "trouble": trouble}
