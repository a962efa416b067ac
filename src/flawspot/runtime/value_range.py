"""Warnings on photographs whose value range differs from that of the training photographs."""

from __future__ import annotations

from flawspot.runtime.images import WHITE
from flawspot.runtime.manifest import Manifest


def too_bright(manifest: Manifest, highest: int | None, name: str) -> str | None:
    """The warning for a photograph with values above the detector's white.

    Args:
        manifest: of the detector.
        highest: highest value of a 16-bit photograph, else None.
        name: name of the photograph.
    """
    if highest is None or highest <= manifest.white:
        return None
    return (
        f"{name} has values up to {highest}, but the detector has learned that {manifest.white} is white: brighter "
        "places are cut off, take photographs with the same bits"
    )


def other_depth(manifest: Manifest, highest: int | None, name: str) -> str | None:
    """The warning for a photograph of 8 bits if training had 16, or the reverse. Arguments as for `too_bright`."""
    bits = 8 if highest is None else 16
    # Older artifacts do not say it. They have learned from 16 bits if their white is less than the largest 16-bit
    # value.
    learned = manifest.bits or (16 if manifest.white < WHITE else bits)
    if bits == learned:
        return None
    here, there = (255, manifest.white) if bits == 8 else (WHITE, 255)
    return (
        f"{name} has {bits} bits a channel, but the detector has learned from photographs of {learned}: unless {here} "
        f"is as bright here as {there} was there, verdicts are wrong; take photographs with the same bits"
    )
