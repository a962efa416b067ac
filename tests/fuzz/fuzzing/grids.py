"""Grids of a benchmark in YAML."""

from __future__ import annotations

import random
from pathlib import Path

import flawspot.benchmark
from flawspot.benchmark.grid import Vocabulary
from fuzzing.bytes import mutated
from fuzzing.texts import mutated_text

VOCABULARY = Vocabulary(
    ("mobilenet_v2", "phinet", "micronet_m1", "mcunet_in3", "wide_resnet50_2"),
    {
        "padim": ("channels", "covariance"),
        "patchcore": ("bank_size",),
        "cfa": ("epochs",),
        "stfpm": ("epochs",),
        "paste": ("epochs", "learning_rate"),
    },
    ("blur", "noise"),
)
"""Made by hand, for the real one needs torch."""

_OWN = """\
title: everything that a grid can say
data:
  - {name: parts, layout: mvtec_ad, path: parts, categories: [a, b]}
  - {name: mvtec_ad, categories: all, settings: {}}
backbones: [mobilenet_v2, phinet]
layers: [low, equiv, [1, 2, 3], "equiv:wide_resnet50_2"]
methods:
  - padim
  - {name: paste, label: "short, and more", settings: {epochs: 5, learning_rate: 1e-1}, layers: [paste]}
seeds: [0, 1, 2]
input_size: 64
normalization: paper
random_weights: true
recipe: fast
corruptions: [none, blur]
severities: [1, 5]
contamination: [0, 0.05]
shots: [all, 10]
combine: all
exclude:
  - {backbone: phinet, layers: [low, [1, 2, 3]], seed: [1]}
override:
  - match: {method: padim, shots: 10}
    set: {settings: {channels: 50}, input_size: 128, normalization: weights, random_weights: false}
"""


def seeds() -> list[str]:
    """Grids that are right."""
    return [_OWN, Path(flawspot.benchmark.__file__).with_name("paper.yaml").read_text(encoding="utf-8")]


def case(rng: random.Random) -> bytes:
    """A grid that may be wrong."""
    text = rng.choice(seeds())
    if rng.random() < 0.15:
        return mutated(text.encode(), rng)
    return mutated_text(text, rng).encode(errors="surrogatepass")
