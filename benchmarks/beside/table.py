"""The section of docs/performance.md, from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beside.rows import Rows
from beside.subjects import EXPORTED, LAYERS, OWN, PEER, SIDES, SIZE, Subject

HEADING = """## Beside the field's most used library

anomalib {anomalib} (torch {torch}, OpenVINO {openvino}) in an environment of its own, on the same photographs of
*{product}*, with the same MobileNetV2, the same weights, layers {layers} and an input of {size}. Torchvision's network
with flawspot's weights is given to anomalib's feature extractor; the features of both agree within 1e-4. PaDiM's
channels (62) and STFPM's batch size (32) and epochs are set to be equal. Everything else is each library's default. So
anomalib weights PatchCore's score by nine neighbours and flawspot does not, and the models that anomalib exports resize
without antialiasing."""

TIMES = """
Milliseconds from a decoded photograph to map and score, medians of {calls} turns. Each side has a process of its own,
and they take turns photograph by photograph. *anomalib* is its bare torch module in evaluation and inference mode with
its own pre-processing. *Module alone* is without pre-processing. *OpenVINO* is anomalib's export for a CPU, in float32.
*Times* is the ratio of the median to flawspot's; the middle half of the turns' own ratios is in brackets. *Peak* is the
memory of each whole process, libraries included: flawspot, anomalib, OpenVINO.

| detector | threads | flawspot ms | anomalib ms | times | module alone ms | times | OpenVINO ms | times | peak MiB |
|:--|--:|--:|--:|:--|--:|--:|--:|:--|:--|"""

TRAINING = """
Training in a process of its own, threads: {threads}, one side after the other. Flawspot's seconds are from the files to
the tested artifact with its threshold. anomalib's are its module alone: photographs held in memory, features,
selection, Gaussians or epochs, but no validation, checkpoint or export. *Peak*: flawspot, anomalib.

| detector | good photographs | flawspot s | anomalib s | times | peak MiB |
|:--|--:|--:|--:|--:|:--|"""

ACCURACY = """
Accuracy on all {images} test photographs, with maps of {size} × {size} and flawspot's metrics for all.

| detector | side | pixel F1-max | pixel AUROC | image AUROC |
|:--|:--|--:|--:|--:|"""


def section(rows: Rows, subjects: Sequence[Subject], threads: Sequence[int]) -> str:
    """Markdown of what is there; what was not measured has no line."""
    settings = rows.find(row="settings") or {}
    named = {name: settings[name] for name in ("anomalib", "torch", "openvino", "product")}
    layers = ", ".join(map(str, LAYERS))
    parts = [HEADING.format(layers=layers, size=SIZE, **named)]
    times = [line for subject in subjects for count in threads if (line := _times(rows, subject, count))]
    if times:
        parts += [TIMES.format(calls=settings["calls"]), *times]
    training = [line for subject in subjects if (line := _training(rows, subject))]
    if training:
        parts += [TRAINING.format(threads=settings["training_threads"]), *training]
    accuracy = [line for subject in subjects for side in SIDES if (line := _accuracy(rows, subject, side))]
    if accuracy:
        parts += [ACCURACY.format(images=settings["images"], size=SIZE), *accuracy]
    return "\n".join(parts) + "\n"


def _times(rows: Rows, subject: Subject, threads: int) -> str:
    row = rows.find(row="turns", subject=subject.name, threads=threads)
    if row is None:
        return ""
    own, peer, exported = (row["sides"][side] for side in (OWN, PEER, EXPORTED))
    peaks = ", ".join(_whole(side["peak_mib"]) for side in (own, peer, exported))
    return (
        f"| {subject.title} | {threads} | {own['ms']:.1f} | {peer['ms']:.1f} | {_ratio(peer, own)} | "
        f"{peer['alone']:.1f} | {peer['alone'] / own['ms']:.1f} | {exported['ms']:.1f} | {_ratio(exported, own)} | "
        f"{peaks} |"
    )


def _ratio(side: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    low, _, high = side["times"]
    return f"{side['ms'] / own['ms']:.1f} ({low:.1f} to {high:.1f})"


def _training(rows: Rows, subject: Subject) -> str:
    found = [rows.find(row="training", subject=subject.name, side=side) for side in (OWN, PEER)]
    own, peer = found
    if own is None or peer is None or peer.get("drawn"):
        return ""
    epochs = f", {subject.epochs} epochs" if subject.epochs else ""
    peaks = ", ".join(_whole(side["peak_mib"]) for side in (own, peer))
    return (
        f"| {subject.title}{epochs} | {own['photographs']} | {own['seconds']:.1f} | {peer['seconds']:.1f} | "
        f"{peer['seconds'] / own['seconds']:.1f} | {peaks} |"
    )


def _accuracy(rows: Rows, subject: Subject, side: str) -> str:
    row = rows.find(row="accuracy", subject=subject.name, side=side)
    if row is None:
        return ""
    cells = " | ".join(_figure(row[name]) for name in ("pixel_f1_max", "pixel_auroc", "image_auroc"))
    return f"| {subject.title} | {side} | {cells} |"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _whole(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"
