"""A product that flawspot draws, and methods that have learned from photographs of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.data.demo_set import render
from flawspot.data.varied_defects import BASE, paste_defects
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet, PastedSet
from flawspot.training.configuration import Configuration, configure
from flawspot.training.graph import Preprocess

PRODUCT, DEFECT = "washer", "chip"
GOOD, HELD_OUT, DEFECTIVE = 40, 10, 9
SEED = 0
Photographs = NDArray[np.uint8]


@functools.cache
def good() -> Photographs:
    """(`GOOD` + `HELD_OUT`, 256, 256, 3): what is learned from, and what is held out."""
    return np.stack([render(PRODUCT, [SEED, 1, row])[0] for row in range(GOOD + HELD_OUT)])


@functools.cache
def defective() -> tuple[Photographs, NDArray[np.bool_]]:
    """(`DEFECTIVE`, 256, 256, 3) and where the defects are; the first is the one that is drawn."""
    kinds = [DEFECT, "stain", "fibre"]
    shots = [render(PRODUCT, [SEED, 2, row], kinds[row % 3]) for row in range(DEFECTIVE)]
    return np.stack([image for image, _ in shots]), np.stack([where for _, where in shots])


@functools.cache
def pasted(count: int) -> tuple[Photographs, NDArray[np.bool_]]:
    """Good photographs with pasted defects, and where these are."""
    images = good()[:GOOD]
    made = [
        paste_defects(images[row % GOOD], [SEED, 3, row], other=images[(row + 1) % GOOD], unit=256 / BASE)
        for row in range(count)
    ]
    return np.stack([image for image, _ in made]), np.stack([where for _, where in made])


@dataclass(frozen=True)
class Learned:
    """A method that has learned from the good photographs.

    Attributes:
        chosen: its configuration; the method in it is fitted.
        good: features of what it has learned from.
        held_out: features of good photographs that only set a threshold.
        defective: features of the defective ones.
    """

    chosen: Configuration
    good: FeatureSet
    held_out: FeatureSet
    defective: FeatureSet

    def maps(self, features: FeatureSet) -> NDArray[np.float32]:
        """(N, H, W): the anomaly maps of photographs."""
        head = self.chosen.method.head().eval()
        rows = [
            {layer: torch.from_numpy(features.batch(layer, slice(row, row + 1))) for layer in features.maps}
            for row in range(len(features))
        ]
        with torch.no_grad():
            return np.concatenate([head(row)[0].numpy() for row in rows])


def learned(method: Method, few: int = GOOD) -> Learned:
    """Fit a method, on MobileNetV2 at 224 x 224.

    Args:
        method: not fitted; it is afterwards.
        few: of how many good photographs it learns.
    """
    chosen = configure(
        method=method, settings=None, backbone="mobilenet_v2", layers=None, weights=None, random_weights=False,
        size=(224, 224), normalization="weights", precision="float32", seed=None,
    )  # fmt: skip
    whole = features(chosen, good())
    fit_on, held_out = (whole.of_photographs(rows) for rows in (np.arange(few), np.arange(GOOD, GOOD + HELD_OUT)))
    wanted = chosen.method.pasted_photographs()
    if wanted:
        images, where = pasted(wanted)
        cover = Preprocess(chosen.view, (0.0,) * 3, (1 / 255,) * 3)
        white = torch.from_numpy(np.repeat(where[..., None], 3, axis=3).astype(np.uint8) * 255)
        seen = cover(white)[:, 0].numpy().round().astype(np.uint8)
        rows = np.arange(wanted, dtype=np.int64) % GOOD
        fit_on = FeatureSet(
            fit_on.backbone, fit_on.taps, fit_on.input_size, fit_on.maps, fit_on.rows,
            pasted=PastedSet(features(chosen, images), seen, rows, (rows + 1) % GOOD),
        )  # fmt: skip
    chosen.method.fit(fit_on, held_out)
    return Learned(chosen, fit_on, held_out, features(chosen, defective()[0]))


def features(chosen: Configuration, images: Photographs) -> FeatureSet:
    """What the frozen backbone makes of photographs."""
    preprocess = Preprocess(chosen.view, chosen.mean, chosen.std)
    found: dict[int, list[NDArray[np.float32]]] = {layer: [] for layer in chosen.network.taps}
    with torch.no_grad():
        for start in range(0, len(images), 8):
            outputs = chosen.network(preprocess(torch.from_numpy(images[start : start + 8])))
            for layer in found:
                found[layer].append(outputs[layer].numpy())
    maps = {layer: np.concatenate(parts) for layer, parts in found.items()}
    return FeatureSet(chosen.network, chosen.taps, chosen.view.size, maps)
