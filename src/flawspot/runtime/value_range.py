"""Photographs whose values mean something else than those of the photographs that a detector has learned from."""

from __future__ import annotations

from flawspot.runtime.images import WHITE
from flawspot.runtime.manifest import Manifest


def too_bright(manifest: Manifest, highest: int | None, name: str) -> str | None:
    """What to say of a photograph that goes beyond the detector's white.

    Args:
        manifest: of the detector.
        highest: value of the photograph where it has 16 bits, else None.
        name: of the photograph.
    """
    if highest is None or highest <= manifest.white:
        return None
    return (
        f"{name} has values up to {highest}, and the detector has learned that {manifest.white} is white: brighter "
        "places are cut off, take photographs with the same bits"
    )


def other_depth(manifest: Manifest, highest: int | None, name: str) -> str | None:
    """What to say of one of 8 bits where those learned from had 16, or the reverse; arguments as for `too_bright`."""
    bits = 8 if highest is None else 16
    # Artifacts that do not say it have learned from 16 bits where white is less than 16 bits can hold.
    learned = manifest.bits or (16 if manifest.white < WHITE else bits)
    if bits == learned:
        return None
    here, there = (255, manifest.white) if bits == 8 else (WHITE, 255)
    return (
        f"{name} has {bits} bits a channel, and the detector has learned from photographs of {learned}: unless {here} "
        f"is as bright here as {there} was there, verdicts are wrong; take photographs with the same bits"
    )
