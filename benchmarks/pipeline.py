"""Time what surrounds the networks: the rest of a graph, decoding beside inference, JPEGs at reduced size.

    python benchmarks/pipeline.py --data FOLDER [--runs 60] [--photographs 24]

FOLDER holds mvtec_ad/bottle. PaSTe (MobileNetV2, layers [7, 10, 14]) and STFPM ([3, 8, 14]) have an untrained student
here, which takes the same time as a trained one. Their artifacts are compared with the networks alone: the blocks of
the teacher, including shared ones, and those of the student, exported separately. They run in turn, also while another
process keeps one core busy. The map must agree with the networks' outputs within 1e-4 of its largest value. A folder of
PNGs of 900 x 900 pixels is predicted photograph by photograph, and with the next ones decoded at the same time; the
scores must be equal.
"""

from __future__ import annotations

import argparse
import functools
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from other_work import other_work
from PIL import Image
from torch import Tensor, nn

from flawspot.backbones.block_list import INPUT, BlockList, initialise
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create_pretrained
from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.shapes import Shapes
from flawspot.methods.stfpm.head import StudentTeacherHead
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.methods.stfpm.training import TrainedStudent
from flawspot.runtime.detector import OUTPUTS, Detector
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images
from flawspot.runtime.manifest import BackboneInfo, CalibrationInfo, Manifest, TrainingInfo
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.session import open_session
from flawspot.training.graph import DetectorGraph, Preprocess, to_onnx

SIZE = 224
BACKBONE = "mobilenet_v2"
METHODS: dict[str, type[STFPM]] = {"PaSTe": PaSTe, "STFPM": STFPM}


class Made(NamedTuple):
    """A detector's graph, and its networks by themselves.

    Attributes:
        graph, teacher, student: ONNX models.
        preprocess: from photographs to what the teacher is given.
        taps: that are compared.
        shares: whether the student starts from the teacher's first output; else from the photograph.
    """

    graph: bytes
    teacher: bytes
    student: bytes
    preprocess: Preprocess
    taps: tuple[int, ...]
    shares: bool


class Bare(nn.Module):
    """Blocks and nothing else."""

    def __init__(self, blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all taps."""
        return tuple(self.blocks(x).values())


def export_bare(blocks: nn.Module, example: Tensor) -> bytes:
    """The ONNX model of `blocks`, for one photograph."""
    with torch.no_grad():
        program = torch.onnx.export(Bare(blocks).eval(), (example,), dynamo=True, verbose=False)
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model


def make_module(kind: type[STFPM] = PaSTe) -> DetectorGraph:
    """What is exported, with an untrained student."""
    fitted = kind()
    taps = resolve(BACKBONE, fitted.default_layers)
    source = fitted.source_layer(taps, BACKBONE)
    network, weights = create_pretrained(BACKBONE, (source, *taps), None)
    student = fitted.student(taps, BACKBONE)
    initialise(student, 0)
    fitted.students_, fitted.source_ = (TrainedStudent(student.frozen(), 1, [], []),), source
    fitted.shapes_ = Shapes(BACKBONE, taps, network.shapes((SIZE, SIZE)), (SIZE, SIZE), 1)
    return DetectorGraph(Preprocess(SIZE, weights.mean, weights.std), network, StudentTeacherHead(fitted))


def make_detector(kind: type[STFPM] = PaSTe) -> Made:
    """A detector with an untrained student."""
    module = make_module(kind)
    network, student = module.backbone, module.head.get_submodule("student")
    source, *taps = network.taps
    shares = source != INPUT
    teacher = network if shares else BlockList(BACKBONE, network.blocks, taps)
    photograph = torch.zeros(1, 3, SIZE, SIZE)
    with torch.no_grad():
        start = network(photograph)[source]
    graph = to_onnx(module, OUTPUTS)
    bare = export_bare(teacher, photograph), export_bare(student, start)
    return Made(graph, *bare, module.preprocess, tuple(taps), shares)


def run_bare(session: onnxruntime.InferenceSession, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The outputs of a bare network."""
    return session.run(None, {session.get_inputs()[0].name: x})  # type: ignore[no-any-return]


def map_from(teacher: Sequence[NDArray[np.float32]], student: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """STFPM's equations 1 to 3 in numpy, for the first photograph."""
    product = np.ones((SIZE, SIZE))
    for ours, theirs in zip(teacher, student, strict=True):
        t, s = ours[0].astype(np.float64), theirs[0].astype(np.float64)
        difference = t / np.linalg.norm(t, axis=0) - s / np.linalg.norm(s, axis=0)
        matrix = bilinear_matrix(t.shape[1], SIZE)
        product *= matrix @ (0.5 * np.square(difference).sum(0)) @ matrix.T
    return product


def turn_by_turn(
    ways: Sequence[Callable[[], object]], runs: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Median seconds of each."""
    seconds: list[list[float]] = [[] for _ in ways]
    for run in range(runs + 3):
        for way, taken in zip(ways, seconds, strict=True):
            start = clock()
            way()
            if run >= 3:  # the first ones find cold caches
                taken.append(clock() - start)
    return [statistics.median(taken) for taken in seconds]


def time_graphs(runs: int, image: NDArray[np.uint8]) -> bytes:
    """The first table; returns the graph of PaSTe."""
    print(
        f"End to end on decoded photographs of {SIZE} × {SIZE}, compared with the networks alone. Milliseconds, "
        f"median of {runs} runs in turn. *Beside work*: the same ratio while another process keeps one core busy. "
        "*Processor*: the ratio of processor times, which other work does not change.\n"
    )
    print("| method | threads | end to end | teacher | student | end to end / networks | beside work | processor |")
    print("|---|---|---|---|---|---|---|---|")
    made = {name: make_detector(kind) for name, kind in METHODS.items()}
    for name, detector in made.items():
        for threads in (1, 2):
            times = time_graph(detector, threads, runs, image)
            with other_work():
                beside = ratio(time_graph(detector, threads, runs, image))
            processor = ratio(time_graph(detector, threads, runs, image, time.process_time))
            cells = " | ".join(f"{1000 * seconds:.2f}" for seconds in times)
            print(f"| {name} | {threads} | {cells} | {ratio(times):.2f} | {beside:.2f} | {processor:.2f} |")
    return made["PaSTe"].graph


def ratio(times: Sequence[float]) -> float:
    """The whole by the sum of its parts, which follow it."""
    whole, *parts = times
    return whole / sum(parts)


def time_graph(
    made: Made, threads: int, runs: int, image: NDArray[np.uint8], clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Median seconds of a detector, its teacher and its student."""
    with torch.no_grad():
        x = made.preprocess(torch.from_numpy(image[None])).numpy()
    whole, first, second = (open_session(each, threads=threads) for each in (made.graph, made.teacher, made.student))
    teacher = run_bare(first, x)
    start = teacher[0] if made.shares else x
    expected = map_from(teacher[-len(made.taps) :], run_bare(second, start))
    found = whole.run(OUTPUTS, {"image": image[None]})[0][0]
    if np.abs(found - expected).max() > 1e-4 * expected.max():
        raise SystemExit("the artifact's map does not follow from the bare networks' outputs")
    ways = [
        lambda: whole.run(OUTPUTS, {"image": image[None]}),
        lambda: run_bare(first, x),
        lambda: run_bare(second, start),
    ]
    return turn_by_turn(ways, runs, clock)


def time_folder(graph: bytes, paths: list[Path]) -> None:
    """The second table."""
    print(
        f"\n{len(paths)} PNGs of 900 × 900, from file to prediction. Milliseconds for each photograph, median of 5 "
        "turns.\n"
    )
    print("| threads of the detector | one after the other | decoding ahead | times faster |\n|---|---|---|---|")
    nothing = CalibrationInfo(0.1, 0.1, 0.0, (0.0,))
    manifest = Manifest(
        product="bottle",
        method="paste",
        hyperparameters={},
        seed=0,
        input_size=SIZE,
        backbone=BackboneInfo(BACKBONE, "paste", resolve(BACKBONE, "paste"), "", "", (0.0,), (1.0,)),
        training=TrainingInfo("", 1, 0, 1, (), {}),
        calibration=nothing,
        parts=(),
        versions={},
        created="",
    )
    for threads in (1, 2):
        detector = Detector(manifest, open_session(graph, threads=threads))

        def one_by_one(detector: Detector = detector) -> list[float]:
            return [detector.predict(path).score for path in paths]

        def reading_ahead(detector: Detector = detector) -> list[float]:
            return [prediction.score for prediction in detector.predict(paths)]

        if one_by_one() != reading_ahead():
            raise SystemExit("decoding ahead changes scores")
        plain, ahead = turn_by_turn([one_by_one, reading_ahead], 5)
        each = 1000 / len(paths)
        print(f"| {threads} | {plain * each:.1f} | {ahead * each:.1f} | {plain / ahead:.2f} |")


def resized(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As in the graph."""
    channels = [Image.fromarray(pixels[:, :, c].astype(np.float32)) for c in range(3)]
    return np.stack([np.asarray(c.resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for c in channels])


def time_jpeg(photograph: NDArray[np.uint8], folder: Path, runs: int) -> None:
    """The third table."""
    print(
        "\nJPEGs (an enlarged bottle, quality 90), decoded in full and with `--fast-jpeg`. Milliseconds, median of "
        f"{runs}. *Difference* is the largest one after resizing to {SIZE} × {SIZE}, in grey levels of 255.\n"
    )
    print("| pixels | in full | reduced | decoded at | times faster | difference |\n|---|---|---|---|---|---|")
    for width, height in ((1920, 1920), (4000, 3000), (4608, 3456), (8000, 6000)):
        path = folder / f"{width}.jpg"
        Image.fromarray(photograph).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
        whole = functools.partial(read_image, path)
        fast = functools.partial(read_photograph, path, SIZE, fast_jpeg=True)
        full, reduced = turn_by_turn([whole, fast], runs)
        decoded = read_photograph(path, SIZE, fast_jpeg=True).pixels
        difference = float(np.abs(resized(decoded) - resized(read_image(path))).max())
        size = f"{decoded.shape[1]} × {decoded.shape[0]}"
        cells = f"{1000 * full:.1f} | {1000 * reduced:.1f} | {size} | {full / reduced:.2f} | {difference:.2f}"
        print(f"| {width} × {height} | {cells} |")
        if difference > 2:
            raise SystemExit("reduced decoding differs by more than two grey levels")


def main() -> None:
    """Print the tables; fail if anything differs that should not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--photographs", type=int, default=24)
    options = parser.parse_args()
    photographs = find_images(options.data / "mvtec_ad" / "bottle" / "test")[: options.photographs]
    print("## Pipeline\n")
    first = Image.fromarray(read_image(photographs[0]))
    graph = time_graphs(options.runs, np.array(first.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), []
        for index, photograph in enumerate(photographs):
            paths.append(folder / f"{index}.png")
            buffer = io.BytesIO()
            large = Image.fromarray(read_image(photograph)).resize((900, 900), Image.Resampling.BICUBIC)
            large.save(buffer, "PNG")
            paths[-1].write_bytes(buffer.getvalue())
        time_folder(graph, paths)
        time_jpeg(read_image(photographs[0]), folder, max(options.runs // 10, 3))


if __name__ == "__main__":
    main()
