"""STFPM (Wang et al., Student-Teacher Feature Pyramid Matching, BMVC 2021; arXiv 2103.04257), and PaSTe's share of it.

A student of the teacher's architecture learns to reproduce the teacher's features of good images; where it fails, there
is an anomaly. With F^ = F / |F| over the channels of each position (equation 1), the loss of tap l at a position is
``1/2 |F^_T - F^_S|^2`` (equation 1), averaged over positions (2) and summed over taps (3). In testing, the losses of
the taps, upsampled to the photograph's size, are multiplied into the anomaly map; the image score is its maximum.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.block_list import INPUT, BlockList, initialise
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create, family
from flawspot.errors import ConfigurationError, DataError, TrainingError
from flawspot.methods.base import Method, Upsample, training_device
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import method
from flawspot.methods.stfpm.allocation import keeping_freed_memory
from flawspot.methods.stfpm.recipes import recipe
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

VALIDATION_BATCH = 16
"""Images at a time without gradients: small enough that what a block makes stays near the processor."""


@method
@dataclass(kw_only=True)
class STFPM(Method):
    """Where a student fails to follow its teacher.

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
        momentum, weight_decay: of the same, as in the paper.
        student_: the trained blocks, in evaluation mode: all up to the last tap, or those behind `share`.
        source_: the layer the student starts from.
        epochs_, batch_size_, learning_rate_: as used.
        best_epoch_: the epoch with the smallest loss on held-out good images, counted from 1.
        training_losses_, validation_losses_: of each epoch.
    """

    name: ClassVar[str] = "stfpm"
    source: ClassVar[str] = "Wang et al., BMVC 2021 (arXiv 2103.04257)"
    validation_fraction: ClassVar[float] = 0.2

    share: int | str | None = None
    recipe: str = "paper"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float = 1e-4

    student_: BlockList = field(init=False, repr=False)
    taps_: tuple[int, ...] = field(init=False, repr=False)
    source_: int = field(init=False, repr=False)
    epochs_: int = field(init=False, repr=False)
    batch_size_: int = field(init=False, repr=False)
    learning_rate_: float = field(init=False, repr=False)
    input_size_: int = field(init=False, repr=False)
    grids_: dict[int, int] = field(init=False, repr=False)
    input_shape_: tuple[int, ...] = field(init=False, repr=False)
    best_epoch_: int = field(init=False, repr=False)
    training_losses_: list[float] = field(init=False, repr=False)
    validation_losses_: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.share, str) and self.share != "auto":
            raise ConfigurationError(f"share must be a block index, auto or none, not {self.share!r}")
        recipe(self.recipe)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.learning_rate is not None and self.learning_rate <= 0:
            raise ConfigurationError(f"learning_rate must be above 0, not {self.learning_rate:g}")

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

    @keeping_freed_memory()
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Train the student on cached outputs of the teacher; the shared blocks are neither run nor held."""
        self.taps_, self.input_size_ = features.taps, features.input_size
        source = self.source_ = self.source_layer(features.taps, features.backbone.name)
        patience = family(features.backbone.name).student_patience
        schedule = recipe(self.recipe)
        self.batch_size_ = self.batch_size or schedule.batch_size
        self.epochs_ = self.epochs or schedule.epochs(len(features), self.batch_size_) * patience
        self.learning_rate_ = self.learning_rate or schedule.learning_rate / patience
        self.input_shape_ = features.shape(source)
        self.grids_ = {tap: features.shape(tap)[1] for tap in features.taps}
        if validation is None or not len(validation):
            raise DataError(
                f"{self.name} chooses its epoch on held-out good images, and there are none: give more images"
            )

        student = create(features.backbone.name, features.taps)
        if source != INPUT:
            student = student.split(source)[1]
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
        """Equations 1 to 3, averaged over the batch."""
        outputs = student(_batch(features, source, rows))
        losses = []
        for tap in features.taps:
            distance = half_squared_distance(_batch(features, tap, rows), outputs[tap])  # (B, H, W)
            losses.append(distance.mean())
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

    def parts(self) -> list[Part]:
        """The student, and the comparison with its upsampling."""
        size = sum(t.numel() * t.element_size() for t in self.student_.state_dict().values() if t.is_floating_point())
        student = Part("student", size, module_macs(self.student_, torch.zeros(1, *self.input_shape_)))
        upsampling = [Upsample(grid, self.input_size_).part() for grid in self.grids_.values()]
        compared = Part("upsampling", sum(p.bytes for p in upsampling), sum(p.macs for p in upsampling))
        return [student, compared]


class StudentTeacherHead(nn.Module):
    """Feature maps of the teacher -> anomaly map and score."""

    def __init__(self, fitted: STFPM) -> None:
        super().__init__()
        self.student = fitted.student_
        self.taps, self.source = fitted.taps_, fitted.source_
        self.upsample = nn.ModuleList(Upsample(fitted.grids_[tap], fitted.input_size_) for tap in self.taps)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{layer: (N, C, H, W)} -> (N, S, S), (N,)."""
        outputs = self.student(maps[self.source])
        distances = [half_squared_distance(maps[tap], outputs[tap]) for tap in self.taps]  # (N, H, W) each
        anomaly_map = torch.ones(())
        for upsample, distance in zip(self.upsample, distances, strict=True):
            anomaly_map = anomaly_map * upsample(distance)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def half_squared_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """(N, C, H, W) twice -> (N, H, W): ``1/2 |t/|t| - s/|s||^2`` at each position, in [0, 2]."""
    difference = F.normalize(teacher, dim=1) - F.normalize(student, dim=1)
    return 0.5 * difference.square().sum(dim=1)


def _batch(features: FeatureSet, layer: int, rows: NDArray[np.int64]) -> Tensor:
    batch = torch.from_numpy(features.batch(layer, rows)).contiguous(memory_format=torch.channels_last)
    return batch.to(training_device())
