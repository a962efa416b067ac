"""The interface of a method: fit on features of good images, then a head from feature maps to an anomaly map and a
score.

A method may give its costs before it is fitted. They belong to the class that defines how it fits and predicts. A
subclass with its own `required`, `fit` or `head` therefore starts with unknown costs, whatever its parent gives. It
defines its own, or says which of its parent's still hold: ``training_costs = Parent.training_costs``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

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

Network = TypeVar("Network", bound=nn.Module)

_DESCRIBED = ("required", "fit", "head")
_COSTS = ("planned_parts", "parts", "stored_width", "planned_networks", "training_costs", "paper_costs")
"""The methods that give costs."""


@dataclass(kw_only=True)
class Method(ABC):
    """A method that tells anomalous from good, given the feature maps of a frozen backbone.

    A subclass is a dataclass whose fields are its hyperparameters (`flawspot.methods.settings`). Attributes learned in
    `fit` end in ``_``. It gives what it stores and computes by `planned_parts`, by `parts`, or by both.

    Attributes:
        seed: seed of every random choice.
        shapes_: shapes of the features that it was fitted on; set by `fit`.
    """

    name: ClassVar[str]
    """Name on the command line: small letters, digits and underscores."""
    source: ClassVar[str]
    """The paper of the method."""
    default_layers: ClassVar[str] = "equiv"
    validation_fraction: ClassVar[float] = 0.0
    """The share of the good images that `fit` needs held out to choose its epoch."""
    refits_quickly: ClassVar[bool] = False
    """Whether a few more fits are cheap, so that every photograph can be scored by a detector that has not seen it."""
    shortest_fit: ClassVar[Mapping[str, Scalar]] = {}
    """Hyperparameters with which `fit` needs the same memory in the least time, if any."""
    int8_settings: ClassVar[Mapping[str, Scalar]] = {}
    """Defaults of hyperparameters for a detector of precision ``int8``: how its stores are kept."""
    planned_at_most: ClassVar[bool] = False
    """Whether parts depend on the photographs, so that `planned_parts` are upper bounds."""

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
        """The number of photographs, or tiles, with pasted defects that `fit` needs in `FeatureSet.pasted`."""
        return 0

    def turns(self) -> tuple[int, ...]:
        """The rotations, in quarter turns (1 to 3), for which `fit` also needs features in `FeatureSet.turned`."""
        return ()

    @abstractmethod
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Learn from the features of good images. Sets `shapes_` and the learned attributes, and returns itself.

        If photographs are cut into T tiles, each tile is an image: row n T + t is tile t of photograph n. A method that
        learns something for each position, as PaDiM does, keeps it for each position of each tile. The others have one
        model for all tiles. If only a part of the photographs is inspected (`FeatureSet.cells`), features outside it
        must not affect what is learned about the inside.

        Args:
            features: features of the images to learn from.
            validation: features of other good images, to choose the epoch; None for methods without
                `validation_fraction`.
            progress: told of epochs and other long loops.

        Raises:
            ConfigurationError: hyperparameters and features do not fit together.
            DataError: there are too few images, or no part of them is inspected (`FeatureSet.check_inside`).
            TrainingError: the training diverged.
        """

    def leave_room(self) -> None:
        """Prepare for later updates. Called before `fit`, for methods whose stores need room for them.

        Raises:
            ConfigurationError: it cannot be updated, or not with these hyperparameters.
        """
        if type(self).learned is Method.learned:
            raise ConfigurationError(f"detectors of {self.name} cannot be updated: leave out --state")

    def learned(self) -> Mapping[str, NDArray[Any]] | None:
        """What an update needs besides the constants of the graph, by names of the method's own.

        Its module ``updating`` reads this (`flawspot.methods.updating`). None: it cannot be updated.
        """
        return None

    def replays(self) -> bool:
        """Whether an update learns from old photographs again, so that features of some of them are kept."""
        return False

    def validates(self) -> bool:
        """Whether an update needs the photographs that `fit` is given as `validation`, so that their features are
        kept."""
        return self.replays()

    def updates_in_int8(self) -> bool:
        """Whether an update changes only what stays in floating point when the networks are rounded to 8 bits."""
        return not self.replays()

    @abstractmethod
    def head(self) -> nn.Module:
        """The fitted head: ``forward({layer: (N T, C, H, W)}, inside=None) -> (map (N T, h, w), score (N T,))``.

        Both are float32, h x w is `Shapes.input_size`, and rows are tiles as in `fit`, all T of each photograph; for
        whole photographs T is 1. The score is the maximum of the map. `inside` (N T, h, w) is one for inspected pixels
        and zero for the others. The map is zero outside, and does not depend on any tap's cell without an inspected
        pixel (`flawspot.methods.inside`). Without `inside` everything is inspected, and the graph has no operators for
        it. The head is exported into the artifact's graph behind the backbone.
        """

    def parts(self) -> list[Part]:
        """What the fitted head stores, and computes for one image, by named part. The default is the plan.

        If photographs are cut, bytes are for all tiles, and multiply-accumulates for one tile, inspected as a whole.
        """
        planned = self.planned_parts(self.shapes_)
        if planned is None:
            raise NotImplementedError(f"{type(self).__name__} tells its parts neither when planned nor when fitted")
        return planned

    def planned_parts(self, shapes: Shapes) -> list[Part] | None:
        """The same as `parts`, before the fit; None if it is only known afterwards.

        Raises:
            ConfigurationError: hyperparameters and shapes do not fit together.
        """
        return None

    def stored_width(self, part: str) -> int | None:
        """Bytes of one stored number of the part with that name; None for codes, which have only one precision."""
        return FLOAT

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The parts that are networks, by name, on torch's meta device. Their batch norms can be folded."""
        return {}

    def training_costs(self, shapes: Shapes) -> FittingCosts | None:
        """The costs of `fit`; None if unknown."""
        return None

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts | None:
        """The detector's costs as the PaSTe paper counts them; None for a method that the paper does not have."""
        return None

    def hyperparameters(self) -> dict[str, Scalar]:
        """Every hyperparameter's value by name."""
        return {known.name: getattr(self, known.name) for known in hyperparameters_of(type(self))}


def training_device() -> torch.device:
    """The device for training: the GPU if torch has one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(network: Network) -> Network:
    """Move a network to the training device, with channels last."""
    moved: Network = network.to(device=training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _keep_own_costs(cls: type[Method]) -> None:
    """Remove inherited costs that belong to another fit or head than the class's own.

    Raises:
        TypeError: a class can be fitted but gives its parts in neither way.
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
