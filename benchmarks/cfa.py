"""Time CFA's factorized head and training against their plain forms, and print a section for docs/performance.md.

    python benchmarks/cfa.py --data DATA [--images 40] [--epochs 2] [--runs 15] [--threads 2]

DATA holds mvtec_ad/bottle. The plain forms pool, interpolate and concatenate the features first: one descriptor, and
one product of every patch with every centre. Both heads run in ONNX Runtime on the same features of bottle's defective
photographs, turn by turn; both trainings start from the same seed and cached features. The maps must agree within 1e-4
and the losses within 1e-3.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from compiled import compile_backbone, compile_head
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.data.folders import open_folder
from flawspot.methods.cfa.costs import levels
from flawspot.methods.cfa.descriptor import Descriptor
from flawspot.methods.cfa.method import CFA
from flawspot.methods.cfa.training import hypersphere_loss
from flawspot.methods.features import FeatureSet
from flawspot.methods.patches import join, pool
from flawspot.methods.smoothing import Upsample
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.images import read_image

TAPS = (3, 8, 14)
BACKBONE_MACS = 225.5e6
Maps = dict[int, NDArray[np.float32]]


class PlainDescriptor(nn.Module):
    """The descriptor after concatenation: (N, C, G, G) -> (N * P, C)."""

    where: Tensor

    def __init__(self, descriptor: Descriptor) -> None:
        super().__init__()
        self.features, self.position = descriptor.features, descriptor.position
        axes = [torch.linspace(-1, 1, length) for length in descriptor.grid]
        self.register_buffer("where", torch.stack(torch.meshgrid(*axes, indexing="ij"))[None])

    def forward(self, patches: Tensor) -> Tensor:
        described = self.features(patches) + self.position(self.where)
        return described.flatten(2).transpose(1, 2).reshape(-1, described.shape[1])  # type: ignore[no-any-return]


class PlainHead(nn.Module):
    """All features at the finest resolution, one product with all centres."""

    centres: Tensor

    def __init__(self, fitted: CFA) -> None:
        super().__init__()
        self.nearest, self.grid = fitted.nearest, fitted.shapes_.grid
        self.descriptor = PlainDescriptor(fitted.descriptor_)
        self.register_buffer("centres", fitted.centres_)
        self.upsample = Upsample(self.grid, fitted.shapes_.input_size, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        flat = self.descriptor(join([pool(maps[tap]) for tap in TAPS], self.grid, "bilinear"))
        partial = self.centres.square().sum(1) - 2 * flat @ self.centres.T
        index = partial.topk(self.nearest, dim=1, largest=False).indices
        distance = (flat[:, None] - self.centres[index]).square().sum(2).sqrt()
        certainty = torch.softmax(-distance, dim=1)[:, 0]
        anomaly_map = self.upsample((certainty * distance[:, 0]).reshape(-1, *self.grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def plain_epochs(features: FeatureSet, method: CFA) -> list[float]:
    """Train as the paper's formulas read: pool and interpolate in every step, then compare at full width."""
    descriptor = PlainDescriptor(Descriptor(levels(features.shapes), method.seed))

    def described(rows: NDArray[np.int64]) -> Tensor:
        maps = [torch.from_numpy(features.batch(tap, rows)) for tap in TAPS]
        flat: Tensor = descriptor(join([pool(m) for m in maps], features.shapes.grid, "bilinear"))
        return flat

    with torch.no_grad():
        total = torch.zeros(features.shapes.positions, features.shapes.channels)
        for row in range(len(features)):
            total += described(np.array([row]))
        centres = total / len(features)
    radius = nn.Parameter(torch.tensor(1e-5))
    optimizer = torch.optim.AdamW(
        [*descriptor.parameters(), radius], method.learning_rate, weight_decay=method.weight_decay, amsgrad=True
    )
    generator = np.random.default_rng(method.seed)
    losses = []
    for _ in range(method.epochs):
        order = generator.permutation(len(features))
        total_loss = 0.0
        for start in range(0, len(order), method.batch_size):
            rows = order[start : start + method.batch_size]
            flat = described(rows)
            with torch.no_grad():
                partial = torch.addmm(centres.square().sum(1), flat, centres.T, alpha=-2)
                index = partial.topk(method.nearest + method.repelled, dim=1, largest=False).indices
            loss = hypersphere_loss(method, (flat[:, None] - centres[index]).square().sum(2), radius)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total_loss += float(loss.detach()) * len(rows)
        losses.append(total_loss / len(features))
    return losses


def extract(paths: list[Path]) -> FeatureSet:
    """Features of some photographs from the compiled backbone."""
    network, session = compile_backbone(TAPS)
    rows = [session.run(None, {"image": read_image(path)[None]}) for path in paths]
    return FeatureSet(
        network, TAPS, (224, 224), {tap: np.concatenate([r[i] for r in rows]) for i, tap in enumerate(TAPS)}
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the section; fail if maps or losses differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = open_folder(options.data / "mvtec_ad" / "bottle")
    features = extract(list(folder.train)[: options.images])
    defective = extract([sample.path for sample in folder.test if sample.is_defective][:8])

    method = CFA(epochs=options.epochs)
    losses: list[float] = []
    plain_seconds = timed(lambda: losses.extend(plain_epochs(features, method)))
    seconds = timed(lambda: method.fit(features))
    apart = max(abs(a / b - 1) for a, b in zip(method.training_losses_, losses, strict=True))

    maps = {tap: defective.batch(tap, slice(None)) for tap in TAPS}
    shapes = {tap: defective.shapes.maps[tap][:2] for tap in TAPS}
    sessions, models = {}, {}
    for name, head in (("plain", PlainHead(method)), ("factorized", method.head())):
        sessions[name], models[name] = compile_head(head, shapes, options.threads)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sessions}
    for run in range(options.runs):
        feed = {f"layer_{tap}": maps[tap][run % 8 : run % 8 + 1] for tap in TAPS}
        for name, session in sessions.items():
            start = time.perf_counter()
            output = session.run(OUTPUTS, feed)
            times[name].append(time.perf_counter() - start)
            found[name].append(output[0])
    difference = max(float(np.max(np.abs(a - b) / b)) for a, b in zip(found["factorized"], found["plain"], strict=True))
    channels, positions = features.shapes.channels, features.shapes.positions
    smoothing = method.parts()[-1].macs
    plain_macs = positions * (channels + 2) * channels + positions * positions * channels + 3 * positions * channels
    counted = {"plain": plain_macs + smoothing, "factorized": sum(part.macs for part in method.parts())}

    print("## CFA\n")
    print(
        f"MobileNetV2, layers 3, 8, 14 at 224, bottle; ONNX Runtime {onnxruntime.__version__}, {options.threads} "
        f"threads, only the head, median of {options.runs} runs in turn. Multiply-accumulates are in millions and "
        f"include the backbone's {BACKBONE_MACS / 1e6:.1f}. Largest relative difference of the maps: "
        f"{difference:.0e}.\n"
    )
    print("| head | ms | times faster | MMAC in all | model MiB |")
    print("|:--|--:|--:|--:|--:|")
    slow = statistics.median(times["plain"])
    for name in sessions:
        median = statistics.median(times[name])
        macs = (BACKBONE_MACS + counted[name]) / 1e6
        print(f"| {name} | {1000 * median:.1f} | {slow / median:.1f} | {macs:.1f} | {len(models[name]) / 2**20:.2f} |")
    print(
        f"\nTraining with {len(features)} photographs for {options.epochs} epochs on cached features, including the "
        f"first pass for the centres. Largest relative difference of the losses: {apart:.0e}.\n"
    )
    print("| training | s an epoch | times faster |")
    print("|:--|--:|--:|")
    print(f"| plain | {plain_seconds / options.epochs:.2f} | 1.0 |")
    print(f"| factorized | {seconds / options.epochs:.2f} | {plain_seconds / seconds:.1f} |")
    if difference > 1e-4 or apart > 1e-3:
        sys.exit(f"the maps differ by {difference:.1e}, the losses by {apart:.1e}")


if __name__ == "__main__":
    main()
