"""The state of a station as lamps for people: well, needs a look, or wrong, each with a text."""

from __future__ import annotations

from typing import Any

from flawspot.texts import visible

WELL, LOOK, WRONG = "well", "look", "wrong"


def lamps(status: dict[str, Any]) -> list[dict[str, str]]:
    """One lamp for each source, queue, drift and output, and for the disk and the record.

    Args:
        status: everything else that `flawspot.serve.status.status_of` returns.

    Returns:
        Dicts of ``lamp`` (``well``, ``look`` or ``wrong``), ``name`` and ``text``.
    """
    several = len(status["detectors"]) > 1
    found = [_source(source) for source in status["sources"]]
    for detector in status["detectors"]:
        of = f" {detector['name']}" if several else ""
        found += [_queue(detector, of), drift_lamp(detector["drift"], of)]
    for output in status["outputs"]:
        trouble = output["error"] or (None if output["running"] else "it has ended: start the station again")
        text = f"{trouble}; {output['waiting']} rows wait" if trouble else "delivers"
        found.append(_lamp(WRONG if trouble else WELL, str(output["name"]), text))
    disk, record = status["disk"], status["record"]
    free = f"{disk['free_bytes'] / 1e9:.0f} GB free"
    found.append(_lamp(WRONG if disk["trouble"] else WELL, "Disk", disk["trouble"] or free))
    unrecorded = sum(detector["unrecorded"] for detector in status["detectors"])
    row = "nothing written yet" if record is None else f"row {record['number']}"
    text = f"{unrecorded} results are missing in it" if unrecorded else row
    trouble = status["housekeeping"]
    return [*found, _lamp(WRONG if trouble or unrecorded else WELL, "Record", trouble or text)]


def _source(source: dict[str, Any]) -> dict[str, str]:
    # A path is shown by its end, which differs most.
    name = str(source["name"]).replace("\\", "/").rstrip("/").rpartition("/")[2] or str(source["name"])
    if source["trouble"]:
        return _lamp(WRONG, f"{source['kind']} {name}", source["trouble"])
    text = f"{source['pictures']} pictures" + (", ended" if source["ended"] else "")
    return _lamp(WELL, f"{source['kind']} {name}", text)


def _queue(detector: dict[str, Any], of: str) -> dict[str, str]:
    lost = detector["refused"] + detector["dropped"]
    text = f"{detector['waiting']} of {detector['room']} wait"
    if lost:
        text += f"; {lost} parts found the queue full since the start"
    return _lamp(LOOK if lost or 2 * detector["waiting"] > detector["room"] else WELL, f"Queue{of}", text)


def drift_lamp(drift: dict[str, Any], of: str = "") -> dict[str, str]:
    """The lamp of one detector's drift tests: wrong if scores have changed, a look if only looks or verdicts have.

    Args:
        drift: what `flawspot.serve.drifting.Drifting.told` returns.
        of: what follows its name.
    """
    changes = "; ".join(drift["changes"])
    if drift["tests"]["scores"]["alarm"]:
        told = f": {changes}" if changes else ": check light and camera"
        return _lamp(WRONG, f"Drift{of}", f"the scores of good parts have changed{told}")
    return _lamp(LOOK if changes else WELL, f"Drift{of}", changes or "none seen")


def _lamp(lamp: str, name: str, text: str) -> dict[str, str]:
    return {"lamp": lamp, "name": visible(name[:1].upper() + name[1:]), "text": visible(text)}
