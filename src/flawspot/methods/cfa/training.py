"""Trains the descriptor of CFA, at first and in an update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import TrainingError
from flawspot.methods.cfa.descriptor import Descriptor
from flawspot.methods.cfa.nearest_by_layer import squared_distances
from flawspot.methods.cfa.turned import Turning, turning
from flawspot.methods.cfa.updating import BASIS, BIAS, POSITION, WEIGHT
from flawspot.methods.features import FeatureSet
from flawspot.methods.patches import pool
from flawspot.progress import Progress

if TYPE_CHECKING:
    from flawspot.methods.cfa.method import CFA

_AT_ONCE = 16
"""Number of maps that are pooled together."""


@dataclass(frozen=True)
class Course:
    """The length and order of a training.

    Attributes:
        epochs: number of epochs.
        order: draws the rows of an epoch.
        what: what is done, for the progress display.
    """

    epochs: int
    order: Callable[[], NDArray[np.int64]]
    what: str


def pooled_maps(features: FeatureSet) -> list[NDArray[np.float32]]:
    """(N, H, W, C) of each tap: the 3 x 3 means of its maps at their own resolution, channels last."""
    return [_pooled(features, tap) for tap in features.shapes.taps]


def _pooled(features: FeatureSet, tap: int) -> NDArray[np.float32]:
    channels, height, width = features.shapes.maps[tap]
    pooled = np.empty((len(features), height, width, channels), np.float32)
    for start in range(0, len(features), _AT_ONCE):
        batch = slice(start, start + _AT_ONCE)
        found = features.cells((height, width), batch)
        cells = None if found is None else torch.from_numpy(found).float()
        pooled[batch] = pool(torch.from_numpy(features.batch(tap, batch)), cells).permute(0, 2, 3, 1).numpy()
    return pooled


def descend(
    method: CFA,
    descriptor: Descriptor,
    radius: nn.Parameter,
    centres: Tensor,
    features: FeatureSet,
    pooled: Sequence[NDArray[np.float32]],
    course: Course,
    progress: Progress,
) -> list[float]:
    """Train descriptor and radius in place; returns the loss of each epoch.

    Args:
        method: the hyperparameters.
        descriptor, radius, centres: on one device. The centres (M, C) stay.
        features: the features of N images; only their inspected cells are read.
        pooled: `pooled_maps` of these.
        course: the length and order of the training.
        progress: told of each epoch.

    Raises:
        TrainingError: the training diverged.
    """
    optimizer = torch.optim.AdamW(
        [*descriptor.parameters(), radius], method.learning_rate, weight_decay=method.weight_decay, amsgrad=True
    )
    grid, losses = features.shapes.grid, []
    for _ in progress.track(range(course.epochs), course.what):
        order, total = course.order(), 0.0
        for start in range(0, len(order), method.batch_size):
            rows = order[start : start + method.batch_size]
            maps = [torch.from_numpy(tap[rows]).to(centres.device) for tap in pooled]
            index = descriptor.nearest(maps, centres, method.nearest + method.repelled)  # (B * P, K + J)
            described = descriptor(maps).flatten(0, 2)  # (B * P, C)
            cells = features.cells(grid, rows)
            if cells is not None:
                chosen = torch.from_numpy(np.flatnonzero(cells)).to(centres.device)
                described, index = described[chosen], index[chosen]
                if not len(chosen):
                    continue
            loss = hypersphere_loss(method, squared_distances(described, centres, index), radius)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(order))
    if not np.isfinite(losses[-1]):
        raise TrainingError(f"the descriptor diverged: lower learning_rate, now {method.learning_rate:g}")
    return losses


def trained_arrays(descriptor: Descriptor) -> tuple[dict[str, NDArray[Any]], Turning]:
    """What an update needs of a trained descriptor, its matrices and its rotation; and the whole decomposition."""
    weight, position, bias = (tensor.detach().numpy() for tensor in descriptor.matrices())
    found = turning(weight, descriptor.shapes)
    return {WEIGHT: weight, POSITION: position, BIAS: bias, BASIS: found.basis}, found


def hypersphere_loss(method: CFA, squared: Tensor, radius: Tensor) -> Tensor:
    """The soft-boundary loss of the K + J smallest squared distances, (B * P, K + J) ascending."""
    boundary = radius.square()
    loss = (squared[:, : method.nearest] - boundary).clamp(min=0).mean() / method.nu
    if method.repelled:
        repulsion = (boundary - squared[:, method.nearest :] - method.alpha).clamp(min=0).mean()
        loss = loss + repulsion / method.nu
    return loss
