"""``flawspot serve --demo``: a product that flawspot draws passes the station."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flawspot.cli.console import out
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.serve.sources import Source
    from flawspot.serve.station import Station

SECONDS = 1.0
"""Between two parts."""


def demo_artifact(folder: Path) -> Path:
    """The demo's detector, which is trained where it is not there yet."""
    from flawspot.demo.run import run_demo

    place = folder / "demo"
    there = sorted(place.glob("*-paste.onnx"))
    if there and (place / "summary.html").is_file():
        return there[0]
    return run_demo(place, say=out.print, progress=DISPLAY).artifact


def demo_line(folder: Path, station: Station) -> Source:
    """The demo's test photographs, one after the other, again and again."""
    from flawspot.data.demo_set import PRODUCTS
    from flawspot.serve.sources import Parade

    photographs = sorted((folder / "demo" / "data" / PRODUCTS[1] / "test").rglob("*.png"))
    return Parade(photographs, station.inspection("demo"), seconds=SECONDS)
