"""Time from the sending of a picture to its verdict, and its picture, on the screen of the station's page.

    python benchmarks/station.py part.onnx PHOTOGRAPHS [--parts 100] [--rate 5]

Photographs of the folder PHOTOGRAPHS are sent by HTTP at an even pace, one after the other, to a station in this very
process; the page is open in a browser without a window, as of `flawspot.export.web.browser`. What is on the screen is
asked in the page, one frame after it was drawn. Needs `flawspot[serve]` and playwright.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from flawspot.export.web.browser import find_browser
from flawspot.runtime.listing import IMAGE_SUFFIXES
from flawspot.serve.api.app import application
from flawspot.serve.guard import Guard
from flawspot.serve.guard.server import Running, server
from flawspot.serve.station import Settings, Station

_WATCH = """() => {
  window.seen = {};
  const number = () => (document.getElementById("number").textContent.match(/No (\\d+)/) ?? [])[1];
  const note = (what, which) => requestAnimationFrame(() => requestAnimationFrame(() => {
    (window.seen[which] ??= {})[what] = performance.timeOrigin + performance.now();
  }));
  new MutationObserver(() => note("verdict", number())).observe(document.getElementById("number"), { childList: true });
  new MutationObserver(() => {
    const image = document.querySelector("#picture image"), which = number();
    if (image) image.addEventListener("load", () => note("picture", which));
  }).observe(document.getElementById("picture"), { childList: true });
}"""


def served(station: Station) -> str:
    """The address at which a station answers from now on."""
    running = Running(server(Guard(application(station, None))))
    running.start()
    return f"http://127.0.0.1:{running.server.port}"


def sent(url: str, photographs: list[Path], parts: int, rate: float) -> dict[str, float]:
    """Send parts at a pace; returns when each was sent, by its number."""
    begin, found = time.time(), dict[str, float]()
    for count in range(parts):
        time.sleep(max(0.0, begin + count / rate - time.time()))
        now = time.time()
        request = urllib.request.Request(f"{url}/v1/predict", photographs[count % len(photographs)].read_bytes())
        with urllib.request.urlopen(request, timeout=60) as answer:
            found[str(json.load(answer)["number"])] = now
    return found


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--parts", type=int, default=100)
    parser.add_argument("--rate", type=float, default=5.0)
    asked = parser.parse_args()
    browser = find_browser()
    if browser is None:
        raise SystemExit("there is no browser of Chromium's family here")
    photographs = sorted(path for path in asked.photographs.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    with (
        tempfile.TemporaryDirectory() as folder,
        Station({"part": asked.artifact}, Settings(Path(folder))) as station,
        sync_playwright() as playwright,
    ):
        url = served(station)
        window = playwright.chromium.launch(executable_path=browser[0], args=["--no-sandbox"])
        page = window.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.evaluate(_WATCH)
        begun = sent(url, photographs, asked.parts, asked.rate)
        page.wait_for_timeout(2000)
        seen = page.evaluate("window.seen")
        window.close()
    for what in ("verdict", "picture"):
        taken = sorted(seen[n][what] - 1e3 * begin for n, begin in begun.items() if what in seen.get(n, {}))
        if not taken:
            raise SystemExit(f"no {what} was seen")
        figures = f"median {statistics.median(taken):.0f} ms, 95 % {taken[int(0.95 * (len(taken) - 1))]:.0f} ms"
        print(f"{what} on the screen: {len(taken)} of {len(begun)}, {figures}, longest {taken[-1]:.0f} ms")


if __name__ == "__main__":
    main()
