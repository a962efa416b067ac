"""PatchCore's search: the chunked full product, the hierarchical search and product quantization, in ONNX Runtime.

    python benchmarks/search.py --data DATA [--banks 10000 30000] [--accuracy]

DATA is a folder with mvtec_ad/bottle (and magnetic_tile for --accuracy). The searches alone are timed, on pooled
features of the defective photographs, in turn in one process; every distance must agree with the full product within
1e-4. Peak memory is of a process of its own for each. --accuracy trains detectors with exact and quantized banks.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnxruntime
import torch
from compiled import compile_backbone, compile_head
from numpy.typing import NDArray
from torch import Tensor, nn

import flawspot
from flawspot.data.folders import open_folder
from flawspot.evaluation import evaluate
from flawspot.methods.patchcore.coreset import Coreset, farthest_first
from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.product_quantizer import subspaces, train_quantizer
from flawspot.methods.patches import join
from flawspot.progress import SILENT, Progress
from flawspot.runtime.images import read_image
from flawspot.training.road import train

TAPS, CHANNELS, GRIDS = (3, 8, 14), (24, 64, 160), (56, 14, 7)
SHAPES = {grid: (channels, grid) for channels, grid in zip(CHANNELS, GRIDS, strict=True)}
SQUARES = [(grid, grid) for grid in GRIDS]
INPUTS = [f"layer_{grid}" for grid in GRIDS]
REPEATS = 5

HEADING = """## PatchCore's search

MobileNetV2 layers 3, 8, 14 at 224 x 224 on the {count} defective photographs of *bottle*. Only the search is timed,
with all threads. Times are the median over photographs of the best of a few runs; the ways take turns in one process.

- *Unproved*: how many of the 196 coarse cells the second and the last round search.
- *Peak*: resident memory of a process with the search, beyond that of one with a bank of a single patch. The first
  figure is for these photographs, the second for features where nothing is proved.
- *Difference*: the largest relative difference of a distance from that of the full product.
"""
Maps = list[NDArray[np.float32]]


def pooled_features(paths: list[Path]) -> Maps:
    """(N, C, g, g) of each tap, averaged over 3 x 3 patches."""
    _, session = compile_backbone(TAPS)
    outputs = [session.run(None, {"image": read_image(path)[None]}) for path in paths]
    pool = nn.AvgPool2d(3, stride=1, padding=1)
    return [pool(torch.from_numpy(np.concatenate(maps))).numpy() for maps in zip(*outputs, strict=True)]


class BySide(nn.Module):
    """A search whose maps are named by the side of their grid."""

    def __init__(self, search: nn.Module) -> None:
        super().__init__()
        self.search = search

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.search({(side, side): each for side, each in maps.items()})
        return found


def compile_search(search: nn.Module) -> tuple[onnxruntime.InferenceSession, bytes]:
    """A session of the search alone, and its model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile_head(BySide(search), SHAPES, outputs=("distance", "slot"))


PEAK = """
import sys
import numpy as np
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.runtime.session import open_session
with open(sys.argv[1], "rb") as model:
    session = open_session(model.read())
with np.load(sys.argv[2]) as stored:
    maps = dict(stored)
for row in range(len(maps["layer_56"])):
    session.run(None, {name: m[row : row + 1] for name, m in maps.items()})
print(peak_resident_bytes() or 0)
"""


def peak_mib(model: bytes, maps: Maps, folder: Path) -> float:
    """Peak resident memory of a process that searches for `maps`."""
    (folder / "model.onnx").write_bytes(model)
    named: dict[str, Any] = dict(zip(INPUTS, maps, strict=True))
    np.savez(folder / "maps.npz", **named)
    command = [sys.executable, "-c", PEAK, str(folder / "model.onnx"), str(folder / "maps.npz")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 2**20


def compare(bank: NDArray[np.float32], maps: Maps, folder: Path) -> None:
    """Print the rows of one bank."""
    quantizer = train_quantizer(bank, subspaces(CHANNELS, 8))
    searches: dict[str, HierarchicalSearch | NearestNeighbour] = {
        "full product in chunks": NearestNeighbour(bank, SQUARES),
        "hierarchical": HierarchicalSearch(bank, CHANNELS, SQUARES),
        "product-quantized": HierarchicalSearch(bank, CHANNELS, SQUARES, quantizer),
    }
    sessions, models = {}, {}
    for name, search in searches.items():
        sessions[name], models[name] = compile_search(search)
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    worst = 0.0
    for row in range(len(maps[0])):
        feed = {name: m[row : row + 1] for name, m in zip(INPUTS, maps, strict=True)}
        found = {}
        for name, session in sessions.items():
            times = []
            for _ in range(REPEATS if name != "full product in chunks" else 2):
                begin = time.perf_counter()
                found[name] = session.run(None, feed)[0]
                times.append(time.perf_counter() - begin)
            seconds[name].append(min(times))
        want = found["full product in chunks"]
        worst = max(worst, float((np.abs(found["hierarchical"] - want) / np.maximum(want, 1e-6)).max()))
    tiny = peak_mib(compile_search(HierarchicalSearch(bank[:1], CHANNELS, SQUARES))[1], maps, folder)
    # Features far from all of the bank: nothing is proved, every cell goes through every round.
    far = [maps[0][:1] + 1e3 * maps[0].std(), maps[1][:1], maps[2][:1]]
    full = statistics.median(seconds["full product in chunks"])
    for name, search in searches.items():
        stored = sum(t.numel() * t.element_size() for t in search.state_dict().values()) / 2**20
        if isinstance(search, HierarchicalSearch):
            counts = search.unproved({g: torch.from_numpy(m) for g, m in zip(SQUARES, maps, strict=True)})
            unproved = [count / len(maps[0]) for count in counts]
            macs, share = search.macs(unproved), ", ".join(f"{count:.1f}" for count in unproved)
        else:
            macs, share = search.macs(), ""
        median = statistics.median(seconds[name])
        peaks = " / ".join(f"{peak_mib(models[name], m, folder) - tiny:.0f}" for m in (maps, far))
        difference = f"{worst:.0e}" if name == "hierarchical" else ""
        print(
            f"| {len(bank):,} | {name} | {1e3 * median:.1f} | {1e3 * max(seconds[name]):.1f} | {full / median:.1f} | "
            f"{macs / 1e6:,.0f} | {share} | {stored:.1f} | {peaks} | {difference} |"
        )
    if not worst <= 1e-4:
        raise SystemExit(f"the hierarchical search is off by {worst}")


def selecting_once() -> Callable[..., Coreset]:
    """`farthest_first` with a memory, because both banks of a data set share a selection that takes minutes."""
    kept: dict[tuple[int, int, int], Coreset] = {}

    def select(points: NDArray[np.float32], count: int, *, seed: int = 0, progress: Progress = SILENT) -> Coreset:
        key = len(points), count, seed
        if key not in kept:
            kept[key] = farthest_first(points, count, seed=seed, progress=progress)
        return kept[key]

    return select


def accuracy(data: Path, sets: list[str]) -> None:
    """Print figures of whole detectors with exact and quantized banks."""
    print(
        "\nWhole detectors with banks of 10,000 on all test photographs: PatchCore-Lite's product-quantized bank "
        "beside the exact one. *ms* is for one photograph, backbone included.\n"
    )
    print("| photographs | bank | pixel F1-max | pixel AUROC | image AUROC | artifact MiB | bank MiB | ms |")
    print("|:--|:--|--:|--:|--:|--:|--:|--:|")
    for name in sets:
        folder = data / name
        image = read_image(open_folder(folder).test[0].path)
        select = selecting_once()
        for label, settings in (("exact", {}), ("product-quantized, 8 x 8 bits", {"quantization": "product"})):
            with mock.patch("flawspot.methods.patchcore.method.farthest_first", select):
                artifact = train(folder, method="patchcore", settings=settings)
            detector = flawspot.load(artifact)
            metrics = evaluate(detector, folder).metrics
            times = []
            for _ in range(20):
                begin = time.perf_counter()
                detector.run(image[None])
                times.append(time.perf_counter() - begin)
            bank = next(part for part in artifact.manifest.parts if part.name == "memory bank")
            print(
                f"| {folder.name} | {label} | {metrics.pixel_f1_max:.3f} | {metrics.pixel_auroc:.3f} | "
                f"{metrics.image_auroc:.3f} | {len(artifact.model) / 2**20:.1f} | {bank.bytes / 2**20:.2f} | "
                f"{1e3 * statistics.median(times):.1f} |",
                flush=True,
            )


def main() -> None:
    """Print the section of docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--banks", type=int, nargs="+", default=[10_000, 30_000])
    parser.add_argument("--accuracy", action="store_true")
    options = parser.parse_args()
    folder = open_folder(options.data / "mvtec_ad" / "bottle")
    features = pooled_features([Path(path) for path in folder.train])
    patches = join([torch.from_numpy(m) for m in features], (GRIDS[0], GRIDS[0]))
    points = patches.permute(0, 2, 3, 1).reshape(-1, sum(CHANNELS)).numpy()
    selected = points[farthest_first(points, max(options.banks)).indices]
    del features, patches, points
    defective = pooled_features([sample.path for sample in folder.test if sample.is_defective])
    print(HEADING.format(count=len(defective[0])))
    print(
        "| bank | search | ms | slowest ms | times faster | MMAC | unproved | stored MiB | peak MiB | difference |\n"
        "|--:|:--|--:|--:|--:|--:|:--|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as work:
        for size in options.banks:
            compare(selected[:size], defective, Path(work))
    if options.accuracy:
        accuracy(options.data, ["mvtec_ad/bottle", "magnetic_tile"])


if __name__ == "__main__":
    main()
