"""The limits of a detector, as far as its manifest tells them."""

from __future__ import annotations

from collections.abc import Iterator

from flawspot.runtime.manifest import Manifest
from flawspot.texts import counted

_WHITE = 65535


def limits(manifest: Manifest) -> Iterator[str]:
    """Yield one or two sentences for each limit."""
    yield (
        "It knows good parts of this product as they were photographed. Another camera, light, fixture or supplier "
        "makes false alarms, or hides defects: `flawspot drift` tells whether good parts have changed."
    )
    yield (
        "It says how much and where a photograph differs from good ones, not which defect it shows. A score is not a "
        "probability."
    )
    yield (
        "The share of real defects that it finds is not known from this card: `flawspot evaluate` measures it on "
        "photographs of them. Defects that a photograph does not show cannot be found."
    )
    yield "A photograph that cannot be read or inspected is *not inspected*, and is never called *good*."
    yield from _seen(manifest)
    yield from _made(manifest)


def _seen(manifest: Manifest) -> Iterator[str]:
    view = manifest.view
    if view.inspected is not None:
        share = 100 * view.inspected.share
        yield f"It inspects {share:.0f} % of a photograph: the rest is not inspected."
    if view.fit == "crop":
        yield "Photographs of other proportions than its input are cut off at two edges, which are not inspected."
    elif view.fit == "squash" and view.canvas[0] != view.canvas[1]:
        yield "Photographs of other proportions than its input are distorted: give it those that it has learned from."
    if manifest.bits is not None:
        white = f", white at {manifest.white}," if manifest.white != _WHITE and manifest.bits == 16 else ""
        yield f"It has learned from files of {manifest.bits} bits a channel{white} and has not seen others."


def _made(manifest: Manifest) -> Iterator[str]:
    dropped = len(manifest.training.dropped)
    if dropped:
        were = "was" if dropped == 1 else "were"
        yield (
            f"{counted(dropped, 'photograph')} given as good {were} left out, as they scored unusually high. "
            "Parts like these will be called anomalous."
        )
    if manifest.calibration.rule == "value":
        yield "Its threshold was given by hand, so no false-alarm rate is promised."
    if manifest.precision == "int8":
        yield (
            "Its networks compute in 8-bit integers. If a processor truncates their products, flawspot computes them "
            "in float, which is slower. Other runtimes may be wrong without a warning."
        )
    if manifest.backbone.weights.startswith("random"):
        yield "Its backbone has random weights: it is for trials, not for inspection."
    if manifest.self_test is None:
        yield "It was made before self-tests: whether a machine computes the right values cannot be checked."
