"""Updates STFPM and PaSTe: trains their students further, on kept features of old photographs and on new ones.

The training needs torch (`flawspot.methods.stfpm.going_on`). It does not need the backbone and its weights, because the
features come from the graph. The students are written into their constants in the graph.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.extras import import_module
from flawspot.methods.updating import Before, Changed, Maps
from flawspot.runtime.seen import Seen, kept
from flawspot.runtime.state import Kept, stacked

METHODS = ("stfpm", "paste")


class Updater:
    """Gathers features, and trains at the end."""

    needs_torch: ClassVar[bool] = True

    def __init__(self, before: Before) -> None:
        """Read the students, and check that they are those of the graph.

        Raises:
            ArtifactError: the graph has other students, or the state is damaged.
            MissingPackageError: torch is not installed.
        """
        what = f"updating a detector of {before.manifest.method}"
        self._students: Any = import_module("flawspot.methods.stfpm.going_on", what).Students(before)
        self._new: list[Kept] = []

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Keep the features of one photograph until the end."""
        if not set(self._students.layers) <= maps.keys():
            raise ArtifactError("its students look at other layers than its graph has: it is of another training")
        own = {layer: maps[layer] for layer in self._students.layers}
        self._new.append(kept("", "", 0, Seen(own, inside)))

    def finish(self, new_validation: Kept) -> Changed:
        """Train."""
        changed: Changed = self._students.gone_on(stacked(self._new), new_validation)
        return changed
