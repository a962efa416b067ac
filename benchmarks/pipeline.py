"""Time what surrounds the networks: the rest of a PaSTe graph, decoding beside inference, JPEGs at reduced size.

    python benchmarks/pipeline.py --data FOLDER [--runs 60] [--photographs 24]

FOLDER holds mvtec_ad/bottle. PaSTe (MobileNetV2, layers [7, 10, 14]) has an untrained student here, which takes the
same time as a trained one. Its artifact is compared with the bare networks, shared blocks with the teacher's and the
student's blocks, exported by themselves and run turn by turn with it; the map must be the one that follows from their
outputs, within 1e-4 of its largest value. A folder of PNGs of 900 x 900 pixels is predicted photograph by photograph,
and with the next ones decoded meanwhile; the scores must be equal.
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

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList, initialise
from flawspot.backbones.registry import create_pretrained
from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.shapes import Shapes
from flawspot.methods.stfpm.head import StudentTeacherHead
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.methods.stfpm.training import TrainedStudent
from flawspot.runtime.detector import OUTPUTS, Detector
from flawspot.runtime.images import read_image
from flawspot.runtime.listing import find_images
from flawspot.runtime.manifest import BackboneInfo, CalibrationInfo, Manifest, TrainingInfo
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.session import open_session
from flawspot.training.graph import DetectorGraph, Preprocess, to_onnx

TAPS = (7, 10, 14)
SOURCE = 6
SIZE = 224


class Bare(nn.Module):
    """Blocks and nothing else."""

    def __init__(self, blocks: BlockList) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all taps."""
        return tuple(self.blocks(x).values())


def export_bare(blocks: BlockList, example: Tensor) -> bytes:
    """The ONNX model of `blocks`, for one photograph."""
    with torch.no_grad():
        program = torch.onnx.export(Bare(blocks).eval(), (example,), dynamo=True, verbose=False)
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model


def make_paste() -> tuple[bytes, bytes, bytes, Preprocess]:
    """The artifact's graph, its shared blocks with the teacher's, and its student."""
    network, weights = create_pretrained("mobilenet_v2", (SOURCE, *TAPS), None)
    preprocess = Preprocess(SIZE, weights.mean, weights.std)
    student = create_pretrained("mobilenet_v2", TAPS, None)[0].split(SOURCE)[1]
    initialise(student, 0)
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, SIZE, SIZE))
    fitted = PaSTe()
    fitted.students_, fitted.source_ = (TrainedStudent(student.frozen(), 1, [], []),), SOURCE
    shapes = {layer: (m.shape[1], m.shape[2], m.shape[3]) for layer, m in maps.items()}
    fitted.shapes_ = Shapes("mobilenet_v2", TAPS, shapes, (SIZE, SIZE), 1)
    graph = to_onnx(DetectorGraph(preprocess, network, StudentTeacherHead(fitted)), OUTPUTS)
    return (
        graph,
        export_bare(network, torch.zeros(1, 3, SIZE, SIZE)),
        export_bare(student, maps[SOURCE]),
        preprocess,
    )


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


def turn_by_turn(ways: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Median seconds of each."""
    seconds: list[list[float]] = [[] for _ in ways]
    for run in range(runs + 3):
        for way, taken in zip(ways, seconds, strict=True):
            start = time.perf_counter()
            way()
            if run >= 3:  # the first ones find cold caches
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def time_graph(runs: int, image: NDArray[np.uint8]) -> bytes:
    """The first table; returns the artifact's graph."""
    graph, network, student, preprocess = make_paste()
    print(
        f"PaSTe end to end on decoded photographs of {SIZE} × {SIZE}, against its bare networks alone; milliseconds, "
        f"median of {runs} runs turn by turn.\n"
    )
    print(
        "| threads | end to end | shared blocks and teacher | student | end to end / networks |\n|---|---|---|---|---|"
    )
    with torch.no_grad():
        x = preprocess(torch.from_numpy(image[None])).numpy()
    for threads in (1, 2):
        whole, first, second = (open_session(model, threads=threads) for model in (graph, network, student))
        shared, *teacher = run_bare(first, x)
        expected = map_from(teacher, run_bare(second, shared))
        found = whole.run(OUTPUTS, {"image": image[None]})[0][0]
        if np.abs(found - expected).max() > 1e-4 * expected.max():
            raise SystemExit("the artifact's map does not follow from the bare networks' outputs")
        end_to_end, with_teacher, alone = turn_by_turn(
            [
                lambda whole=whole: whole.run(OUTPUTS, {"image": image[None]}),  # type: ignore[misc]
                lambda first=first: run_bare(first, x),  # type: ignore[misc]
                lambda second=second: run_bare(second, shared),  # type: ignore[misc]  # noqa: B023
            ],
            runs,
        )
        ratio = end_to_end / (with_teacher + alone)
        cells = " | ".join(f"{1000 * seconds:.2f}" for seconds in (end_to_end, with_teacher, alone))
        print(f"| {threads} | {cells} | {ratio:.2f} |")
    return graph


def time_folder(graph: bytes, paths: list[Path]) -> None:
    """The second table."""
    print(
        f"\n{len(paths)} PNGs of 900 × 900, from file to prediction; milliseconds for each photograph, median of 5 "
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
        backbone=BackboneInfo("mobilenet_v2", "paste", TAPS, "", "", (0.0,), (1.0,)),
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
        "\nJPEGs (an enlarged bottle, quality 90) decoded in full and by `--fast-jpeg`; milliseconds, median of "
        f"{runs}, and the largest difference once resized to {SIZE} × {SIZE}, in grey levels of 255.\n"
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
    graph = time_graph(options.runs, np.array(first.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
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
