"""``flawspot export``: translates an artifact for a target, and writes the result if the gate accepts it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.data.folders import open_data
from flawspot.errors import ConfigurationError, ExportError
from flawspot.evaluation import evaluate
from flawspot.export.gate import Parity, Translation, compare
from flawspot.export.photographs import generated, photographs, resized
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.source import Facts, Source
from flawspot.export.target import BringsRuntime, Target, Written
from flawspot.export.targets import TARGETS
from flawspot.files import check_writable, write_bytes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.artifact import Artifact, graph_sha256
from flawspot.runtime.detector import Detector, load

_FIGURES = ("pixel_f1_max", "image_auroc")


@dataclass(frozen=True)
class Report:
    """The written files, and their comparison with the artifact.

    Attributes:
        target: the target.
        files: the written files.
        title, graph_sha256: of the detector.
        precision: precision of the backbone, ``int8`` or ``float32``.
        parts: stored bytes of each part.
        code: bytes of machine code on this machine; None if there is none, or it is unknown.
        arena, arena_bound: bytes of working memory, and a lower bound for this order of operations; None if unknown.
        macs: multiply-accumulates for a photograph.
        parity: the comparison; None if there was none.
        figures: with labelled photographs: pixel F1-max and image AUROC, of artifact and translation.
        compared_with: the program that ran the translation.
    """

    target: str
    files: tuple[str, ...]
    title: str
    graph_sha256: str
    precision: str
    parts: dict[str, int]
    code: int | None
    arena: int | None
    arena_bound: int | None
    macs: int
    parity: Parity | None
    figures: dict[str, dict[str, float | None]] | None
    compared_with: str | None

    @property
    def verified(self) -> bool:
        """Whether the gate has accepted it."""
        return self.parity is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"verified": self.verified, "flawspot": metadata.version("flawspot"), **dataclasses.asdict(self)}


def export(
    artifact: Artifact,
    path: Path,
    target: str = "c",
    *,
    folder: Path | None = None,
    data: Path | None = None,
    unverified: bool = False,
    runtime: Path | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Translate an artifact: write the target's files, and ``<path>.report.json``.

    Args:
        artifact: a verified artifact.
        path: path of the file, or of the folder, depending on the target.
        target: a name of `TARGETS`.
        folder: good photographs for the comparison; None for generated pictures.
        data: labelled photographs, on which both are measured.
        unverified: write it even if nothing here can run it to compare.
        runtime: for a target that includes a runtime: its place; None to fetch it.
        progress: told of the steps.

    Raises:
        ArtifactError: the artifact fails its self-test.
        ExportError: it has no such form, differs from the artifact, or nothing here can run it and `unverified` is not
            set.
        ConfigurationError: there is no such target, or the name does not suit such a file.
        DataError: there are no photographs.
        FlawspotError: it cannot be written.
    """
    kind = TARGETS.get(target)
    if kind is None:
        raise ConfigurationError(f"there is no target {target!r}: the known ones are {', '.join(TARGETS)}")
    if runtime is not None and not isinstance(kind, BringsRuntime):
        raise ConfigurationError(f"the target {target} includes no runtime: leave out --runtime")
    geometry = artifact.manifest.geometry
    if geometry is not None:
        raise ExportError(
            f"a detector that looks at {geometry} has no form in {kind.name}: train it with --fit squash, one square "
            "--input-size, no tiles and no regions, or run the artifact itself"
        )
    names = kind.check_path(path)
    with _no_empty_folder(names[0].parent):
        for name in (*names, _report_of(path)):
            check_writable(name)
        if data is not None:
            open_data(data)  # before the work, so that an error is reported at once
        if isinstance(kind, BringsRuntime):
            kind = kind.with_runtime(runtime, progress)
        return _export(artifact, path, kind, (folder, data), unverified, progress)


def _report_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.report.json")


@contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """Remove a folder that was created for files that are not written after all."""
    new = not folder.exists()
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


def _export(
    artifact: Artifact,
    path: Path,
    kind: Target,
    folders: tuple[Path | None, Path | None],
    unverified: bool,
    progress: Progress,
) -> Report:
    source = _source(artifact, kind, path)
    with progress.step(f"writing {kind.name}"):
        written = kind.write(source, path)
    runner = kind.runs_here()
    if runner is None and not unverified:
        raise ExportError(kind.missing)
    parity, figures = None, None
    if runner is not None:
        parity, figures = _compared(kind, source, written, folders, progress)
        if parity.threshold != source.facts.threshold:
            facts = dataclasses.replace(source.facts, threshold=parity.threshold)
            written = kind.write(dataclasses.replace(source, facts=facts), path)
        written = kind.measured(source, written)
    manifest, facts = artifact.manifest, source.facts
    sizes = (dict(written.parts), written.code, written.arena, written.arena_bound, facts.macs)
    told = _report_of(path)
    files = tuple(map(str, (*written.files, told)))
    report = Report(kind.name, files, facts.title, facts.sha256, manifest.precision, *sizes, parity, figures, runner)
    for name, content in written.files.items():
        write_bytes(name, content)
    write_bytes(told, (json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n").encode())
    return report


def _source(artifact: Artifact, kind: Target, path: Path) -> Source:
    manifest = artifact.manifest
    form = read_form(artifact.model, manifest.input_size) if kind.from_form else None
    macs = sum(part.macs for part in manifest.parts) if form is None else form.macs
    told = (metadata.version("flawspot"), graph_sha256(artifact.model), macs)
    threshold = _rounded_down(manifest.calibration.threshold)
    facts = Facts(path.stem, manifest.title(), manifest.input_size, threshold, manifest.product, *told)
    return Source(artifact, form, facts)


def _compared(
    kind: Target, source: Source, written: Written, folders: tuple[Path | None, Path | None], progress: Progress
) -> tuple[Parity, dict[str, dict[str, float | None]] | None]:
    """Good photographs, or None for generated pictures; and labelled ones, or None."""
    folder, data = folders
    manifest = source.artifact.manifest
    detector = load(source.artifact, device="cpu", self_test=True)
    pictures = generated(manifest.input_size) if folder is None else photographs(folder, manifest, progress)
    with ExitStack() as stack:
        with progress.step("preparing the runtime"):
            translation = stack.enter_context(kind.at_work(source, written))
        parity = compare(
            source,
            detector,
            translation,
            pictures,
            own_integers=kind.own_integers,
            bounds=kind.bounds,
            progress=progress,
        )
        figures = None if data is None else _figures(detector, translation, parity.threshold, data, progress)
    return parity, figures


def _rounded_down(threshold: float) -> float:
    """The largest float32 that is not above `threshold`. A float32 score is above both or neither."""
    nearest = np.float32(threshold)
    return float(nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf)))


class TranslatedDetector(Detector):
    """A detector whose maps and scores come from a translation; see `flawspot.runtime.detector.Detector`."""

    def __init__(self, detector: Detector, translation: Translation) -> None:
        super().__init__(detector.manifest, detector._session)
        self._translation = translation

    def run(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `Detector.run`. Photographs of another size are resized as in the graph, and rounded."""
        size = self.manifest.input_size
        return self._translation.run(np.stack([resized(image, size) for image in batch]))


def _figures(
    detector: Detector, translation: Translation, threshold: float, data: Path, progress: Progress
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, each in (("artifact", detector), ("translation", TranslatedDetector(detector, translation))):
        values = evaluate(each, data, progress=progress).metrics.as_dict()
        found[name] = {figure: values[figure] for figure in _FIGURES}
    return found
