"""PaSTe (Barusco et al., Improving the Efficiency of Visual Anomaly Detection at the Edge, 2024; arXiv 2410.11591).

STFPM with first blocks that teacher and student share (section 3.2). These blocks are stored once, and run once for a
photograph. While the student trains, they are neither run nor in memory, because their outputs are cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flawspot.methods.registry import method
from flawspot.methods.stfpm.method import STFPM


@method
@dataclass(kw_only=True)
class PaSTe(STFPM):
    """STFPM with shared first blocks.

        >>> flawspot.PaSTe(epochs=10).share
        'auto'

    Attributes:
        share: last shared block. The paper shares blocks 0 to 6 of MobileNetV2 with taps [7, 10, 14], so all blocks
            before the first tap (table 1, section 4.5). This is ``auto``.
        recipe: name of the schedule: ``fast``, which is as good here, or ``paper``, the published one.
    """

    name: ClassVar[str] = "paste"
    source: ClassVar[str] = "Barusco et al., 2024 (arXiv 2410.11591)"
    default_layers: ClassVar[str] = "paste"
    update_share: ClassVar[float] = 0.5

    share: int | str | None = "auto"
    recipe: str = "fast"
