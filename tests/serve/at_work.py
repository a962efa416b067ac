"""A station that answers on a port of this machine, for tests that look at it from outside."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flawspot.runtime.artifact import assemble
from flawspot.serve.api.access import admission
from flawspot.serve.api.app import application
from flawspot.serve.guard import Guard
from flawspot.serve.guard.server import Running, server
from flawspot.serve.station import Station
from flawspot.serve.tokens import Tokens

GOOD, ANOMALOUS = 50, 200
"""Grey levels of parts: the tiny detector calls those above 100 anomalous."""


def part(level: int, *, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture of a part, (width, height), as PNG: grey, with its first 8 x 8 pixels at a level."""
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[:8, :8] = level
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class AtWork:
    """A station behind its guard and a port.

    Attributes:
        station: that answers.
        url: of the page at the line.
    """

    def __init__(self, station: Station, tokens: Tokens | None = None) -> None:
        self.station, self._tokens = station, tokens
        self._port = 0
        self.begin()

    def begin(self) -> None:
        """Answer, on the same port as before."""
        guard = Guard(application(self.station, self._tokens), admit=admission(self._tokens))
        self._running = Running(server(guard, port=self._port))
        self._running.start()
        self._port = self._running.server.port
        self.url = f"http://127.0.0.1:{self._port}"

    def end(self) -> None:
        """Answer no longer."""
        self.station.events.close()
        self._running.stop()

    def send(self, picture: bytes, part: str | None = None, detector: str | None = None) -> dict[str, Any]:
        """Have a picture inspected; returns what the station says, whatever its status."""
        asked = {"part_id": part, "detector": detector}
        query = "&".join(f"{name}={urllib.parse.quote(value)}" for name, value in asked.items() if value is not None)
        request = urllib.request.Request(f"{self.url}/v1/predict?{query}", picture)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            told = json.load(error)
        return told


def artifact(folder: Path, model: bytes, manifest: Any, *, threshold: float = 100.0) -> Path:
    """A tiny detector with that threshold as a file."""
    scores = tuple(score * threshold / manifest.calibration.threshold for score in manifest.calibration.scores)
    calibration = dataclasses.replace(manifest.calibration, threshold=threshold, scores=scores)
    path = folder / f"above {threshold:g}.onnx"
    assemble(model, dataclasses.replace(manifest, calibration=calibration)).save(path)
    return path


def shows(page: Any, kind: str, number: int | None = None) -> None:
    """Wait until a page shows a verdict, and perhaps of which part."""
    page.wait_for_selector(f'#verdict[data-kind="{kind}"]')
    if number is not None:
        page.locator("#number", has_text=re.compile(rf"No {number}$")).wait_for()
