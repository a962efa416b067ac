"""STFPM (Wang et al., Student-Teacher Feature Pyramid Matching, BMVC 2021; arXiv 2103.04257), the base of PaSTe.

A student of the teacher's architecture learns to reproduce the teacher's features of good images. Where it fails, there
is an anomaly. With F^ = F / |F| over the channels of each position (equation 1), the loss of tap l at a position is
``1/2 |F^_T - F^_S|^2`` (equation 1), averaged over positions (2) and summed over taps (3). In testing, the losses of
the taps are upsampled to the photograph's size and multiplied. The product is the anomaly map, and its maximum is the
image score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from torch import nn

from flawspot.backbones.block_list import INPUT, BlockList
from flawspot.backbones.registry import create, family
from flawspot.errors import ConfigurationError, DataError
from flawspot.methods.allocation import keeping_freed_memory
from flawspot.methods.base import Method
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.stfpm import costs
from flawspot.methods.stfpm.folding import states
from flawspot.methods.stfpm.head import StudentTeacherHead
from flawspot.methods.stfpm.recipes import RECIPES, recipe
from flawspot.methods.stfpm.training import TrainedStudent, train_student
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar


@method
@dataclass(kw_only=True)
class STFPM(Method):
    """Distance between the features of a teacher and those of a student, or of several.

        >>> flawspot.STFPM(recipe="fast").momentum
        0.9

    If only a part of the photograph is inspected, teacher and student are compared only there, in training and in the
    map. Both see its surroundings, because the student's input is not cut.

    `hard_share` is the hard feature loss of EfficientAD (Batzner et al., WACV 2024, section 3.2). With it, a student
    learns to follow its teacher only as far as good images need it. There are three differences to EfficientAD. A
    position counts as a whole, because its distance is one of directions and not a sum over channels. Each tap chooses
    its own positions. And their number is exact, whereas EfficientAD takes all values above a quantile, by default
    0.1 % of the values. The epoch is still chosen by the loss over all positions of held-out images.

    With several `students`, a tap's distance at a position is the mean of theirs, after Bergmann et al., Uninformed
    Students, CVPR 2020, section 3.3. With t and s_k of length 1 and m the mean of s_1 to s_K,
    ``1/K sum_k 1/2 |t - s_k|^2 = 1/2 (|t - m|^2 + (1/K sum_k |s_k|^2 - |m|^2))``: half the sum of the mean's regression
    error and the predictive variance. That paper first divides each of the two by its deviation on good images. Here
    they are not scaled, so there is nothing more to choose.

    Attributes:
        share: last block that teacher and student share (PaSTe). ``auto`` is the block before the first tap of the
            backbone's paste group, or before the first tap if that is earlier. None shares nothing, which is STFPM.
        recipe: name of the schedule: ``paper`` is the published one, 100 epochs in batches of 32 (STFPM, section 4.1);
            ``fast`` needs a quarter of its time or less (`flawspot.methods.stfpm.recipes`).
        epochs: number of epochs. None takes the recipe's; for MicroNet ten times as many, as in the PaSTe paper.
        batch_size: images in a step; None takes the recipe's.
        learning_rate: highest learning rate of stochastic gradient descent. None takes the recipe's, 0.4 as in the
            paper; for MicroNet a tenth.
        momentum, weight_decay: of stochastic gradient descent, as in the paper.
        hard_share: share of a batch's positions that a student learns from: at each tap, those farthest from the
            teacher. 1 and None take all.
        students: number of students, trained from different weights and in different orders. The map is their mean, and
            costs grow with their number.
        students_: the trained students in evaluation mode: all blocks up to the last tap, or those after `share`; the
            best epoch; and the losses.
        student_: the blocks of the first student.
        source_: the layer that is the student's input.
        epochs_, batch_size_, learning_rate_: the values used.
        best_epoch_: the first student's epoch with the smallest loss on held-out good images, counted from 1.
        training_losses_, validation_losses_: the first student's losses, for each epoch.
    """

    name: ClassVar[str] = "stfpm"
    source: ClassVar[str] = "Wang et al., BMVC 2021 (arXiv 2103.04257)"
    validation_fraction: ClassVar[float] = 0.2
    update_share: ClassVar[float] = 1.0
    """Epochs of an update, as a share of those of training; see `flawspot.methods.stfpm.going_on`."""

    shortest_fit: ClassVar[Mapping[str, Scalar]] = {"epochs": 1}

    share: int | str | None = setting(None, low=0, choices=["auto"])
    recipe: str = setting("paper", choices=RECIPES)
    epochs: int | None = setting(None, low=1)
    batch_size: int | None = setting(None, low=1)
    learning_rate: float | None = setting(None, above=0)
    momentum: float = setting(0.9, low=0, below=1)
    weight_decay: float = setting(1e-4, low=0)
    hard_share: float | None = setting(None, above=0, high=1)
    students: int = setting(1, low=1, high=8)

    students_: tuple[TrainedStudent, ...] = field(init=False, repr=False)
    source_: int = field(init=False, repr=False)
    epochs_: int = field(init=False, repr=False)
    batch_size_: int = field(init=False, repr=False)
    learning_rate_: float = field(init=False, repr=False)

    @property
    def student_(self) -> BlockList:
        """The blocks of the first student."""
        return self.students_[0].blocks

    @property
    def best_epoch_(self) -> int:
        """The first student's best epoch, counted from 1."""
        return self.students_[0].best_epoch

    @property
    def training_losses_(self) -> list[float]:
        """The first student's training losses, by epoch."""
        return self.students_[0].training_losses

    @property
    def validation_losses_(self) -> list[float]:
        """The first student's losses on held-out images, by epoch."""
        return self.students_[0].validation_losses

    def source_layer(self, taps: Sequence[int], backbone: str) -> int:
        """The layer that is the student's input: the last shared block, or `INPUT`, the photograph itself.

        Raises:
            ConfigurationError: a tap is within the shared blocks, where teacher and student cannot differ.
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
        """The taps, and the layer that is the student's input."""
        return (self.source_layer(taps, backbone), *taps)

    def student(self, taps: tuple[int, ...], backbone: str) -> BlockList:
        """New blocks to train: all up to the last tap, or those after the shared ones."""
        source = self.source_layer(taps, backbone)
        blocks = create(backbone, taps)
        return blocks if source == INPUT else blocks.split(source)[1]

    def steps(self, backbone: str, images: int) -> tuple[int, int]:
        """Number of epochs for `images` images, and of images in a step."""
        schedule = recipe(self.recipe)
        batch_size = self.batch_size or schedule.batch_size
        usual = schedule.epochs(images, batch_size) * family(backbone).student_patience
        return self.epochs or usual, batch_size

    @keeping_freed_memory()
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Train the students on cached outputs of the teacher. The shared blocks are neither run nor in memory."""
        shapes = self.shapes_ = features.shapes
        self.source_ = self.source_layer(shapes.taps, shapes.backbone)
        self.epochs_, self.batch_size_ = self.steps(shapes.backbone, shapes.images)
        patience = family(shapes.backbone).student_patience
        self.learning_rate_ = self.learning_rate or recipe(self.recipe).learning_rate / patience
        if validation is None or not len(validation):
            raise DataError(
                f"{self.name} chooses its epoch on held-out good images, and there are none: give more images"
            )
        features.check_inside()
        validation.check_inside()

        self.students_ = tuple(
            train_student(self, features, validation, index, progress) for index in range(self.students)
        )
        return self

    def replays(self) -> bool:
        """True: a student that saw only new photographs would forget the old ones."""
        return True

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """The students before their batch norms are folded."""
        return states([each.blocks for each in self.students_])

    def head(self) -> nn.Module:
        """The students, and the product of the taps' distance maps. The image score is its maximum."""
        return StudentTeacherHead(self)

    def hyperparameters(self) -> dict[str, Scalar]:
        """Every field by name; after `fit`, with the values used instead of None and ``auto``."""
        fields = super().hyperparameters()
        if not hasattr(self, "students_"):
            return fields
        share = fields["share"] if self.source_ == INPUT else self.source_
        used = {"epochs": self.epochs_, "batch_size": self.batch_size_, "learning_rate": self.learning_rate_}
        return {**fields, "share": share, **used}

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The students, and the comparison with its upsampling."""
        return costs.parts(self, shapes)

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The students."""
        return costs.networks(self, shapes)

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """A step of a student, with the tensors that autograd keeps."""
        return costs.fitting(self, shapes)

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
        """Only parameters, of all students."""
        return costs.of_paper(self, shapes, backbone)
