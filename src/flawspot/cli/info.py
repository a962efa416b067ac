"""``flawspot info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.calibration import scored, threshold_rows
from flawspot.cli.console import print_json, print_pairs
from flawspot.texts import visible

if TYPE_CHECKING:
    from flawspot.runtime.artifact import Artifact
    from flawspot.runtime.manifest import Manifest


def info(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object.")] = False,
) -> None:
    """Show an artifact's manifest: its method, training, threshold and costs."""
    from flawspot.runtime.artifact import read

    artifact = read(file)
    manifest = artifact.manifest
    if as_json:
        print_json(manifest.as_dict())
        return
    backbone, training, calibration = manifest.backbone, manifest.training, manifest.calibration
    images = training.images + sum(each.images for each in manifest.updates)
    validation = training.validation_images + sum(each.validation_images for each in manifest.updates)
    settings = ", ".join(f"{name}={value}" for name, value in manifest.hyperparameters.items())
    rows = [
        ("artifact", f"{file} ({len(artifact.model) / 2**20:.1f} MiB)"),
        *_state(file),
        ("signed", _signed(artifact)),
        ("product", manifest.product),
        ("runs here on", _provider(artifact)),
        ("method", f"{manifest.method} ({settings}), seed {manifest.seed}"),
        ("backbone", f"{backbone.name}, layers {backbone.layers} {list(backbone.taps)}, weights {backbone.weights}"),
        ("networks compute in", manifest.precision),
        ("input", f"RGB of any size, resized to {manifest.view}"),
        (
            "photographs",
            f"{images} to learn from, {validation} to choose the epoch, "
            f"{scored(calibration)} for the threshold, {len(training.skipped)} unreadable",
        ),
        *_updates(manifest),
        ("fingerprint", training.fingerprint[:16]),
        *threshold_rows(calibration),
        *_smallest(manifest),
    ]
    rows += [
        (f"cost: {part.name}", f"{part.bytes / 2**20:8.3f} MiB  {part.macs / 1e6:10.2f} MMAC")
        for part in manifest.parts
    ]
    total_bytes, total_macs = sum(p.bytes for p in manifest.parts), sum(p.macs for p in manifest.parts)
    rows.append(("cost: total", f"{total_bytes / 2**20:8.3f} MiB  {total_macs / 1e6:10.2f} MMAC for one photograph"))
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    rows.append(("made", f"{manifest.created} with {versions}"))
    print_pairs(rows)


def _state(file: Path) -> list[tuple[str, str]]:
    """Whether there is a state file to update from. It is not read, as it may be large."""
    from flawspot.runtime.state import beside

    try:
        size = beside(file).stat().st_size
    except OSError:
        return []
    return [("state", f"{beside(file)} ({size / 2**20:.1f} MiB): `flawspot update` starts from it")]


def _updates(manifest: Manifest) -> list[tuple[str, str]]:
    """A line for each update, followed by its warnings."""
    lines = []
    for each in manifest.updates:
        used = f"of these {each.images} to learn from, {each.calibration_images} for the threshold"
        lines += [f"{each.created}: {used}", *(f"it warned: {visible(warning)}" for warning in each.warnings)]
    return [("" if number else "updates", line) for number, line in enumerate(lines)]


def _smallest(manifest: Manifest) -> list[tuple[str, str]]:
    """The sizes of pasted defects that are found, if they were measured."""
    from flawspot.smallest.sentences import about, sentences

    found = manifest.smallest
    if found is None:
        return []
    return [("smallest defects", f"of {about(found)}"), *(("", sentence) for sentence in sentences(found))]


def _provider(artifact: Artifact) -> str:
    import onnxruntime

    from flawspot.errors import FlawspotError
    from flawspot.runtime.detector import load

    try:
        return f"{load(artifact, threads=1).provider}, with onnxruntime {onnxruntime.__version__}"
    except FlawspotError as error:
        return f"nothing: {error}"


def _signed(artifact: Artifact) -> str:
    from flawspot.errors import FlawspotError
    from flawspot.runtime.signature import signature_of, trusted_keys_of_environment, verify

    try:
        found = signature_of(artifact)
        keys = trusted_keys_of_environment()
        if found is None:
            return "no: anyone who can replace the file can change its verdicts"
        if not keys:
            return f"by key {found.key_id}, not verified: use `flawspot verify` with the public key"
        return f"by key {verify(artifact, keys)}, which is trusted"
    except FlawspotError as error:
        return f"the signature is not valid: {error}"
