"""What a method is: fit on features of good images, then a head from feature maps to an anomaly map and a score.

A method may tell what it costs before it is fitted. What it tells belongs to the class that says how it fits and
predicts: a subclass with a `required`, `fit` or `head` of its own starts with costs that nobody knows, whatever its
parent tells. It tells its own, or says which of its parent's still hold: ``training_costs = Parent.training_costs``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from torch import nn

from flawspot.errors import ConfigurationError
from flawspot.methods.costs import FLOAT, BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.settings import check_settings, hyperparameters_of, setting
from flawspot.methods.shapes import Shapes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar
from flawspot.seeds import MAX_SEED

_DESCRIBED = ("required", "fit", "head")
_COSTS = ("planned_parts", "parts", "stored_width", "planned_networks", "training_costs", "paper_costs")
"""What is told of the above."""


@dataclass(kw_only=True)
class Method(ABC):
    """A way to tell anomalous from good, given the feature maps of a frozen backbone.

    A subclass is a dataclass whose fields are its hyperparameters (`flawspot.methods.settings`); attributes learned in
    `fit` end in ``_``. It tells what it stores and computes by `planned_parts`, by `parts`, or by both.

    Attributes:
        seed: of every random choice.
        shapes_: of what it was fitted on; set by `fit`.
    """

    name: ClassVar[str]
    """As given on the command line: small letters, digits and underscores."""
    source: ClassVar[str]
    """The paper the method is from."""
    default_layers: ClassVar[str] = "equiv"
    validation_fraction: ClassVar[float] = 0.0
    """The share of the good images that `fit` wants held out to choose its epoch."""
    refits_quickly: ClassVar[bool] = False
    """Whether a handful of fits more are cheap, so that every photograph can be scored by a detector of its own."""
    shortest_fit: ClassVar[Mapping[str, Scalar]] = {}
    """Hyperparameters with which `fit` needs the same memory in the least time, where there are such."""
    int8_settings: ClassVar[Mapping[str, Scalar]] = {}
    """Hyperparameters that a detector of precision ``int8`` has where nobody sets them: how its stores are kept."""
    planned_at_most: ClassVar[bool] = False
    """Whether parts depend on the photographs, so that `planned_parts` are the most they can be."""

    seed: int = setting(0, low=0, high=MAX_SEED)

    shapes_: Shapes = field(init=False, repr=False)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _keep_own_costs(cls)

    def __post_init__(self) -> None:
        """Check every hyperparameter. A subclass with more to check calls this first.

        Raises:
            ConfigurationError: one is out of its range.
        """
        check_settings(self)

    def required(self, taps: tuple[int, ...], backbone: str) -> tuple[int, ...]:
        """The layers whose outputs `fit` and the head need, ascending; the taps unless a method says otherwise.

        Raises:
            ConfigurationError: the method cannot work with these taps.
        """
        return taps

    def pasted_photographs(self) -> int:
        """How many photographs, or tiles, with pasted defects `fit` wants in `FeatureSet.pasted`."""
        return 0

    def turns(self) -> tuple[int, ...]:
        """By how many quarters the photographs are turned that `fit` wants in `FeatureSet.turned` as well; 1 to 3."""
        return ()

    @abstractmethod
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Learn from the features of good images. Sets `shapes_` and the learned attributes, and returns itself.

        Where photographs are cut into T tiles, each tile is an image: row n T + t is tile t of photograph n. A method
        that learns something for each position, as PaDiM does, keeps it for each position of each tile; the others have
        one model for all tiles. Where a part of the photographs is looked at (`FeatureSet.cells`), features outside it
        do not enter what tells anomalous from good inside.

        Args:
            features: of the images to learn from.
            validation: of other good images, to choose the epoch by; None for methods without `validation_fraction`.
            progress: told of epochs and other long loops.

        Raises:
            ConfigurationError: hyperparameters and features do not go together.
            DataError: too few images, or nothing of them is looked at (`FeatureSet.check_inside`).
            TrainingError: the training diverged.
        """

    def leave_room(self) -> None:
        """Told before `fit` that the detector is to be updated later on, for a method whose stores need room for it.

        Raises:
            ConfigurationError: it cannot be, or not with these hyperparameters.
        """
        if type(self).learned is Method.learned:
            raise ConfigurationError(f"detectors of {self.name} cannot be updated: leave out --state")

    def learned(self) -> Mapping[str, NDArray[Any]] | None:
        """What an update goes on from beside the constants of the graph, by names of the method's own.

        Its module ``updating`` reads that (`flawspot.methods.updating`). None: it cannot be updated.
        """
        return None

    def replays(self) -> bool:
        """Whether an update learns from old photographs again, so that features of some of them are kept."""
        return False

    @abstractmethod
    def head(self) -> nn.Module:
        """The fitted head: ``forward({layer: (N T, C, H, W)}, inside=None) -> (map (N T, h, w), score (N T,))``.

        Both are float32, h x w is `Shapes.input_size`, and rows are tiles as in `fit`, all T of each photograph; where
        photographs are whole T is 1. The score is the maximum of the map. `inside` (N T, h, w) is one for pixels that
        are looked at and zero for the others: the map is zero there, and depends on no feature of a tap's cell that has
        no pixel inside (`flawspot.methods.inside`). Without it all is looked at, and the graph has nothing of this. It
        is exported into the artifact's graph behind the backbone.
        """

    def parts(self) -> list[Part]:
        """What the fitted head stores, and computes for one image, by named part; as planned unless a method counts.

        Where photographs are cut, bytes are of all tiles and multiply-accumulates of one, looked at as a whole.
        """
        planned = self.planned_parts(self.shapes_)
        if planned is None:
            raise NotImplementedError(f"{type(self).__name__} tells its parts neither when planned nor when fitted")
        return planned

    def planned_parts(self, shapes: Shapes) -> list[Part] | None:
        """`parts`, before the fit; None where they are only known after it.

        Raises:
            ConfigurationError: hyperparameters and shapes do not go together.
        """
        return None

    def stored_width(self, part: str) -> int | None:
        """Bytes of one stored number of the part of that name; None for codes, which have no other precision."""
        return FLOAT

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The parts that are networks, by name, on torch's meta device: their batch norms can be folded."""
        return {}

    def training_costs(self, shapes: Shapes) -> FittingCosts | None:
        """What `fit` takes; None where that is not known."""
        return None

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts | None:
        """The detector's costs as the PaSTe paper counts them; None for a method that the paper does not have."""
        return None

    def hyperparameters(self) -> dict[str, Scalar]:
        """Every hyperparameter's value by name."""
        return {known.name: getattr(self, known.name) for known in hyperparameters_of(type(self))}


def training_device() -> torch.device:
    """Where what learns is trained: the GPU if torch has one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _keep_own_costs(cls: type[Method]) -> None:
    """Undo what a class inherits of costs that tell of another fit or head than its own.

    Raises:
        TypeError: a class that can be fitted and tells its parts in neither way.
    """
    order = cls.__mro__

    def age(name: str) -> int:
        return next(index for index, base in enumerate(order) if name in vars(base))

    newest = min(map(age, _DESCRIBED))
    lost = [name for name in _COSTS if newest < age(name) and order[age(name)] is not Method]
    for name in lost:
        setattr(cls, name, vars(Method)[name])
    fitted = not getattr(cls.head, "__isabstractmethod__", False)
    if fitted and cls.planned_parts is Method.planned_parts and cls.parts is Method.parts:
        parents = f", or say which of its parent's still hold: {', '.join(lost)}" if lost else ""
        raise TypeError(
            f"{cls.__name__} has a head and does not say what it stores and computes: define planned_parts, from "
            f"shapes alone, or parts, once it is fitted{parents}"
        )
