"""How the students of STFPM and PaSTe are trained: the published schedule, and one of fewer epochs and smaller batches.

`fast` looks at every image 20 times in the place of 100, in batches of a quarter of the size: 0.8 times as many
steps of gradient descent. Small batches are noisier and the last steps should not be, so the learning rate falls along
a cosine. It was fixed once, on one product, and is the same for all; as long as it has not been shown to be as good on
several (``benchmarks/students.py --recipes``), the published schedule is the default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flawspot.errors import ConfigurationError


@dataclass(frozen=True)
class Recipe:
    """A schedule of stochastic gradient descent.

    Attributes:
        batch_size: images in a step.
        least_epochs: times that every image is looked at.
        least_steps: with few images more epochs are needed for a student to learn anything; at most `most_epochs`.
        most_epochs: of those more epochs.
        learning_rate: the highest one.
        warm_up: the share of all steps in which the learning rate rises evenly to that.
        annealed: whether it then falls along a half cosine to 0, or stays.
    """

    batch_size: int
    least_epochs: int
    least_steps: int
    most_epochs: int
    learning_rate: float
    warm_up: float
    annealed: bool

    def epochs(self, images: int, batch_size: int) -> int:
        """How many epochs for so many images."""
        wanted = math.ceil(self.least_steps / math.ceil(images / batch_size))
        return max(self.least_epochs, min(wanted, self.most_epochs))

    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied with in step `step` of `steps`, counted from 0; in 0..1."""
        rising = self.warm_up * steps
        if step + 1 < rising:
            return (step + 1) / rising
        if not self.annealed:
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * max(step - rising, 0.0) / (steps - rising)))


RECIPES = {
    # Section 4.1 of the STFPM paper.
    "paper": Recipe(32, 100, 0, 100, 0.4, 0.0, annealed=False),
    "fast": Recipe(8, 20, 300, 100, 0.4, 0.1, annealed=True),
}


def recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        ConfigurationError: an unknown name; the known ones are listed.
    """
    if name not in RECIPES:
        raise ConfigurationError(f"unknown recipe {name!r}: the known ones are {', '.join(RECIPES)}")
    return RECIPES[name]
