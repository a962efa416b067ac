"""An update does not change Pasted: its knowledge is of defects, about which new good photographs say nothing.

Only its threshold is set again, by old and new photographs.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.updating import Before, Changed, Maps
from flawspot.runtime.state import Kept

METHODS = ("pasted",)


class Updater:
    """Learns nothing."""

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        self._before = before

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Nothing."""

    def finish(self, new_validation: Kept) -> Changed:
        """Report no change."""
        return Changed({}, self._before.learned, ["the network that knows pasted defects is not changed"])
