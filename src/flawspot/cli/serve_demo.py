"""``flawspot serve --demo``: a station that inspects photographs of a product that flawspot draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flawspot.cli.console import out
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.serve.sources import Source
    from flawspot.serve.station import Station

SECONDS = 1.0
"""Seconds between two parts."""


def demo_artifact(folder: Path) -> Path:
    """The demo's detector. It is trained if it does not exist yet."""
    from flawspot.demo.run import run_demo

    place = folder / "demo"
    there = sorted(place.glob("*-paste.onnx"))
    if there and (place / "summary.html").is_file():
        return there[0]
    return run_demo(place, say=out.print, progress=DISPLAY).artifact


def demo_line(folder: Path, station: Station) -> Source:
    """The demo's test photographs one by one, repeated endlessly."""
    from flawspot.data.demo_set import PRODUCTS
    from flawspot.serve.sources import Parade

    photographs = sorted((folder / "demo" / "data" / PRODUCTS[1] / "test").rglob("*.png"))
    return Parade(photographs, station.inspection("demo"), seconds=SECONDS)
