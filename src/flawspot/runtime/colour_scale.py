"""The colours of heat maps.

The colour shows one thing: the severity, that is, the anomaly relative to the threshold. Value v at threshold T has
severity ``v / T`` and the place ``t = v / (v + T)`` on the scale, in [0, 1). So 0.5 is the threshold whatever the
method's units. Colours are dark blue below it and orange to pale yellow above it. They get lighter all the way, so the
order survives every kind of colour blindness and a black-and-white print.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ANCHORS = (
    (0.00, (8, 12, 36)),
    (0.25, (24, 44, 104)),
    (0.44, (52, 84, 150)),
    (0.50, (196, 84, 60)),
    (0.60, (238, 118, 34)),
    (0.75, (252, 178, 44)),
    (0.90, (255, 226, 104)),
    (1.00, (255, 250, 205)),
)
COLOURS = np.stack(
    [
        np.interp(np.linspace(0, 1, 256), [place for place, _ in _ANCHORS], [colour[channel] for _, colour in _ANCHORS])
        for channel in range(3)
    ],
    axis=1,
).astype(np.float32)
"""(256, 3) RGB, 0 to 255, from place 0 to place 1."""

OPACITY = np.interp(np.linspace(0, 1, 256), [0.40, 0.49, 0.51, 0.70, 1.0], [0.0, 0.15, 0.45, 0.62, 0.75]).astype(
    np.float32
)
"""(256,) opacity over the photograph, 0 to 1.

Normal places stay clear, and those just below the threshold get a light shade. Above it the heat covers the part, which
still shines through.
"""

TICKS = ((1 / 3, "0.5"), (0.5, "1"), (2 / 3, "2"), (0.8, "4"))
"""Places on the colour scale, and the severity of each."""


def place_on_scale(values: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """The place of each value on the colour scale, in [0, 1]; 0.5 at the threshold."""
    middle = np.float32(max(threshold, 1e-30)) if np.isfinite(threshold) else np.float32(1e30)
    return (values / (values + middle)).astype(np.float32)


def colours(place: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colour at each place in [0, 1]: one axis more, RGB."""
    return COLOURS[np.rint(place * 255).astype(np.intp)].astype(np.uint8)
