"""Photographs that are varied within a tolerance, for every method: good parts as another day's camera would show them.

A copy is learned from like a photograph, and stays on the side of its photograph in every split and fold. Photographs
that set the threshold set another one by a copy that is varied as far as is tolerated, in all at once, and the higher
of both is shipped. Were that copy drawn like those that are learned from, the promised rate would be a mean over
severities, and a line whose lamp is as old as was stated would have more false alarms every day.
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
"""Counted up whenever the same seed would make other copies."""


@dataclass(frozen=True)
class Varying:
    """Copies of photographs, the same ones for the same seed.

    Attributes:
        tolerance: how far they are varied.
        seed: of the run; a copy's own comes of it, of the photograph's name below `root`, and of its number.
        root: the folder that the photographs lie in.
        view: what is seen of them.
        white: of photographs of 16 bits.
        scored: whether features of the copies that set a threshold are wanted too, as they are where there are folds.
    """

    tolerance: Tolerance
    seed: int
    root: Path
    view: View
    white: int
    scored: bool = False

    @property
    def farthest(self) -> int:
        """The number of the copy that is varied as far as is tolerated; it comes after those that are learned from."""
        return self.tolerance.copies + 1

    @property
    def copies(self) -> int:
        """Of which there are features."""
        return self.tolerance.copies + self.scored

    def identity(self) -> list[Any]:
        """What decides the copies, besides photographs and view."""
        return ["varied", VERSION, self.seed, dict(self.tolerance.severities), self.tolerance.copies, self.scored]

    def read(self, image: Path, copy: int) -> Decoded:
        """Copy 1, 2, ... of a photograph, or the `farthest`, as the network is given it.

        Raises:
            ImageError: it cannot be read any more.
        """
        photograph = read_photograph(image, self.view, white=self.white)
        pixels = photograph.pixels
        # A photograph that is squashed looks the same to the network in fewer pixels; what a file's compression does
        # depends on how many there are.
        if self.view.fit == "squash" and "jpeg" not in self.tolerance.severities:
            pixels = no_finer_than_seen(photograph, self.view)
        seed = image_seed(self.seed, f"{copy}/{image.relative_to(self.root).as_posix()}")
        severities = self.tolerance.severities if copy == self.farthest else self.tolerance.drawn(seed)
        return dataclasses.replace(photograph, pixels=corrupt_all(pixels, severities, seed), view=None)
