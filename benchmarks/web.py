"""Time exported pages in a browser, and their detectors in onnxruntime on one thread; and compare their maps.

    flawspot export part.onnx --to web -o page
    python benchmarks/web.py page [page ...] --photograph FILE [--rounds 20]

FILE must be a PNG or JPEG of at most two megapixels. Milliseconds are medians, of the inspection without decoding; both
take the whole photograph and resize it. A browser without a window is used, as of `flawspot.export.web.browser`.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.benchmark.machine import machine
from flawspot.export.web.browser import find_browser, opened
from flawspot.export.web.site import serving
from flawspot.runtime.artifact import read
from flawspot.runtime.images import read_image
from flawspot.runtime.session import open_session

_HTML = b'<!doctype html><script type="module" src="timing.js"></script>'
_SCRIPT = """
import { Detector } from "./detector.js";
const photograph = await (await fetch("photograph")).blob();
const detector = new Detector(), inspection = [], decoding = [];
let map;
for (let turn = 0; turn < ROUNDS + 3; turn++) {
  const found = await detector.inspect(photograph);
  map = found.map;
  if (turn >= 3) { inspection.push(found.milliseconds); decoding.push(found.decoding); }
}
await fetch("told", { method: "POST", body: new Blob([new Float32Array([...inspection, ...decoding]), map]) });
"""


def in_browser(page: Path, photograph: Path, rounds: int) -> tuple[float, float, NDArray[np.float32]]:
    """Milliseconds of inspection and decoding, and the map, in a row."""
    browser = find_browser()
    if browser is None:
        raise SystemExit("there is no browser of Chromium's family here")
    files = {path.name: path.read_bytes() for path in page.iterdir()}
    script = _SCRIPT.replace("ROUNDS", str(rounds)).encode()
    served = {**files, "timing.html": _HTML, "timing.js": script, "photograph": photograph.read_bytes()}
    with serving(served) as site, opened(browser, f"{site.address}timing.html") as process:
        found = site.posted(600, lambda: process.poll() is not None)
    if found is None:
        raise SystemExit("the page has said nothing")
    values = np.frombuffer(found[1], "<f4").astype(np.float32)
    taken = [statistics.median(values[part : part + rounds].tolist()) for part in (0, rounds)]
    return taken[0], taken[1], values[2 * rounds :]


def native(page: Path, photograph: Path, rounds: int) -> tuple[float, NDArray[np.float32]]:
    """Milliseconds, and the map, in a row."""
    session = open_session(read(page / "detector.onnx").model, threads=1, device="cpu")
    feed, taken = {"image": read_image(photograph)[None]}, []
    for turn in range(rounds + 3):
        begin = time.perf_counter()
        anomaly_map, _ = session.run(["anomaly_map", "score"], feed)
        if turn >= 3:
            taken.append(time.perf_counter() - begin)
    return 1000 * statistics.median(taken), np.asarray(anomaly_map, np.float32).ravel()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--photograph", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(f"One thread of {machine()['processor']}; milliseconds, medians.\n")
    print("| detector | browser | onnxruntime | decoding | map differs | MB gzipped, detector | the rest |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for page in options.pages:
        inspection, decoding, found = in_browser(page, options.photograph, options.rounds)
        alone, wanted = native(page, options.photograph, options.rounds)
        worst = np.abs(found - wanted).max() / np.abs(wanted).max()
        sizes = {path.name: len(gzip.compress(path.read_bytes())) / 1e6 for path in page.iterdir()}
        detector = sizes.pop("detector.onnx")
        title = read(page / "detector.onnx").manifest.title()
        cells = [f"{inspection:.0f}", f"{alone:.1f}", f"{decoding:.0f}", f"{worst:.1e}", f"{detector:.2f}"]
        print("|", " | ".join([title, *cells, f"{sum(sizes.values()):.2f}"]), "|")


if __name__ == "__main__":
    main()
