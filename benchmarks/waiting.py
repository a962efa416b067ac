"""Time the epochs of a student whose threads wait for each other, on a quiet machine and beside work.

    python benchmarks/waiting.py [--threads 2] [--epochs 4] [--most 60]

A student of STFPM on MobileNetV2 learns from photographs that flawspot draws, at 224 x 224, in processes of their own:
with one thread; with `--threads` as OpenMP lets them wait; with `--threads` bounded as flawspot's commands do
(`flawspot.spinning`). *Beside work*: the same while one process for each core takes what it can get. A process that
has not ended after `--most` seconds is ended, and the time that it had then is shown. The first epoch is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from other_work import other_work

from flawspot.spinning import SPINS, VARIABLE

EPOCHS = """
import sys, tempfile, time
from pathlib import Path
import torch
from flawspot.data.demo_set import make_demo_set
from flawspot.methods.stfpm import training
import flawspot
loss, begin, epochs = training.validation_loss, [0.0], [0]
def told(*given):
    print(time.perf_counter() - begin[0], flush=True)
    found = loss(*given)
    begin[0] = time.perf_counter()
    epochs[0] += 1
    if epochs[0] > int(sys.argv[1]):
        sys.exit()
    return found
training.validation_loss = told
with tempfile.TemporaryDirectory() as folder:
    (data,) = make_demo_set(Path(folder), products=["washer"], train=60, size=224)
    begin[0] = time.perf_counter()
    flawspot.train(data, method="stfpm", settings={"recipe": "fast"}, random_weights=True, progress=False)
"""
"""A program that prints the seconds of each epoch."""


def seconds_of_an_epoch(threads: int, variables: dict[str, str], epochs: int, most: float) -> str:
    """The median, or how long it took without an epoch."""
    environment = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "OMP_WAIT_POLICY")}
    environment |= {"OMP_NUM_THREADS": str(threads), **variables}
    command = [sys.executable, "-c", EPOCHS, str(epochs)]
    begin = time.perf_counter()
    try:
        ended = subprocess.run(command, env=environment, timeout=most, capture_output=True, text=True, check=False)
        told = ended.stdout
    except subprocess.TimeoutExpired as error:
        told = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else error.stdout or ""
    found = [float(line) for line in told.split()][1:]
    return f"{statistics.median(found):.2f}" if found else f"over {time.perf_counter() - begin:.0f}"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--most", type=float, default=60)
    options = parser.parse_args()
    kinds: list[tuple[str, int, dict[str, str]]] = [
        ("one thread", 1, {}),
        (f"{options.threads} threads", options.threads, {}),
        (f"{options.threads} threads, bounded", options.threads, {VARIABLE: SPINS}),
    ]
    print("| seconds of an epoch | quiet | beside work |\n|:--|--:|--:|")
    for name, threads, variables in kinds:
        quiet = seconds_of_an_epoch(threads, variables, options.epochs, options.most)
        with other_work(os.cpu_count() or 1):
            beside = seconds_of_an_epoch(threads, variables, options.epochs, options.most)
        print(f"| {name} | {quiet} | {beside} |", flush=True)


if __name__ == "__main__":
    main()
