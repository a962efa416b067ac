"""Trains a student to follow its teacher: the loss, and the epochs of gradient descent."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawspot.backbones.block_list import BlockList, initialise
from flawspot.errors import TrainingError
from flawspot.methods.base import placed, training_device
from flawspot.methods.features import FeatureSet
from flawspot.methods.pointwise import quick_pointwise
from flawspot.methods.stfpm.head import half_squared_distance
from flawspot.methods.stfpm.recipes import Recipe, recipe
from flawspot.progress import Progress

if TYPE_CHECKING:
    from flawspot.methods.stfpm.method import STFPM

VALIDATION_BATCH = 16
"""Images at once without gradients: few enough that a block's output stays in the processor's cache."""


@dataclass(frozen=True)
class TrainedStudent:
    """A trained student, with its losses.

    Attributes:
        blocks: its blocks of the best epoch, in evaluation mode.
        best_epoch: the epoch with the smallest loss on held-out good images, counted from 1; 0 if the student stayed
            unchanged.
        training_losses, validation_losses: losses of each epoch.
    """

    blocks: BlockList
    best_epoch: int
    training_losses: list[float]
    validation_losses: list[float]


def student_seed(seed: int, index: int) -> int:
    """Seed of student `index`, counted from 0, for its initial weights and the order of the images.

    The first student has the method's own seed, so that it equals a student that is trained alone. The other seeds are
    drawn from it, so that ensembles of two seeds share no student.
    """
    return seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


@dataclass(frozen=True)
class Course:
    """The course of a student's training.

    Attributes:
        schedule: schedule of the learning rate.
        epochs, batch_size, learning_rate: number of epochs, images in a step, and the highest learning rate.
        order: draws the rows of an epoch, always the same number.
        known: an epoch is kept only if its loss on held-out images is below this.
    """

    schedule: Recipe
    epochs: int
    batch_size: int
    learning_rate: float
    order: Callable[[], NDArray[np.int64]]
    known: float = math.inf


def train_student(
    method: STFPM, features: FeatureSet, validation: FeatureSet, index: int, progress: Progress
) -> TrainedStudent:
    """Train student `index` of `method`, which has the schedule and the layer of the student's input.

    Raises:
        TrainingError: no epoch has a finite loss.
    """
    seed = student_seed(method.seed, index)
    student = method.student(features.taps, features.shapes.backbone)
    initialise(student, seed)
    generator = np.random.default_rng(seed)
    course = Course(
        recipe(method.recipe),
        method.epochs_,
        method.batch_size_,
        method.learning_rate_,
        lambda: generator.permutation(len(features)),
    )
    trained = descend(method, student, features, validation, course, index, progress)
    if not trained.best_epoch:
        which = _which(method, index)
        raise TrainingError(f"{which} of {method.name} diverged: lower learning_rate, now {method.learning_rate_:g}")
    return trained


def descend(
    method: STFPM,
    student: BlockList,
    features: FeatureSet,
    validation: FeatureSet,
    course: Course,
    index: int,
    progress: Progress,
) -> TrainedStudent:
    """Train a student further, in place. If no epoch improves it, it is restored, and its best epoch is 0."""
    student = placed(student)
    optimizer = torch.optim.SGD(
        student.parameters(),
        course.learning_rate,
        momentum=method.momentum,
        weight_decay=method.weight_decay,
        fused=True,
    )
    best, best_epoch = course.known, 0
    kept = copy.deepcopy(student.state_dict())
    training_losses: list[float] = []
    validation_losses: list[float] = []
    with quick_pointwise(student):
        for epoch in progress.track(range(1, course.epochs + 1), f"training {_which(method, index)}"):
            student.train()
            total = 0.0
            order = course.order()
            steps = math.ceil(len(order) / course.batch_size)
            for step, rows in enumerate(np.array_split(order, steps), (epoch - 1) * steps):
                factor = course.schedule.factor(step, course.epochs * steps)
                optimizer.param_groups[0]["lr"] = course.learning_rate * factor
                loss = _loss(student, features, rows, method.source_, method.hard_share)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(rows)
            training_losses.append(total / len(order))
            held_out = validation_loss(student, validation, method.source_)
            validation_losses.append(held_out)
            if held_out < best:
                best, best_epoch = held_out, epoch
                kept = copy.deepcopy(student.state_dict())
    student.load_state_dict(kept)
    blocks: BlockList = student.to(device="cpu", memory_format=torch.contiguous_format).frozen()  # type: ignore[call-overload]
    return TrainedStudent(blocks, best_epoch, training_losses, validation_losses)


def validation_loss(student: BlockList, validation: FeatureSet, source: int) -> float:
    """The mean loss on held-out images over all positions, with the student in evaluation mode, as it is shipped.

    The student is moved to the training device.
    """
    student = placed(student).eval()
    with torch.no_grad():
        total = 0.0
        for start in range(0, len(validation), VALIDATION_BATCH):
            rows = np.arange(start, min(start + VALIDATION_BATCH, len(validation)))
            total += float(_loss(student, validation, rows, source)) * len(rows)
    return total / len(validation)


def position_loss(distance: Tensor, cells: NDArray[np.bool_] | None, hard_share: float | None = None) -> Tensor:
    """The mean of a tap's distances over all or the inspected positions, or over the hardest of them.

    Args:
        distance: (B, H, W).
        cells: (B, H, W), whether a position is inspected; None if all are.
        hard_share: share of the positions with the largest distances to average over, in (0, 1]; rounded to whole
            positions, at least one. None for all.

    Returns:
        One number; 0 if no position is inspected.
    """
    if hard_share is not None:
        values = distance.flatten() if cells is None else distance[torch.from_numpy(cells).to(distance.device)]
        count = max(1, round(hard_share * len(values)))
        if count < len(values):
            return values.topk(count, sorted=False).values.mean()
    return distance.mean() if cells is None else _mean_inside(distance, cells)


def _loss(
    student: BlockList, features: FeatureSet, rows: NDArray[np.int64], source: int, hard_share: float | None = None
) -> Tensor:
    """Equations 1 to 3 of STFPM, averaged over the batch, or over its inspected cells."""
    outputs = student(_batch(features, source, rows))
    losses = []
    for tap in features.taps:
        distance = half_squared_distance(_batch(features, tap, rows), outputs[tap])  # (B, H, W)
        cells = features.cells((distance.shape[1], distance.shape[2]), rows)
        losses.append(position_loss(distance, cells, hard_share))
    return torch.stack(losses).sum()


def _which(method: STFPM, index: int) -> str:
    return f"student {index + 1} of {method.students}" if method.students > 1 else "the student"


def _mean_inside(distance: Tensor, cells: NDArray[np.bool_]) -> Tensor:
    """Mean of (B, H, W) over the inspected cells; 0 if there are none."""
    chosen = torch.from_numpy(cells).to(distance)
    return (distance * chosen).sum() / chosen.sum().clamp(min=1)


def _batch(features: FeatureSet, layer: int, rows: NDArray[np.int64]) -> Tensor:
    batch = torch.from_numpy(features.batch(layer, rows)).contiguous(memory_format=torch.channels_last)
    return batch.to(training_device())
