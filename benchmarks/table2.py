"""Measure table 2 of the PaSTe paper: what training STFPM and PaSTe takes, in time and in memory.

    python benchmarks/table2.py --data DATA [--epochs 3] [--rounds 3]

DATA is a folder with mvtec_ad/bottle. The network is MobileNetV2 with the layers of the paper's table 2 ([3, 8, 14] for
STFPM; [7, 10, 14] and shared blocks 0 to 6 for PaSTe), in batches of 32 as in the STFPM paper. There are two ways.
*Plain*, as published, runs teacher and student in eager torch in every step. *Cached*, as in `flawspot train`, computes
the teacher's taps and the student's input once. Each training runs in its own process on one thread, in turn; the order
changes from round to round. Decoded photographs are stored in a file, from which a batch is read at a time. Time is
processor time of an epoch, including the loss on held-out photographs. Memory is the peak of resident memory, beyond
that of a process that has only imported torch, and beyond that at the start of the first step.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from flawspot.measuring.peak_memory import forget_peak, peak_resident_bytes

forget_peak()
TORCH_ALONE = peak_resident_bytes() or 0
"""Bytes, before anything else is imported."""

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from students import (  # noqa: E402
    BACKBONE,
    BATCH,
    COUNT,
    HELD_OUT,
    PRODUCTS,
    SIZE,
    EpochTimes,
    backbone_maps,
    photographs,
    plain_loop,
)

from flawspot.backbones.layer_groups import resolve  # noqa: E402
from flawspot.backbones.registry import create_pretrained  # noqa: E402
from flawspot.errors import FlawspotError  # noqa: E402
from flawspot.methods.features import FeatureSet  # noqa: E402
from flawspot.methods.stfpm.method import STFPM  # noqa: E402
from flawspot.methods.stfpm.paste import PaSTe  # noqa: E402
from flawspot.runtime.memory import give_back_freed_memory  # noqa: E402
from flawspot.training.graph import Preprocess  # noqa: E402

METHODS = {"STFPM": (STFPM, "equiv"), "PaSTe": (PaSTe, "paste")}
WAYS = ("plain", "cached")
LEARNING_RATE = 0.01
"""Less than the paper's 0.4, so that the losses of both ways can be compared; it takes as long."""
PAPER = {"epoch": 100 * (1 - 198.4 / 297.5), "memory": 100 * (1 - 22.9 / 96.15)}
"""Table 2: less by so many per cent; multiply-accumulates of a training step there, and counted bytes."""
AGREEMENT = 1e-2


class Stored:
    """Photographs in a file, which are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path, self._bytes = path, SIZE * SIZE * 3

    def __len__(self) -> int:
        return self._path.stat().st_size // self._bytes

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        with self._path.open("rb") as file:
            read = []
            for row in rows:
                file.seek(int(row) * self._bytes)
                read.append(np.frombuffer(file.read(self._bytes), np.uint8))
        return np.stack(read).reshape(-1, SIZE, SIZE, 3)


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Train in this process. Returns processor seconds of each epoch, and resident bytes."""
    torch.set_num_threads(1)
    kind, layers = METHODS[order["method"]]
    method = kind(recipe="paper", epochs=order["epochs"], learning_rate=LEARNING_RATE)
    taps = resolve(BACKBONE, layers)
    source = method.source_layer(taps, BACKBONE)
    teacher, loaded = create_pretrained(BACKBONE, (source, *taps))
    preprocess, images = Preprocess(SIZE, loaded.mean, loaded.std), Stored(Path(order["images"]))
    begin = time.process_time()
    maps = {} if order["way"] == "plain" else backbone_maps(images, preprocess, teacher, threads=1)
    extraction = time.process_time() - begin
    gc.collect()
    give_back_freed_memory()
    peak_before = peak_resident_bytes() or 0
    forget_peak()
    begun = peak_resident_bytes() or 0
    if order["way"] == "plain":
        seconds, losses, _ = plain_loop(images, teacher, preprocess, method, order["epochs"], time.process_time)
    else:
        features = FeatureSet(teacher, taps, (SIZE, SIZE), maps)
        held_out = FeatureSet(teacher, taps, (SIZE, SIZE), maps, np.arange(HELD_OUT))
        times = EpochTimes(time.process_time)
        method.fit(features, held_out, progress=times)
        seconds, losses = times.seconds, method.training_losses_
    peak = peak_resident_bytes() or 0
    return {
        "seconds": seconds,
        "losses": losses,
        "extraction": extraction,
        "cache": sum(array.nbytes for array in maps.values()),
        "beyond_torch": max(peak, peak_before) - TORCH_ALONE,
        "in_steps": peak - begun,
    }


def run(order: dict[str, Any]) -> dict[str, Any]:
    """`measure` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--order", json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def less(of_paste: float, of_stfpm: float) -> float:
    """Per cent."""
    return 100 * (1 - of_paste / of_stfpm)


def table(found: dict[tuple[str, str], list[dict[str, Any]]], epochs: int, rounds: int) -> None:
    """Print both tables."""
    print("## Table 2 of the paper, measured\n")
    print(
        f"MobileNetV2, {COUNT} photographs of bottle in batches of {BATCH}, and the loss on {HELD_OUT} of them without "
        f"gradients. Seconds are processor seconds of an epoch on one thread, the least of {rounds} processes with "
        f"{epochs} epochs each; MiB are medians. *Beyond torch* is memory beyond that of a process that has loaded "
        "torch. *Cache* is a part of it; *in steps* is what was added from the first step on. torch "
        f"{torch.__version__}.\n"
    )
    print("| way | method | s an epoch | s once, for the cache | cache MiB | MiB beyond torch | MiB in steps |")
    print("|:--|:--|--:|--:|--:|--:|--:|")
    values: dict[tuple[str, str], tuple[float, float, float]] = {}
    for way in WAYS:
        for name in METHODS:
            runs = found[way, name]
            epoch = min(min(each["seconds"]) for each in runs)
            beyond, steps = (statistics.median(each[key] for each in runs) for key in ("beyond_torch", "in_steps"))
            values[way, name] = epoch, beyond, steps
            once = "" if way == "plain" else f"{min(each['extraction'] for each in runs):.1f}"
            cache = "" if way == "plain" else f"{runs[0]['cache'] / 2**20:.0f}"
            print(f"| {way} | {name} | {epoch:.2f} | {once} | {cache} | {beyond / 2**20:.0f} | {steps / 2**20:.0f} |")
    print("\n| PaSTe takes less than STFPM by | an epoch | beyond torch | in steps |\n|:--|--:|--:|--:|")
    print(f"| the paper, counted | {PAPER['epoch']:.0f}% | | {PAPER['memory']:.0f}% |")
    for way in WAYS:
        cells = " | ".join(
            f"{less(*pair):.0f}%" for pair in zip(values[way, "PaSTe"], values[way, "STFPM"], strict=True)
        )
        print(f"| measured, {way} | {cells} |")
    published = zip(values["cached", "PaSTe"], values["plain", "STFPM"], strict=True)
    print(f"| PaSTe cached, STFPM plain | {' | '.join(f'{less(*pair):.0f}%' for pair in published)} |")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--order", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.order:
        return options
    if min(options.epochs, options.rounds) < 1:
        parser.error("--epochs and --rounds are 1 or more")
    if options.data is None or not (options.data / PRODUCTS[0]).is_dir():
        parser.error(f"--data must be a folder with {PRODUCTS[0]}, not {options.data or 'left out'}")
    return options


def main() -> None:
    """Print the tables; fail if the two ways learn something else."""
    options = parsed()
    if options.order:
        print(json.dumps(measure(json.loads(options.order))))
        return
    found: dict[tuple[str, str], list[dict[str, Any]]] = {(way, name): [] for way in WAYS for name in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images"
        try:
            path.write_bytes(photographs(options.data).tobytes())
        except FlawspotError as error:
            raise SystemExit(str(error)) from None
        for turn in range(options.rounds):
            for way, name in found if turn % 2 else reversed(found):
                order = {"way": way, "method": name, "epochs": options.epochs, "images": str(path)}
                found[way, name].append(run(order))
                print(way, name, found[way, name][-1], file=sys.stderr)
    for name in METHODS:
        first = [found[way, name][0]["losses"][-1] for way in WAYS]
        if abs(first[0] - first[1]) > AGREEMENT * first[0]:
            raise SystemExit(f"{name}: the losses of the two ways differ: {first}")
    table(found, options.epochs, options.rounds)


if __name__ == "__main__":
    main()
