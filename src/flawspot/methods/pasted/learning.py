"""Trains the network: steps of photographs with and without defects, on standardised features with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from flawspot.errors import DataError, TrainingError
from flawspot.methods.allocation import keeping_freed_memory
from flawspot.methods.base import placed, training_device
from flawspot.methods.covering import cells_inside
from flawspot.methods.features import FeatureSet, PastedSet
from flawspot.methods.pasted.network import LOGIT_BEFORE, DefectNetwork
from flawspot.methods.pointwise import quick_pointwise
from flawspot.progress import SILENT, Progress

COVERED = 0.25
"""Covered share from which on a cell is defective. Cells with a smaller share have little weight, as they are neither
good nor defective."""
TOUCHED_WEIGHT = 0.2
GAMMA = 2.0
"""Exponent of the focal loss, as in its paper."""
WEIGHT_DECAY = 1e-3
GOOD_SHARE = 4
"""Number of photographs with defects for one good photograph in a step."""
STATISTICS = 64
"""Number of good photographs for the means and deviations of channels."""
_LEAST_DEVIATION = 1e-3
_COVER_ROWS = 64


@dataclass(frozen=True)
class Schedule:
    """Length and parameters of the training: the hyperparameters of `flawspot.methods.pasted.Pasted`."""

    epochs: int
    batch_size: int
    learning_rate: float
    noise: float
    seed: int

    def good(self) -> int:
        """The number of photographs without defects in a step."""
        return max(self.batch_size // GOOD_SHARE, 1)

    def steps(self, photographs: int) -> int:
        """The number of steps in an epoch."""
        return max(photographs // self.batch_size, 1)


@keeping_freed_memory()
def learn(
    network: DefectNetwork, good: FeatureSet, pasted: PastedSet, schedule: Schedule, progress: Progress = SILENT
) -> DefectNetwork:
    """Train the network.

    Args:
        network: the network with batch norms; its weights are replaced.
        good: features of photographs of good parts.
        pasted: features of photographs with defects.
        schedule: length of the training.
        progress: told of the epochs.

    Returns:
        A network for unstandardised features, without batch norms.

    Raises:
        DataError: the network sees none of the defects.
        TrainingError: the training diverged.
    """
    _start(network, schedule.seed)
    network = placed(network)
    means, deviations = _statistics(good)
    reader = _Batches(good, pasted, means, deviations, schedule, network.grid)
    count, steps = len(pasted.features), schedule.steps(len(pasted.features))
    optimizer = torch.optim.AdamW(network.parameters(), schedule.learning_rate, weight_decay=WEIGHT_DECAY)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=schedule.epochs * steps + 1, pct_start=0.1
    )
    loss = torch.zeros(())
    network.train()
    with quick_pointwise(network):
        for _ in progress.track(range(schedule.epochs), "learning pasted defects"):
            order = reader.generator.permutation(count)
            for rows in np.array_split(order, steps):
                maps, target, weight, inside = reader.batch(rows)
                loss = focal(network(maps, inside), target, weight)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                rate.step()
    if not math.isfinite(float(loss.detach())):
        raise TrainingError(f"the network of pasted defects diverged: lower learning_rate={schedule.learning_rate:g}")
    trained: DefectNetwork = network.eval().to(device="cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return trained.folded(means, deviations)


def _start(network: DefectNetwork, seed: int) -> None:
    """Initialise the weights with torch's defaults. The last bias makes defects rare."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for kernel in network.kernels():
            kernel.reset_parameters()
    assert network.out.bias is not None
    torch.nn.init.constant_(network.out.bias, LOGIT_BEFORE)


def focal(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The focal loss of logits (N, H, W) for targets of 0 and 1 with weights, divided by the number of defective
    cells."""
    surprise = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    missed = (1 - torch.exp(-surprise)) ** GAMMA
    total: Tensor = (weight * missed * surprise).sum()
    return total / ((weight * target).sum() + 0.005 * weight.sum().clamp(min=1))


class _Batches:
    """Draws the steps, by a seed."""

    def __init__(
        self,
        good: FeatureSet,
        pasted: PastedSet,
        means: list[Tensor],
        deviations: list[Tensor],
        schedule: Schedule,
        grid: tuple[int, int],
    ) -> None:
        self._good, self._pasted = good, pasted
        self._means, self._deviations = means, deviations
        self._schedule, self._grid = schedule, grid
        self.generator = np.random.default_rng([schedule.seed, 1])
        self._noise = torch.Generator().manual_seed(schedule.seed)
        self._cover = _covers(pasted, grid)
        if not (self._cover > COVERED).any():
            raise DataError(
                f"the network sees none of the defects that were pasted on {len(pasted.features)} photographs: give "
                "larger photographs, a larger region of interest or more photographs=N"
            )

    def batch(self, rows: NDArray[np.int64]) -> tuple[dict[int, Tensor], Tensor, Tensor, Tensor | None]:
        """Standardised maps, targets and weights of cells, and inspected pixels, of photographs with defects and good
        ones."""
        count = min(self._schedule.good(), len(self._good))
        beside = np.sort(self.generator.choice(len(self._good), count, replace=False))
        rows = np.sort(rows)
        maps = {}
        device = training_device()
        for tap, mean, deviation in zip(self._good.taps, self._means, self._deviations, strict=True):
            both = np.concatenate([self._pasted.features.batch(tap, rows), self._good.batch(tap, beside)])
            own = (torch.from_numpy(both) - mean[:, None, None]) / deviation[:, None, None]
            if self._schedule.noise:
                own = own + self._schedule.noise * torch.randn(own.shape, generator=self._noise)
            maps[tap] = own.to(device).contiguous(memory_format=torch.channels_last)
        cover = torch.cat([self._cover[rows], torch.zeros(count, *self._grid)])
        target = (cover > COVERED).float()
        weight = torch.where((cover > 0) & (cover <= COVERED), TOUCHED_WEIGHT, 1.0)
        inside = self._inside(rows, beside)
        if inside is None:
            return maps, target.to(device), weight.to(device), None
        weight = weight * torch.from_numpy(cells_inside(inside, self._grid)).float()
        return maps, target.to(device), weight.to(device), torch.from_numpy(inside).float().to(device)

    def _inside(self, rows: NDArray[np.int64], beside: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        found = [self._pasted.features.pixels(rows), self._good.pixels(beside)]
        if all(pixels is None for pixels in found):
            return None
        size = self._good.input_size
        whole = [
            np.ones((len(own), *size), np.bool_) if pixels is None else pixels
            for pixels, own in zip(found, (rows, beside), strict=True)
        ]
        return np.concatenate(whole)


def _covers(pasted: PastedSet, grid: tuple[int, int]) -> Tensor:
    """(N, *grid): the share of each cell that a defect covers."""
    found = []
    for start in range(0, len(pasted.features), _COVER_ROWS):
        covers = torch.from_numpy(pasted.covers(slice(start, start + _COVER_ROWS)))
        found.append(F.adaptive_avg_pool2d(covers[:, None], grid)[:, 0])
    return torch.cat(found)


def _statistics(good: FeatureSet) -> tuple[list[Tensor], list[Tensor]]:
    """(C,) mean and deviation of each tap over inspected cells of some photographs."""
    rows = np.linspace(0, len(good) - 1, min(STATISTICS, len(good))).astype(np.int64)
    means, deviations = [], []
    for tap in good.taps:
        values = good.batch(tap, rows).astype(np.float64).transpose(0, 2, 3, 1)  # (B, H, W, C)
        cells = good.cells((values.shape[1], values.shape[2]), rows)
        seen = values.reshape(-1, values.shape[3]) if cells is None or not cells.any() else values[cells]
        means.append(torch.from_numpy(seen.mean(axis=0).astype(np.float32)))
        deviations.append(torch.from_numpy((seen.std(axis=0) + _LEAST_DEVIATION).astype(np.float32)))
    return means, deviations
