"""Writes the card section by section. The same artifact gives the same text, on every machine and at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flawspot.card.limits import limits
from flawspot.card.markdown import bullets, code, codes, table
from flawspot.card.promise import promise
from flawspot.errors import SignatureError
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.calibration import price
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.signature import signature_of
from flawspot.texts import counted

_MIB = 2**20
_INTRODUCTION = (
    "Written by `flawspot card` from the artifact's manifest. It is not an assessment: what was not measured "
    "is marked as not measured."
)


def model_card(artifact: Artifact) -> str:
    """The card of an artifact.

    Names of products, files, settings and versions are inline code, so that none of them can become markup.

    Returns:
        Markdown with tables (GitHub's), ending with a line break.
    """
    manifest = artifact.manifest
    sections = {
        "The detector": bullets(_detector(artifact)),
        "Data": bullets(_data(manifest)),
        "False alarms": bullets(promise(manifest)),
        "Tolerance": _tolerance(manifest),
        "What it finds": _found(manifest),
        "The smallest defect that is seen": _smallest(manifest),
        "Costs": _costs(manifest),
        "Limits": bullets(limits(manifest)),
    }
    parts = [f"# Model card of {code(manifest.product)}", _INTRODUCTION]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _detector(artifact: Artifact) -> Iterator[str]:
    manifest = artifact.manifest
    backbone = manifest.backbone
    settings = codes(f"{name}={value}" for name, value in manifest.hyperparameters.items())
    yield "Task: anomalies in photographs of one product; each gets a verdict (*good*, *anomalous*), a score and a map"
    yield f"Method: {code(manifest.method)}{f', with {settings}' if settings else ''}; seed {manifest.seed}"
    blocks = ", ".join(map(str, backbone.taps))
    yield (
        f"Backbone: {code(backbone.name)}, layers {code(backbone.layers)} (blocks {blocks}), weights "
        f"{code(backbone.weights)} of sha256 {code(backbone.weights_sha256)}"
    )
    yield f"Input: photographs of any size, RGB, resized to {manifest.view}"
    yield f"Networks compute in: {manifest.precision}"
    size = len(artifact.model)
    yield f"File: {size:,} bytes, sha256 {code(hashlib.sha256(artifact.model).hexdigest())}"
    yield f"Signed: {_signed(artifact)}"
    made = codes(f"{name} {version}" for name, version in manifest.versions.items())
    yield f"Made: {code(manifest.created)}{f', with {made}' if made else ''}"
    yield f"Schema of the manifest: {manifest.schema_version}"


def _data(manifest: Manifest) -> Iterator[str]:
    training, calibration = manifest.training, manifest.calibration
    yield f"Learned from: {counted(training.images, 'photograph')} of good parts, in a folder {code(manifest.product)}"
    if training.validation_images:
        yield f"To choose the epoch: {counted(training.validation_images, 'further good photograph')}"
    scored = counted(len(calibration.scores), "good photograph")
    how = f"the same, in {calibration.folds} folds" if calibration.folds else "used for nothing else"
    yield f"For the threshold: {scored}, {how}"
    given = calibration.rule == "value"
    by = "; it is unknown how the given threshold was chosen" if given else " or to choose anything by"
    yield f"Defective parts: none to learn from{by}"
    yield f"Fingerprint of all these photographs: {code(training.fingerprint)}"
    for step in manifest.updates:
        yield (
            f"Updated {code(step.created)}: learned from {counted(step.images, 'new photograph')} of good parts as "
            f"well, {counted(step.calibration_images, 'further one')} for the threshold; fingerprint "
            f"{code(step.fingerprint)}"
        )
        if step.warnings:
            yield f"It warned: {'; '.join(map(code, step.warnings))}"
    for what, names in (("Could not be read", training.skipped), ("Left out, as outliers", training.dropped)):
        if names:
            yield f"{what}: {counted(len(names), 'file')}, {codes(names)}"


def _tolerance(manifest: Manifest) -> str:
    tolerated = manifest.calibration.tolerated
    if tolerated is None:
        return "Nothing beyond the variation in the photographs: no further variation was learned."
    rows = [[code(name), f"{severity:g}"] for name, severity in tolerated.severities.items()]
    decided = (
        "The threshold is that of the varied photographs, which was the higher one"
        if tolerated.decisive
        else "The threshold is that of the unchanged photographs, which was the higher one"
    )
    copies = "1 varied copy" if tolerated.copies == 1 else f"{tolerated.copies} varied copies"
    return "\n\n".join(
        [
            "The false-alarm rate is also promised for photographs with these variations (severities up to 5):",
            table(["variation", "severity"], rows),
            f"{copies} of each photograph were used for that. {decided}.",
        ]
    )


def _found(manifest: Manifest) -> str:
    calibration = manifest.calibration
    if calibration.pasted_found is None:
        return "Not measured: no pasted defects were made for it."
    photographs = counted(len(calibration.pasted), "photograph")
    rows = [["this detector", f"{calibration.threshold:.6g}", f"{100 * calibration.pasted_found:.0f} %"]]
    rows += [[f"{p.rate:.2g}", f"{p.threshold:.6g}", f"{100 * p.recall:.0f} %"] for p in price(calibration)]
    return "\n\n".join(
        [
            f"It finds this share of {photographs} with pasted defects, not real ones, at these thresholds:",
            table(["false-alarm rate", "threshold", "found"], rows),
        ]
    )


def _smallest(manifest: Manifest) -> str:
    found = manifest.smallest
    if found is None:
        return "Not measured. `flawspot smallest` measures it, with good photographs and pasted defects."
    from flawspot.smallest.sentences import about, sentences

    return f"Measured on {about(found)}:\n\n{bullets(sentences(found))}"


def _costs(manifest: Manifest) -> str:
    rows = [[code(part.name), f"{part.bytes / _MIB:.3f}", f"{part.macs / 1e6:,.2f}"] for part in manifest.parts]
    size, macs = sum(part.bytes for part in manifest.parts), sum(part.macs for part in manifest.parts)
    rows.append(["total", f"{size / _MIB:.3f}", f"{macs / 1e6:,.2f}"])
    return table(["part", "MiB", "million multiply-accumulates a photograph"], rows)


def _signed(artifact: Artifact) -> str:
    try:
        found = signature_of(artifact)
    except SignatureError:
        return "invalid"
    return "no" if found is None else f"by key {code(found.key_id)}, which `flawspot verify` verifies"
