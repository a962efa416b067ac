"""A process that only predicts, and reports its time and memory. Run by `flawspot.measuring.processes`.

One JSON object on standard input: ``model`` (a path), ``threads`` (None for the default), ``photographs`` (paths; none
for a noise image of ``size``), ``runs``, ``warm_up``, ``seconds`` (at most). One JSON object on standard output.
It does not import torch, so it runs what a device would run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LEAST = 3
"""Least number of timed runs."""


def main() -> None:
    """Measure, and print the result."""
    sys.stdout.write(json.dumps(measure(json.load(sys.stdin))))


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Predict according to `order`."""
    import numpy as np

    from flawspot.measuring.energy import EnergyMeter
    from flawspot.measuring.latency import milliseconds, timed, warm_up
    from flawspot.measuring.peak_memory import peak_resident_bytes
    from flawspot.runtime.arena import allowed_megabytes
    from flawspot.runtime.json_reading import read_as
    from flawspot.runtime.reduced import read_photograph
    from flawspot.runtime.session import open_session
    from flawspot.runtime.view import View

    view = read_as(View, order["view"], "view")
    if order["photographs"]:
        images = [read_photograph(Path(path), view).pixels for path in order["photographs"]]
    else:
        images = [np.random.default_rng(0).integers(0, 256, (*view.canvas, 3), dtype=np.uint8)]
    before = peak_resident_bytes()
    model = Path(order["model"]).read_bytes()
    session = open_session(model, threads=order["threads"], megabytes=allowed_megabytes())

    def run(batch: Any) -> None:
        session.run(None, {"image": batch})

    warm_up(run, images, order["warm_up"])
    meter = EnergyMeter()
    seconds = timed(run, images, least=LEAST, most=order["runs"], seconds=order["seconds"])
    joules = meter.joules()
    median, slow = milliseconds(seconds)
    return {
        "runs": len(seconds),
        "p50_ms": median,
        "p95_ms": slow,
        "peak_bytes": peak_resident_bytes(),
        "peak_bytes_before": before,
        "joules": None if joules is None else joules / len(seconds),
    }


if __name__ == "__main__":
    main()
