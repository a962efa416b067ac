"""Time one epoch of PaSTe against the plain loop, or compare the recipes of STFPM and PaSTe, and print a table.

    python benchmarks/students.py [--data DATA] [--epochs 3] [--threads N]
    python benchmarks/students.py --recipes --data DATA --work FOLDER [--products magnetic_tile] [--methods paste]

DATA is a folder with mvtec_ad/bottle and magnetic_tile; without it the epoch is timed on random images. In the plain
loop teacher and student run in eager torch in every epoch, from decoded images of 224 x 224 in memory; it has the same
student, batches and optimizer, and the losses must agree. The recipes are trained and evaluated through the command
line; each detector's figures are kept in the work folder as JSON and not computed twice, so a broken-off run goes on
where it was.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from command_line import train_and_evaluate
from numpy.typing import NDArray
from PIL import Image

from flawspot.backbones.block_list import BlockList, initialise
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create_pretrained
from flawspot.costs.configuration import configuration_costs
from flawspot.data.folders import open_folder
from flawspot.methods.features import FeatureSet
from flawspot.methods.stfpm.head import half_squared_distance
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.progress import Silent
from flawspot.runtime.images import read_image
from flawspot.runtime.session import open_session
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx

T = TypeVar("T")
BACKBONE, SIZE, COUNT, HELD_OUT, BATCH = "mobilenet_v2", 224, 209, 42, 32
AGREEMENT = 1e-3
LEARNING_RATE = 0.01
"""At the paper's 0.4 rounding errors grow: after one epoch even float32 and float64 differ by 2e-3."""
PRODUCTS = ("mvtec_ad/bottle", "magnetic_tile")
RUNS = {"paper": ("paper", "float32"), "fast": ("fast", "float32"), "fast, float16 features": ("fast", "float16")}
"""The rows of the recipes' table: recipe and type of the cached features."""


class EpochTimes(Silent):
    """Takes the time between epochs."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: list[float] = []
        self._clock = clock

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield the epochs, and note how long each took."""
        for item in items:
            begin = self._clock()
            yield item
            self.seconds.append(self._clock() - begin)


def photographs(data: Path | None) -> NDArray[np.uint8]:
    """(N, 224, 224, 3): the good photographs of bottle, or noise."""
    if data is None:
        return np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)
    paths = open_folder(data / PRODUCTS[0]).train[:COUNT]
    images = [Image.fromarray(read_image(path)).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for path in paths]
    return np.stack([np.asarray(image) for image in images])


class Images(Protocol):
    """(N, 224, 224, 3) uint8, in memory or read when they are asked for."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some of them."""


def plain_loop(
    images: Images,
    teacher: BlockList,
    preprocess: Preprocess,
    method: STFPM,
    epochs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[float], list[float], list[float]]:
    """Run teacher and student in every step. Returns seconds, losses and held-out losses by epoch.

    Args:
        images: training images; the first `HELD_OUT` are also the held-out ones.
        teacher: the teacher, whose taps include the layer of the student's input.
        preprocess: turns images into the teacher's input.
        method: the method whose student is trained.
        epochs: number of epochs.
        clock: clock for the seconds.
    """
    source = teacher.taps[0]
    taps = teacher.taps[1:]
    student = method.student(taps, BACKBONE)
    initialise(student, 0)
    optimizer = torch.optim.SGD(student.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=1e-4)
    generator = np.random.default_rng(0)

    def loss_of(rows: NDArray[np.int64]) -> torch.Tensor:
        with torch.no_grad():
            maps = teacher(preprocess(torch.from_numpy(images[rows])))
        outputs = student(maps[source])
        return torch.stack([half_squared_distance(maps[tap], outputs[tap]).mean() for tap in taps]).sum()

    seconds, losses, held_out = [], [], []
    for _ in range(epochs):
        begin = clock()
        student.train()
        total = 0.0
        for rows in np.array_split(generator.permutation(len(images)), -(-len(images) // BATCH)):
            loss = loss_of(rows)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        student.eval()
        with torch.no_grad():
            batches = np.array_split(np.arange(HELD_OUT), -(-HELD_OUT // BATCH))
            held_out.append(sum(float(loss_of(rows)) * len(rows) for rows in batches) / HELD_OUT)
        losses.append(total / len(images))
        seconds.append(clock() - begin)
    return seconds, losses, held_out


def backbone_maps(
    images: Images, preprocess: Preprocess, teacher: BlockList, threads: int | None = None
) -> dict[int, NDArray[np.float32]]:
    """{layer: (N, C, H, W)} of the teacher's taps by the compiled backbone, channels-last in memory."""
    names = [f"layer_{layer}" for layer in teacher.taps]
    session = open_session(to_onnx(FeatureGraph(preprocess, teacher), names), threads=threads)
    made = {
        layer: np.empty((len(images), height, width, channels), np.float32)
        for layer, (channels, height, width) in teacher.shapes((SIZE, SIZE)).items()
    }
    for row in range(len(images)):
        outputs = session.run(names, {"image": images[np.array([row])]})
        for layer, output in zip(teacher.taps, outputs, strict=True):
            made[layer][row] = output[0].transpose(1, 2, 0)
    return {layer: np.moveaxis(array, 3, 1) for layer, array in made.items()}


def epochs_table(data: Path | None, epochs: int) -> None:
    """Print seconds per epoch; fail if the losses differ."""
    taps = resolve(BACKBONE, PaSTe.default_layers)
    source = PaSTe().source_layer(taps, BACKBONE)
    teacher, loaded = create_pretrained(BACKBONE, (source, *taps))
    preprocess = Preprocess(SIZE, loaded.mean, loaded.std)
    images = photographs(data)
    maps = backbone_maps(images, preprocess, teacher)

    found = {"plain loop": plain_loop(images, teacher, preprocess, PaSTe(), epochs)}
    sizes = {"plain loop": "–"}
    for dtype in ("float32", "float16"):
        name = f"flawspot, {dtype} features"
        kept = {layer: array.astype(dtype) for layer, array in maps.items()}
        features = FeatureSet(teacher, taps, (SIZE, SIZE), kept)
        held_out = FeatureSet(teacher, taps, (SIZE, SIZE), kept, np.arange(HELD_OUT))
        method, times = PaSTe(recipe="paper", epochs=epochs, learning_rate=LEARNING_RATE), EpochTimes()
        method.fit(features, held_out, progress=times)
        found[name] = (times.seconds, method.training_losses_, method.validation_losses_)
        sizes[name] = f"{sum(array.nbytes for array in kept.values()) / 2**20:.0f}"

    origin = "photographs of bottle" if data else "random images"
    training = configuration_costs(backbone=BACKBONE, method="paste", images=COUNT).training
    assert training is not None
    share = training.macs / (training.macs + training.backbone_macs)
    print("## Training students\n")
    print(
        f"One epoch of PaSTe on MobileNetV2 {list(taps)}: {len(images)} {origin} in batches of {BATCH}, and the loss "
        f"on {HELD_OUT} held-out ones. Median of {epochs} epochs, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. In the plain loop teacher and student run in eager torch. The student's own forward and "
        f"backward pass, which no cache can save, is {share:.0%} of its multiply-accumulates.\n"
    )
    print("| way | seconds per epoch | times faster | features MiB | last loss | largest difference of a loss |")
    print("|:--|--:|--:|--:|--:|--:|")
    reference = found["plain loop"]
    slowest = statistics.median(reference[0])
    differences = {}
    for name, (seconds, losses, held) in found.items():
        median = statistics.median(seconds)
        differences[name] = float(np.abs(np.subtract([*losses, *held], [*reference[1], *reference[2]])).max())
        print(
            f"| {name} | {median:.2f} | {slowest / median:.1f} | {sizes[name]} | {losses[-1]:.4f} "
            f"| {differences[name]:.0e} |"
        )
    if not differences["flawspot, float32 features"] <= AGREEMENT:
        raise SystemExit(f"the losses differ by {differences['flawspot, float32 features']}")


def figures(data: Path, method: str, run: str, seed: int, work: Path) -> dict[str, Any]:
    """Train and evaluate one detector, or read what an earlier run found."""
    recipe, dtype = RUNS[run]
    kept = work / f"{data.name}-{method}-{recipe}-{dtype}-{seed}.json"
    options = ["--method", method, "--recipe", recipe, "--seed", str(seed)]
    return train_and_evaluate(data, kept, [*options, "--cache", str(work / "features"), "--cache-dtype", dtype])


def recipes_table(
    data: Path, work: Path, products: list[str], methods: list[str], runs: list[str], seeds: list[int]
) -> None:
    """Print F1 and time of every recipe, product and method."""
    work.mkdir(parents=True, exist_ok=True)
    print("## Recipes for students\n")
    print(
        f"Mean of the seeds {', '.join(map(str, seeds))}. Seconds are those of fitting the student on cached features. "
        "Epochs are chosen on held-out good images. Differences and ratios compare means with those of `paper`.\n"
    )
    print("| product | method | recipe | epochs | pixel F1-max | difference | image AUROC | seconds | share of time |")
    print("|:--|:--|:--|--:|--:|--:|--:|--:|--:|")
    for product in products:
        for method in methods:
            reference: tuple[float, float] | None = None
            for run in runs:
                rows = [figures(data / product, method, run, seed, work) for seed in seeds]
                f1 = statistics.mean(row["evaluate"]["pixel_f1_max"] for row in rows)
                auroc = statistics.mean(row["evaluate"]["image_auroc"] for row in rows)
                seconds = statistics.mean(row["train"]["seconds"]["fitting"] for row in rows)
                epochs = rows[0]["train"]["manifest"]["hyperparameters"]["epochs"]
                reference = reference or (f1, seconds)
                print(
                    f"| {Path(product).name} | {method} | {run} | {epochs} | {f1:.3f} | {f1 - reference[0]:+.3f} "
                    f"| {auroc:.3f} | {seconds:.0f} | {seconds / reference[1]:.2f} |",
                    flush=True,
                )


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: torch's, one for each core")
    parser.add_argument("--recipes", action="store_true")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--methods", nargs="+", default=["paste", "stfpm"])
    parser.add_argument("--products", nargs="+", default=list(PRODUCTS), choices=PRODUCTS)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.recipes:
        epochs_table(options.data, options.epochs)
    elif options.data is None or options.work is None:
        parser.error("--recipes needs --data and --work")
    else:
        recipes_table(options.data, options.work, options.products, options.methods, options.runs, options.seeds)


if __name__ == "__main__":
    main()
