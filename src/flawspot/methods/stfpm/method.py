"""STFPM (Wang et al., Student-Teacher Feature Pyramid Matching, BMVC 2021; arXiv 2103.04257), and PaSTe's share of it.

A student of the teacher's architecture learns to reproduce the teacher's features of good images; where it fails, there
is an anomaly. With F^ = F / |F| over the channels of each position (equation 1), the loss of tap l at a position is
``1/2 |F^_T - F^_S|^2`` (equation 1), averaged over positions (2) and summed over taps (3). In testing, the losses of
the taps, upsampled to the photograph's size, are multiplied into the anomaly map; the image score is its maximum.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.block_list import INPUT, BlockList, initialise
from flawspot.backbones.registry import create, family
from flawspot.errors import ConfigurationError, DataError, TrainingError
from flawspot.methods.allocation import keeping_freed_memory
from flawspot.methods.base import Method, training_device
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.stfpm import costs
from flawspot.methods.stfpm.head import StudentTeacherHead, half_squared_distance
from flawspot.methods.stfpm.recipes import RECIPES, recipe
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

VALIDATION_BATCH = 16
"""Images at a time without gradients: small enough that what a block makes stays near the processor."""


@method
@dataclass(kw_only=True)
class STFPM(Method):
    """Where a student fails to follow its teacher.

        >>> flawspot.STFPM(recipe="fast").momentum
        0.9

    Where only a part of the photograph is looked at, teacher and student are compared there alone, in training as in
    the map. Both see the same surroundings of it: what the student starts from is given whole.

    Attributes:
        share: the last block that teacher and student have in common (PaSTe), ``auto`` for the one before the first
            tap of the backbone's paste group, or before the first tap if that is earlier; None shares nothing, which
            is STFPM.
        recipe: the schedule, by name: ``paper`` is the published one, 100 epochs in batches of 32 (STFPM, section 4.1);
            ``fast`` needs a quarter of its time or less (`flawspot.methods.stfpm.recipes`).
        epochs: None takes the recipe's, for MicroNet ten times as many, as the PaSTe paper.
        batch_size: images in a step; None takes the recipe's.
        learning_rate: of stochastic gradient descent, at its highest; None takes the recipe's, 0.4 as in the paper,
            for MicroNet a tenth.
        momentum, weight_decay: of stochastic gradient descent, as in the paper.
        student_: the trained blocks, in evaluation mode: all up to the last tap, or those behind `share`.
        source_: the layer the student starts from.
        epochs_, batch_size_, learning_rate_: as used.
        best_epoch_: the epoch with the smallest loss on held-out good images, counted from 1.
        training_losses_, validation_losses_: of each epoch.
    """

    name: ClassVar[str] = "stfpm"
    source: ClassVar[str] = "Wang et al., BMVC 2021 (arXiv 2103.04257)"
    validation_fraction: ClassVar[float] = 0.2

    shortest_fit: ClassVar[Mapping[str, Scalar]] = {"epochs": 1}

    share: int | str | None = setting(None, low=0, choices=["auto"])
    recipe: str = setting("paper", choices=RECIPES)
    epochs: int | None = setting(None, low=1)
    batch_size: int | None = setting(None, low=1)
    learning_rate: float | None = setting(None, above=0)
    momentum: float = setting(0.9, low=0, below=1)
    weight_decay: float = setting(1e-4, low=0)

    student_: BlockList = field(init=False, repr=False)
    source_: int = field(init=False, repr=False)
    epochs_: int = field(init=False, repr=False)
    batch_size_: int = field(init=False, repr=False)
    learning_rate_: float = field(init=False, repr=False)
    best_epoch_: int = field(init=False, repr=False)
    training_losses_: list[float] = field(init=False, repr=False)
    validation_losses_: list[float] = field(init=False, repr=False)

    def source_layer(self, taps: Sequence[int], backbone: str) -> int:
        """The layer that the student starts from: the last shared block, or `INPUT`, the photograph itself.

        Raises:
            ConfigurationError: a tap lies within the shared blocks, where teacher and student cannot differ.
        """
        if self.share is None:
            return INPUT
        if isinstance(self.share, str):
            share = min(taps[0], family(backbone).layer_groups.get("paste", taps)[0]) - 1
        else:
            share = self.share
        if not 0 <= share < taps[0]:
            raise ConfigurationError(
                f"teacher and student cannot share blocks 0 to {share} and be compared at layer {taps[0]}: "
                f"share at most {taps[0] - 1}, and choose layers of at least 1"
            )
        return share

    def required(self, taps: tuple[int, ...], backbone: str) -> tuple[int, ...]:
        """The taps, and the layer the student starts from."""
        return (self.source_layer(taps, backbone), *taps)

    def student(self, taps: tuple[int, ...], backbone: str) -> BlockList:
        """The blocks that are trained, fresh: all up to the last tap, or those behind the shared ones."""
        source = self.source_layer(taps, backbone)
        blocks = create(backbone, taps)
        return blocks if source == INPUT else blocks.split(source)[1]

    def steps(self, backbone: str, images: int) -> tuple[int, int]:
        """How often each of so many images is looked at, and how many of them in a step."""
        schedule = recipe(self.recipe)
        batch_size = self.batch_size or schedule.batch_size
        usual = schedule.epochs(images, batch_size) * family(backbone).student_patience
        return self.epochs or usual, batch_size

    @keeping_freed_memory()
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Train the student on cached outputs of the teacher; the shared blocks are neither run nor held."""
        shapes = self.shapes_ = features.shapes
        source = self.source_ = self.source_layer(shapes.taps, shapes.backbone)
        schedule = recipe(self.recipe)
        self.epochs_, self.batch_size_ = self.steps(shapes.backbone, shapes.images)
        patience = family(shapes.backbone).student_patience
        self.learning_rate_ = self.learning_rate or schedule.learning_rate / patience
        if validation is None or not len(validation):
            raise DataError(
                f"{self.name} chooses its epoch on held-out good images, and there are none: give more images"
            )
        features.check_inside()
        validation.check_inside()

        student = self.student(shapes.taps, shapes.backbone)
        initialise(student, self.seed)
        student = student.to(device=training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.SGD(
            student.parameters(),
            self.learning_rate_,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )
        steps = math.ceil(len(features) / self.batch_size_)
        generator = np.random.default_rng(self.seed)
        best = math.inf
        kept = copy.deepcopy(student.state_dict())
        self.training_losses_, self.validation_losses_ = [], []
        for epoch in progress.track(range(1, self.epochs_ + 1), "training the student"):
            student.train()
            total = 0.0
            order = generator.permutation(len(features))
            for step, rows in enumerate(np.array_split(order, steps), (epoch - 1) * steps):
                factor = schedule.factor(step, self.epochs_ * steps)
                optimizer.param_groups[0]["lr"] = self.learning_rate_ * factor
                loss = self._loss(student, features, rows, source)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(rows)
            self.training_losses_.append(total / len(features))
            held_out = self._validate(student, validation, source)
            self.validation_losses_.append(held_out)
            if held_out < best:
                best, self.best_epoch_ = held_out, epoch
                kept = copy.deepcopy(student.state_dict())
        if not math.isfinite(best):
            raise TrainingError(
                f"the student of {self.name} diverged: lower learning_rate, now {self.learning_rate_:g}"
            )
        student.load_state_dict(kept)
        self.student_ = student.to(device="cpu", memory_format=torch.contiguous_format).frozen()
        return self

    def _loss(self, student: BlockList, features: FeatureSet, rows: NDArray[np.int64], source: int) -> Tensor:
        """Equations 1 to 3, averaged over the batch, or over those of its cells that are looked at."""
        outputs = student(_batch(features, source, rows))
        losses = []
        for tap in features.taps:
            distance = half_squared_distance(_batch(features, tap, rows), outputs[tap])  # (B, H, W)
            cells = features.cells((distance.shape[1], distance.shape[2]), rows)
            losses.append(distance.mean() if cells is None else _mean_inside(distance, cells))
        return torch.stack(losses).sum()

    def _validate(self, student: BlockList, validation: FeatureSet, source: int) -> float:
        """The mean loss on held-out images, with the student as it will be shipped."""
        student.eval()
        with torch.no_grad():
            total = 0.0
            for start in range(0, len(validation), VALIDATION_BATCH):
                rows = np.arange(start, min(start + VALIDATION_BATCH, len(validation)))
                total += float(self._loss(student, validation, rows, source)) * len(rows)
        return total / len(validation)

    def head(self) -> nn.Module:
        """The student, and the product of the taps' distance maps; the image score is its maximum."""
        return StudentTeacherHead(self)

    def hyperparameters(self) -> dict[str, Scalar]:
        """Every field by name; after `fit`, the values used in the place of None and ``auto``."""
        fields = super().hyperparameters()
        if not hasattr(self, "student_"):
            return fields
        share = fields["share"] if self.source_ == INPUT else self.source_
        used = {"epochs": self.epochs_, "batch_size": self.batch_size_, "learning_rate": self.learning_rate_}
        return {**fields, "share": share, **used}

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The student, and the comparison with its upsampling."""
        return costs.parts(self, shapes)

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The student."""
        return {costs.STUDENT: costs.planned_student(self, shapes)[0]}

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """A step of the student, with what autograd keeps."""
        return costs.fitting(self, shapes)

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
        """Parameters alone."""
        return costs.of_paper(self, shapes, backbone)


def _mean_inside(distance: Tensor, cells: NDArray[np.bool_]) -> Tensor:
    """Of (B, H, W) over the cells that are inside; 0 where none is."""
    chosen = torch.from_numpy(cells).to(distance)
    return (distance * chosen).sum() / chosen.sum().clamp(min=1)


def _batch(features: FeatureSet, layer: int, rows: NDArray[np.int64]) -> Tensor:
    batch = torch.from_numpy(features.batch(layer, rows)).contiguous(memory_format=torch.channels_last)
    return batch.to(training_device())
