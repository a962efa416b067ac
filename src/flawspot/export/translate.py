"""``flawspot export``: an artifact becomes a file for a target, if the gate lets it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flawspot
from flawspot.data.folders import open_data
from flawspot.errors import ConfigurationError, ExportError
from flawspot.evaluation import evaluate
from flawspot.export.c_texts import Facts
from flawspot.export.c_writer import CProgram, write_c
from flawspot.export.compiling import CompiledC, compiled, find_compiler
from flawspot.export.form import Form
from flawspot.export.from_onnx import read_form
from flawspot.export.gate import Parity, compare
from flawspot.export.photographs import generated, photographs, resized
from flawspot.files import check_writable, write_bytes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.artifact import Artifact, graph_sha256
from flawspot.runtime.detector import Detector, load

TARGETS = ("c",)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FIGURES = ("pixel_f1_max", "image_auroc")


@dataclass(frozen=True)
class Report:
    """What was written, and how it compares.

    Attributes:
        files: what was written.
        title, graph_sha256: of the detector.
        precision: ``int8`` or ``float32``, in which the backbone is computed.
        parts: bytes of constants, by part.
        code: bytes of machine code on this machine, or None where that is not known.
        arena, arena_bound: bytes of memory that it works in; and what no plan for this order of operations goes below.
        macs: multiply-accumulates for a photograph.
        parity: None where it was not compared.
        figures: with labelled photographs, of artifact and translation each: pixel F1-max and image AUROC.
        compiler: the command it was compared with.
    """

    files: tuple[str, ...]
    title: str
    graph_sha256: str
    precision: str
    parts: dict[str, int]
    code: int | None
    arena: int
    arena_bound: int
    macs: int
    parity: Parity | None
    figures: dict[str, dict[str, float | None]] | None
    compiler: str | None

    @property
    def verified(self) -> bool:
        """Whether the gate has let it through."""
        return self.parity is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"verified": self.verified, "flawspot": flawspot.__version__, **dataclasses.asdict(self)}


def export_c(
    artifact: Artifact,
    path: Path,
    *,
    folder: Path | None = None,
    data: Path | None = None,
    unverified: bool = False,
    progress: Progress = SILENT,
) -> Report:
    """Write an artifact as C: `path`, its header, a file that resizes, and ``<path>.report.json``.

    Args:
        artifact: verified.
        path: of the C file.
        folder: good photographs to compare on; None for generated pictures.
        data: labelled photographs, to measure both.
        unverified: write it though there is no compiler to compare with.
        progress: is told of the steps.

    Raises:
        ArtifactError: it fails its self-test.
        ExportError: it has no C form, differs from the artifact, or there is no compiler and `unverified` was not said.
        ConfigurationError: a name that no C file should have.
        DataError: no photographs.
        FlawspotError: it cannot be written.
    """
    names = _names(path)
    for name in names:
        check_writable(name)
    if data is not None:
        open_data(data)  # before the work, so that what is no data is told at once
    manifest = artifact.manifest
    size = manifest.input_size
    form = read_form(artifact.model, size)
    facts = _facts(artifact, form, path)
    with progress.step("writing C"):
        program = write_c(form, facts)
    compiler = find_compiler()
    if compiler is None and not unverified:
        raise ExportError(
            "there is no C compiler here to compare the C file with the artifact: install one, set CC, or say "
            "--unverified"
        )
    parity, figures, code = None, None, None
    if compiler is not None:
        detector = load(artifact, self_test=True)
        pictures = generated(size) if folder is None else photographs(folder, manifest, progress)
        with ExitStack() as stack:
            with progress.step("compiling"):
                translation = stack.enter_context(compiled(program, size, compiler, trace=form.quantized))
            with progress.step("comparing with the artifact"):
                parity = compare(artifact, detector, form, translation, pictures, facts.threshold)
            if data is not None:
                figures = _figures(detector, translation, parity.threshold, data, progress)
        code = code_bytes(program, compiler)
    if parity is not None and parity.threshold != facts.threshold:
        program = write_c(form, dataclasses.replace(facts, threshold=parity.threshold))
    precision = "int8" if form.quantized else "float32"
    sizes = (program.bytes, code, program.arena, program.bound, form.macs)
    shown = None if compiler is None else " ".join(compiler)
    report = Report(tuple(map(str, names)), manifest.title(), facts.sha256, precision, *sizes, parity, figures, shown)
    _write(names, program, report)
    return report


def _names(path: Path) -> tuple[Path, Path, Path, Path]:
    if path.suffix != ".c" or not _NAME.fullmatch(path.stem):
        raise ConfigurationError(f"cannot write {path}: name it as a C file, of letters, digits and _, such as part.c")
    resize = path.with_name(f"{path.stem}_resize.c")
    return path, path.with_suffix(".h"), resize, path.with_name(f"{path.name}.report.json")


def _facts(artifact: Artifact, form: Form, path: Path) -> Facts:
    manifest = artifact.manifest
    threshold = _rounded_down(manifest.calibration.threshold)
    sha256 = graph_sha256(artifact.model)
    version = flawspot.__version__
    return Facts(
        path.stem, manifest.title(), manifest.input_size, threshold, manifest.product, version, sha256, form.macs
    )


def _rounded_down(threshold: float) -> float:
    """The largest float32 that is not above: a float32 score is above both or none of them."""
    nearest = np.float32(threshold)
    return float(nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf)))


def _write(names: tuple[Path, Path, Path, Path], program: CProgram, report: Report) -> None:
    text = json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n"
    for name, content in zip(names, (program.source, program.header, program.resize, text), strict=True):
        write_bytes(name, content.encode())


class TranslatedDetector(Detector):
    """A detector whose maps and scores come from a translation; see `flawspot.runtime.detector.Detector`."""

    def __init__(self, detector: Detector, translation: CompiledC) -> None:
        super().__init__(detector.manifest, detector._session)
        self._translation = translation

    def run(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `Detector.run`; what has another size is resized as in the graph, and rounded."""
        size = self.manifest.input_size
        return self._translation.run(np.stack([resized(image, size) for image in batch]))


def _figures(
    detector: Detector, translation: CompiledC, threshold: float, data: Path, progress: Progress
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, each in (("artifact", detector), ("translation", TranslatedDetector(detector, translation))):
        values = evaluate(each, data, progress=progress).metrics.as_dict()
        found[name] = {figure: values[figure] for figure in _FIGURES}
    return found


def code_bytes(program: CProgram, compiler: list[str]) -> int | None:
    """Bytes of machine code that this machine's compiler makes, tables left out; None where ``size`` is not here."""
    with tempfile.TemporaryDirectory(prefix="flawspot") as name:
        folder = Path(name)
        (folder / f"{program.name}.h").write_text(program.header, encoding="ascii")
        (folder / "detector.c").write_text(program.source, encoding="ascii")
        command = [*compiler, "-std=c99", "-Os", "-c", "detector.c", "-o", "detector.o"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            done = subprocess.run(["size", "-A", "detector.o"], cwd=folder, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        rows = [line.split() for line in done.stdout.decode(errors="replace").splitlines()]
        return sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".text")) or None
