"""Varies photographs within a tolerance, for every method, as another day's camera would show good parts.

A training copy counts as a photograph, and stays with its photograph in every split and fold. The photographs that set
the threshold also give a second threshold, from copies with all tolerated variations at their full severity. The higher
one is shipped. If these copies were drawn like training copies, the promised rate would be a mean over severities, and
a line whose lamp is as old as allowed would have more false alarms every day.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.data.corruptions import corrupt_all, image_seed
from flawspot.data.finer import no_finer_than_seen
from flawspot.data.tolerances import Tolerance
from flawspot.runtime.reduced import Decoded, read_photograph
from flawspot.runtime.view import View

VERSION = 1
"""Increased whenever the same seed gives other copies."""


@dataclass(frozen=True)
class Varying:
    """Varied copies of photographs. The same seed gives the same copies.

    Attributes:
        tolerance: how far they are varied.
        seed: seed of the run. A copy's own seed comes from it, from the photograph's name below `root`, and from its
            number.
        root: the folder of the photographs.
        view: how the detector sees them.
        white: the white value of 16-bit photographs.
        scored: whether features of the copies that set a threshold are needed too, as with folds.
    """

    tolerance: Tolerance
    seed: int
    root: Path
    view: View
    white: int
    scored: bool = False

    @property
    def farthest(self) -> int:
        """The number of the copy with all variations at full severity. It comes after the training copies."""
        return self.tolerance.copies + 1

    @property
    def copies(self) -> int:
        """The number of copies with features."""
        return self.tolerance.copies + self.scored

    def identity(self) -> list[Any]:
        """Everything that decides the copies, besides photographs and view."""
        return ["varied", VERSION, self.seed, dict(self.tolerance.severities), self.tolerance.copies, self.scored]

    def read(self, image: Path, copy: int) -> Decoded:
        """Copy 1, 2, ... of a photograph, or the `farthest`, in the form of the network's input.

        Raises:
            ImageError: the photograph cannot be read any more.
        """
        photograph = read_photograph(image, self.view, white=self.white)
        pixels = photograph.pixels
        # A squashed photograph looks the same to the network with fewer pixels. The effect of a file's compression
        # depends on their number.
        if self.view.fit == "squash" and "jpeg" not in self.tolerance.severities:
            pixels = no_finer_than_seen(photograph, self.view)
        seed = image_seed(self.seed, f"{copy}/{image.relative_to(self.root).as_posix()}")
        severities = self.tolerance.severities if copy == self.farthest else self.tolerance.drawn(seed)
        return dataclasses.replace(photograph, pixels=corrupt_all(pixels, severities, seed), view=None)
