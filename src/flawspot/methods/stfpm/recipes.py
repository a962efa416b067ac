"""Training schedules for students of STFPM and PaSTe: the published one, and one with fewer epochs and smaller batches.

`fast` has 20 epochs instead of 100, in batches of an eighth of the size: 1.6 times as many steps of gradient descent.
Small batches are noisier, so the learning rate falls towards the end. Batch size and schedule were chosen by the loss
on held-out good images, and the epochs to stay within a quarter of the published schedule's time. They are the same for
all products. `docs/performance.md` compares the accuracy: `fast` is as good for PaSTe, whose default it is, and
slightly worse for STFPM on one product.
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
        least_epochs: smallest number of epochs.
        least_steps: smallest number of steps. With few images a student needs more epochs, at most `most_epochs`.
        most_epochs: largest number of epochs.
        learning_rate: the highest learning rate.
        warm_up: share of all steps, at the start, in which the learning rate rises linearly to it.
        cool_down: share of all steps, at the end, in which the learning rate falls linearly to 0.
    """

    batch_size: int
    least_epochs: int
    least_steps: int
    most_epochs: int
    learning_rate: float
    warm_up: float
    cool_down: float

    def epochs(self, images: int, batch_size: int) -> int:
        """Number of epochs for `images` images."""
        wanted = math.ceil(self.least_steps / math.ceil(images / batch_size))
        return max(self.least_epochs, min(wanted, self.most_epochs))

    def factor(self, step: int, steps: int) -> float:
        """Factor of the learning rate in step `step` of `steps`, counted from 0; in 0..1."""
        rising, falling = self.warm_up * steps, self.cool_down * steps
        return min(1.0, (step + 1) / rising if rising else 1.0, (steps - step) / falling if falling else 1.0)


RECIPES = {
    # Section 4.1 of the STFPM paper.
    "paper": Recipe(32, 100, 0, 100, 0.4, warm_up=0.0, cool_down=0.0),
    "fast": Recipe(4, 20, 300, 100, 0.4, warm_up=0.1, cool_down=0.4),
}


def recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        ConfigurationError: an unknown name; the known ones are listed.
    """
    if name not in RECIPES:
        raise ConfigurationError(f"unknown recipe {name!r}: the known ones are {', '.join(RECIPES)}")
    return RECIPES[name]
