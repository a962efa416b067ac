"""Measure PaDiM's fit, storage and heads, and print a section for docs/performance.md.

    python benchmarks/padim.py --data DATA [--images 400] [--runs 25] [--threads 2] [--ranks 8] [--skip-accuracy]

DATA holds mvtec_ad/bottle and magnetic_tile. The fit reads random features of MobileNetV2's shapes from a memory-mapped
file; what it takes is the growth of this process, by the system's account and by tracemalloc's, each in a run by
itself. The heads run in ONNX Runtime on such features, turn by turn; the exact one must agree within 1e-5 with whole
matrices, as one product.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
import torch
from compiled import compile_head
from numpy.typing import NDArray
from torch import Tensor, nn

import flawspot
from flawspot.backbones.registry import create
from flawspot.evaluation import evaluate
from flawspot.methods.features import FeatureSet
from flawspot.methods.padim.method import PaDiM
from flawspot.methods.patches import join
from flawspot.methods.smoothing import Upsample
from flawspot.runtime.detector import OUTPUTS

SHAPES = {3: (24, 56), 8: (64, 14), 14: (160, 7)}
TAPS = tuple(SHAPES)
DATA_SETS = ("mvtec_ad/bottle", "magnetic_tile")
MIB = 2**20
SESSION = """
import sys, numpy, onnxruntime, psutil
process = psutil.Process()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
before = process.memory_info().rss
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {i.name: numpy.zeros([1, *i.shape[1:]], numpy.float32) for i in session.get_inputs()})
print(process.memory_info().rss - before)
"""


class WholeMatrices(nn.Module):
    """The head as the formula reads: every channel repeated, then L^-1 in full at each position."""

    def __init__(self, fitted: PaDiM) -> None:
        super().__init__()
        self.grid = fitted.shapes_.grid
        self.selected = nn.Buffer(torch.from_numpy(fitted.selected_))
        self.mean = nn.Buffer(torch.from_numpy(fitted.mean_.T[..., None].copy()))  # (d, P, 1)
        self.whitening = nn.Buffer(torch.from_numpy(fitted.whitening_))  # (P, d, d)
        self.upsample = Upsample(self.grid, fitted.shapes_.input_size, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        embedded = join([maps[tap] for tap in TAPS], self.grid)[:, self.selected]
        difference = embedded.flatten(2).permute(1, 2, 0) - self.mean
        distance = (self.whitening @ difference.permute(1, 0, 2)).square().sum(1).sqrt()
        anomaly_map = self.upsample(distance.T.reshape(-1, *self.grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def session_growth(model: bytes) -> int:
    """How much a session of its own that has run once adds to a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "head.onnx")
        path.write_bytes(model)
        done = subprocess.run([sys.executable, "-c", SESSION, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def random_features(folder: Path, images: int) -> FeatureSet:
    """Features with a mean and correlations of their own at each position, in files of their own."""
    generator = np.random.default_rng(0)
    maps: dict[int, NDArray[np.floating]] = {}
    for tap, (channels, side) in SHAPES.items():
        stored = np.lib.format.open_memmap(
            folder / f"{tap}.npy", mode="w+", dtype=np.float32, shape=(images, channels, side, side)
        )
        mean = generator.normal(size=(channels, side, side)).astype(np.float32)
        mixing = generator.normal(size=(channels, channels)).astype(np.float32) / channels**0.5
        for row in range(images):
            noise = generator.normal(size=(channels, side * side)).astype(np.float32)
            stored[row] = mean + (mixing @ noise).reshape(mean.shape)
        stored.flush()
        maps[tap] = np.load(folder / f"{tap}.npy", mmap_mode="r")
    return FeatureSet(create("mobilenet_v2", TAPS), TAPS, (224, 224), maps)


def growth(work: Callable[[], object]) -> int:
    """How far this process's own memory grows; pages of mapped files are the system's cache, where it tells them."""
    process = psutil.Process()

    def own() -> int:
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))

    before = peak = own()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, own())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return peak - before


def traced(work: Callable[[], object]) -> int:
    """The peak of what numpy allocates; torch's tensors here are views of its arrays or batches of 16 images."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def fit(
    folder: Path, images: int, variants: dict[str, dict[str, str | int]]
) -> tuple[dict[str, PaDiM], dict[str, NDArray[np.float32]], float, int, int]:
    """Every variant fitted on 80 images, one image's features, and seconds and memory of a fit on all of them."""
    features = random_features(folder, images)
    start = time.perf_counter()
    grown = growth(lambda: PaDiM().fit(features))
    seconds = time.perf_counter() - start
    allocated = traced(lambda: PaDiM().fit(features))
    few = FeatureSet(features.backbone, TAPS, (224, 224), {tap: m[:80] for tap, m in features.maps.items()})
    fitted = {name: PaDiM(**settings).fit(few) for name, settings in variants.items()}  # type: ignore[arg-type]
    return fitted, {f"layer_{tap}": np.array(m[-1:]) for tap, m in features.maps.items()}, seconds, grown, allocated


def main() -> None:
    """Print the section; fail if the exact head is not exact or a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ranks", type=int, nargs="+", default=[PaDiM().rank])
    parser.add_argument("--skip-accuracy", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    variants: dict[str, dict[str, str | int]] = {"full": {}, "full, float16": {"precision": "float16"}}
    for rank in options.ranks:
        variants[f"low_rank, {rank}"] = {"covariance": "low_rank", "rank": rank}
    variants["diagonal"] = {"covariance": "diagonal"}

    with tempfile.TemporaryDirectory() as folder:
        fitted, asked, seconds, grown, allocated = fit(Path(folder), options.images, variants)

    heads: dict[str, nn.Module] = {"whole matrices": WholeMatrices(fitted["full"])}
    heads |= {name: method.head() for name, method in fitted.items()}
    sessions, models = {}, {}
    for name, head in heads.items():
        sessions[name], models[name] = compile_head(head, SHAPES, options.threads)
    times: dict[str, list[float]] = {name: [] for name in heads}
    maps: dict[str, NDArray[np.float32]] = {}
    for _ in range(options.runs):
        for name, session in sessions.items():
            start = time.perf_counter()
            maps[name] = session.run(OUTPUTS, asked)[0]
            times[name].append(time.perf_counter() - start)
    reference = maps["whole matrices"]
    apart = {name: float(np.max(np.abs(m - reference) / reference)) for name, m in maps.items()}

    accuracy: dict[tuple[str, str], str] = {}
    for data in () if options.skip_accuracy else DATA_SETS:
        for name, settings in variants.items():
            artifact = flawspot.train(options.data / data, method="padim", layers=TAPS, settings=settings)
            metrics = evaluate(flawspot.load(artifact, threads=options.threads), options.data / data).metrics
            accuracy[data, name] = f"{metrics.pixel_f1_max:.3f} / {metrics.image_auroc:.3f}"

    print("## PaDiM\n")
    print(
        f"56 x 56 positions, 62 channels. Fitting {options.images} images from a memory-mapped file took "
        f"{seconds:.1f} s. The process grew by {grown / MIB:.0f} MiB; numpy allocated at most "
        f"{allocated / MIB:.0f} MiB.\n"
    )
    print(
        f"Only the heads, in ONNX Runtime {onnxruntime.__version__} with {options.threads} threads; median of "
        f"{options.runs} runs in turn. *Session* is the memory that one session adds to a fresh process. Accuracy is "
        "pixel F1-max / image AUROC.\n"
    )
    names = [data.split("/")[-1] for data in DATA_SETS]
    print(f"| covariance | stores MiB | model MiB | session MiB | MMAC | ms | map differs by | {' | '.join(names)} |")
    print("|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in heads:
        if name in fitted:
            parts = fitted[name].parts()
            stored, macs = sum(part.bytes for part in parts), sum(part.macs for part in parts)
        else:
            parts = fitted["full"].parts()
            whole = 3136 * 62 * 62
            stored = parts[0].bytes + 4 * whole + parts[-1].bytes
            macs = whole + 3136 * 62 + parts[-1].macs
        row = [
            f"{stored / MIB:.2f}",
            f"{len(models[name]) / MIB:.2f}",
            f"{session_growth(models[name]) / MIB:.0f}",
            f"{macs / 1e6:.1f}",
            f"{1000 * statistics.median(times[name]):.2f}",
            f"{apart[name]:.0e}",
            *(accuracy.get((data, name), "") for data in DATA_SETS),
        ]
        print(f"| {name} | {' | '.join(row)} |")
    if apart["full"] > 1e-5:
        sys.exit(f"the packed head differs from whole matrices by {apart['full']:.1e}")
    if max(grown, allocated) > 300e6:
        sys.exit(f"the fit took {max(grown, allocated) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
