"""Time detectors whose idle threads sleep at once, wait for a while, or spin.

    python benchmarks/spinning.py --data FOLDER [--rounds 12] [--artifact FILE]

FOLDER holds mvtec_ad/bottle. PaSTe (MobileNetV2, layers [7, 10, 14], untrained), or a trained artifact, predicts a
photograph of 224 x 224 with 2 threads, in sessions of each kind, in turn; each session is closed before the other is
opened, for spinning threads would take the other's processor. *Full load*: photograph after photograph. *Paced*: a
pause of a tenth of a second before each, as on a line. *Beside work*: full load while another process keeps one core
busy. *Idle*: the processor time of the whole process for each photograph at 4 a second. *Two in turn*: two detectors of
one kind, both open, photograph by photograph. Maps must be equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from other_work import other_work
from PIL import Image
from pipeline import SIZE, make_detector

from flawspot.runtime import artifact, session
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images

RUNS = 25
PACED_SECONDS = 0.1
IDLE_SECONDS = 0.25
COLUMNS = ("full load", "best", "paced", "beside work", "two in turn", "idle")


class Kind(NamedTuple):
    """How the threads of a session wait: microseconds within a prediction, or all the time if they spin."""

    threads: int
    wait: int = session.WAIT_MICROSECONDS
    spin: bool = False


KINDS = {
    "spinning": Kind(2, spin=True),
    "as shipped": Kind(2),
    "100 µs": Kind(2, 100),
    "300 µs": Kind(2, 300),
    "1,000 µs": Kind(2, 1000),
    "one thread": Kind(1),
}


def opened(graph: bytes, kind: Kind) -> onnxruntime.InferenceSession:
    """A session of that kind."""
    shipped = session.WAIT_MICROSECONDS
    try:
        session.WAIT_MICROSECONDS = kind.wait
        return session.open_session(graph, threads=kind.threads, spin=kind.spin, device="cpu")
    finally:
        session.WAIT_MICROSECONDS = shipped


def seconds_each(
    sessions: list[onnxruntime.InferenceSession], feed: dict[str, NDArray[np.uint8]], pause: float = 0.0
) -> list[float]:
    """Of each run, all sessions in turn."""
    taken = []
    for run in range(RUNS + 3):
        for each in sessions:
            time.sleep(pause)
            begin = time.perf_counter()
            each.run(OUTPUTS, feed)
            if run >= 3:
                taken.append(time.perf_counter() - begin)
    return taken


def idle_processor_seconds(detector: onnxruntime.InferenceSession, feed: dict[str, NDArray[np.uint8]]) -> float:
    """Of the whole process, for one photograph and the pause after it."""
    begin = time.process_time()
    for _ in range(4):
        detector.run(OUTPUTS, feed)
        time.sleep(IDLE_SECONDS)
    return (time.process_time() - begin) / 4


def measure(graph: bytes, kind: Kind, feed: dict[str, NDArray[np.uint8]]) -> dict[str, list[float]]:
    """Seconds of two new sessions of that kind, by column."""
    sessions = [opened(graph, kind) for _ in range(2)]
    found = {"two in turn": seconds_each(sessions, feed)}
    del sessions[1]
    found["full load"] = seconds_each(sessions, feed)
    found["best"] = [min(found["full load"])]
    found["paced"] = seconds_each(sessions, feed, PACED_SECONDS)
    found["idle"] = [idle_processor_seconds(sessions[0], feed)]
    with other_work():
        found["beside work"] = seconds_each(sessions, feed)
    return found


def main() -> None:
    """Print the table; fail if a map differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--artifact", type=Path, help="a trained detector in place of PaSTe")
    options = parser.parse_args()
    photograph = read_image(find_images(options.data / "mvtec_ad" / "bottle" / "test")[0])
    image = np.array(Image.fromarray(photograph).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    feed = {"image": image[None]}
    graph = make_detector().graph if options.artifact is None else artifact.read(options.artifact).model
    maps = [opened(graph, kind).run(OUTPUTS, feed)[0] for kind in KINDS.values()]
    if not all(np.array_equal(maps[0], each) for each in maps):
        raise SystemExit("the way of waiting changes the map")
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in KINDS}
    for turn in range(options.rounds):
        for name in KINDS if turn % 2 else reversed(KINDS):
            for column, seconds in measure(graph, KINDS[name], feed).items():
                found[name][column] += seconds
    what = "PaSTe" if options.artifact is None else options.artifact.stem
    print("## Threads that wait\n")
    print(
        f"{what} on a photograph of {SIZE} × {SIZE} with 2 threads. Milliseconds, medians of {options.rounds} sessions "
        f"of each kind with {RUNS} runs, in turn. *Best* is the median of each session's fastest run. *Paced* has a "
        f"pause of {PACED_SECONDS} s before each photograph. *Beside work* is the same as *full load* while another "
        "process keeps one core busy. *Idle* is processor time for each photograph at 4 a second.\n"
    )
    print(f"| threads | {' | '.join(COLUMNS)} |\n|:--|{'--:|' * len(COLUMNS)}")
    for name, seconds_of in found.items():
        cells = (f"{1000 * statistics.median(seconds_of[column]):.2f}" for column in COLUMNS)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
