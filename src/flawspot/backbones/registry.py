"""The backbones by name. A family's file registers its own with the `backbone` decorator."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList, check_taps, initialise, load_strictly
from flawspot.backbones.weights import WeightsFile, load_checkpoint, require
from flawspot.errors import ConfigurationError


@dataclass(frozen=True)
class BackboneFamily:
    """The properties of a backbone that are known before it is built.

    Attributes:
        name: as given on the command line.
        build: makes the full list of blocks with their fresh weights.
        last: the index of the last block.
        layer_groups: taps by group name; Table 1 of the PaSTe paper.
        weights: the files with pretrained weights, the default first. The others are used only by name.
        rename: turns the tensor names of a checkpoint into those of ``nn.ModuleList(build())``, without the classifier.
        source: paper and code that the architecture was written from.
        student_patience: students of this architecture train at the learning rate divided by this factor, for this many
            times more epochs. It is 10 for MicroNet, whose training is otherwise unstable (section 4.2 of the PaSTe
            paper).
    """

    name: str
    build: Callable[[], list[nn.Module]] = field(repr=False)
    last: int
    layer_groups: Mapping[str, tuple[int, ...]]
    weights: tuple[WeightsFile, ...] = field(repr=False)
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = field(repr=False)
    source: str = field(repr=False)
    student_patience: int = 1


RANDOM = "random"
"""The name of weights that are random."""


@dataclass(frozen=True)
class LoadedWeights:
    """The weights of a backbone.

    Attributes:
        name: of the file's entry, or `RANDOM`.
        sha256: sha256 of the file they were read from, in full; empty for random ones.
        mean, std: the normalisation they were trained with.
    """

    name: str
    sha256: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


_FAMILIES: dict[str, BackboneFamily] = {}


def backbone(
    *,
    last: int,
    layer_groups: Mapping[str, tuple[int, ...]],
    weights: Sequence[WeightsFile],
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    source: str,
    student_patience: int = 1,
) -> Callable[[Callable[[], list[nn.Module]]], Callable[[], list[nn.Module]]]:
    """Register the decorated builder as a backbone under its function name."""

    def register(build: Callable[[], list[nn.Module]]) -> Callable[[], list[nn.Module]]:
        name = build.__name__
        _FAMILIES[name] = BackboneFamily(
            name, build, last, layer_groups, tuple(weights), rename, source, student_patience
        )
        return build

    return register


def families() -> dict[str, BackboneFamily]:
    """Every registered backbone by name: each module beside this one has been imported."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(_FAMILIES.items()))


def family(name: str) -> BackboneFamily:
    """The backbone called `name`.

    Raises:
        ConfigurationError: an unknown name; the known ones are listed.
    """
    known = families()
    if name not in known:
        raise ConfigurationError(f"unknown backbone {name!r}: the known ones are {', '.join(known)}")
    return known[name]


def create(name: str, taps: Sequence[int]) -> BlockList:
    """Build backbone `name`, trimmed to the last tap, with fresh random weights.

    Raises:
        ConfigurationError: an unknown backbone, or taps out of range or order.
    """
    known = family(name)
    check_taps(name, taps, first=-1, last=known.last)
    return BlockList(name, known.build(), taps)


def create_pretrained(name: str, taps: Sequence[int], weights: str | None = None) -> tuple[BlockList, LoadedWeights]:
    """Build backbone `name` with pretrained weights from this machine, frozen. Nothing is downloaded.

    Args:
        name: the backbone.
        taps: its taps.
        weights: the name of a weights file; None takes the backbone's default, the same on every machine.

    Returns:
        The trimmed backbone in evaluation mode, and its weights.

    Raises:
        ConfigurationError: an unknown backbone or weights name, or taps out of range or order.
        WeightsError: the weights are missing, damaged, or do not fit.
    """
    known = family(name)
    check_taps(name, taps, first=-1, last=known.last)
    file, path = require(name, known.weights, weights)
    blocks = nn.ModuleList(known.build())
    # Checked against the whole network before trimming, so that a truncated checkpoint is noticed.
    load_strictly(blocks, known.rename(load_checkpoint(path, file)), source=path.name)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return BlockList(name, blocks, taps).frozen(), LoadedWeights(file.name, digest, file.mean, file.std)


def create_random(name: str, taps: Sequence[int], seed: int) -> tuple[BlockList, LoadedWeights]:
    """Build backbone `name` with random weights, frozen, to try things out without pretrained ones.

    Raises:
        ConfigurationError: an unknown backbone, or taps out of range or order.
    """
    network = create(name, taps)
    initialise(network, seed)
    usual = family(name).weights[0]
    return network.frozen(), LoadedWeights(RANDOM, "", usual.mean, usual.std)
