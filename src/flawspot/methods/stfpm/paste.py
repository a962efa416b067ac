"""PaSTe (Barusco et al., Improving the Efficiency of Visual Anomaly Detection at the Edge, 2024; arXiv 2410.11591).

STFPM whose teacher and student share their first blocks (section 3.2): these are stored once, run once for a
photograph, and while the student trains they are neither run nor held in memory, for their output of each image is
cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flawspot.methods.registry import method
from flawspot.methods.stfpm.method import STFPM


@method
@dataclass(kw_only=True)
class PaSTe(STFPM):
    """STFPM with a shared beginning.

        >>> flawspot.PaSTe(epochs=10).share
        'auto'

    Attributes:
        share: the last block in common. The paper shares blocks 0 to 6 of MobileNetV2 and taps [7, 10, 14], that is
            all before the first tap (table 1, section 4.5): ``auto``.
        recipe: the schedule, by name: ``fast``, which is as good here, or ``paper``, the published one.
    """

    name: ClassVar[str] = "paste"
    source: ClassVar[str] = "Barusco et al., 2024 (arXiv 2410.11591)"
    default_layers: ClassVar[str] = "paste"

    share: int | str | None = "auto"
    recipe: str = "fast"
