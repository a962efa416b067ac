"""Time detectors with and without spinning idle threads.

    python benchmarks/spinning.py --data FOLDER [--rounds 12]

FOLDER holds mvtec_ad/bottle. PaSTe (MobileNetV2, layers [7, 10, 14], untrained) predicts a photograph of 224 x 224
with 2 threads, in sessions that spin and sessions that do not, in turn; each session is closed before the other is
opened, for spinning threads would take the other's processor. *Full load*: photograph after photograph. *Beside
work*: the same while another process keeps one core busy. *Idle*: the processor time of the whole process for each
photograph at 4 a second. *Two in turn*: two detectors of one kind, both open, photograph by photograph. Maps must be
equal.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from pipeline import BUSY, SIZE, make_detector

from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images
from flawspot.runtime.session import open_session

RUNS = 25
IDLE_SECONDS = 0.25
KINDS = {"spinning": True, "as shipped": False}


def seconds_each(sessions: list[onnxruntime.InferenceSession], feed: dict[str, NDArray[np.uint8]]) -> list[float]:
    """Of each run, all sessions in turn."""
    taken = []
    for run in range(RUNS + 3):
        for session in sessions:
            begin = time.perf_counter()
            session.run(OUTPUTS, feed)
            if run >= 3:
                taken.append(time.perf_counter() - begin)
    return taken


def idle_processor_seconds(session: onnxruntime.InferenceSession, feed: dict[str, NDArray[np.uint8]]) -> float:
    """Of the whole process, for one photograph and the pause after it."""
    begin = time.process_time()
    for _ in range(4):
        session.run(OUTPUTS, feed)
        time.sleep(IDLE_SECONDS)
    return (time.process_time() - begin) / 4


def seconds_beside_work(session: onnxruntime.InferenceSession, feed: dict[str, NDArray[np.uint8]]) -> list[float]:
    """Of each run, while another process takes what it can get of one core."""
    other = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        return seconds_each([session], feed)
    finally:
        other.kill()
        other.wait()


def main() -> None:
    """Print the table; fail if a map differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    photograph = read_image(find_images(options.data / "mvtec_ad" / "bottle" / "test")[0])
    image = np.array(Image.fromarray(photograph).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    feed = {"image": image[None]}
    graph = make_detector().graph
    full: dict[str, list[float]] = {name: [] for name in KINDS}
    best: dict[str, list[float]] = {name: [] for name in KINDS}
    two: dict[str, list[float]] = {name: [] for name in KINDS}
    idle: dict[str, list[float]] = {name: [] for name in KINDS}
    beside: dict[str, list[float]] = {name: [] for name in KINDS}
    maps = {}
    for turn in range(options.rounds):
        for name in KINDS if turn % 2 else reversed(KINDS):
            sessions = [open_session(graph, threads=2, spin=KINDS[name], device="cpu") for _ in range(2)]
            maps[name] = sessions[0].run(OUTPUTS, feed)[0]
            two[name] += seconds_each(sessions, feed)
            del sessions[1]
            taken = seconds_each(sessions, feed)
            full[name] += taken
            best[name].append(min(taken))
            idle[name].append(idle_processor_seconds(sessions[0], feed))
            beside[name] += seconds_beside_work(sessions[0], feed)
            del sessions
    if not np.array_equal(*maps.values()):
        raise SystemExit("spinning changes the map")
    print("## Threads that wait\n")
    print(
        f"PaSTe on a photograph of {SIZE} × {SIZE} with 2 threads. Milliseconds, medians of {options.rounds} sessions "
        f"of each kind with {RUNS} runs, in turn. *Best* is the median of each session's fastest run. *Beside work* is "
        "the same as *full load* while another process keeps one core busy. *Idle* is processor time for each "
        "photograph at 4 a second.\n"
    )
    print("| threads | full load | best | beside work | two in turn | idle |\n|:--|--:|--:|--:|--:|--:|")
    for name in KINDS:
        cells = (statistics.median(found[name]) for found in (full, best, beside, two, idle))
        print(f"| {name} | {' | '.join(f'{1000 * value:.2f}' for value in cells)} |")


if __name__ == "__main__":
    main()
