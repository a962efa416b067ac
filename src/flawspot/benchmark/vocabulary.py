"""What the names in a grid may be, asked of the registries; torch is needed."""

from __future__ import annotations

from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import families
from flawspot.benchmark.grid import Vocabulary
from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import budget
from flawspot.data.corruptions import CORRUPTIONS
from flawspot.methods.registry import create_method, methods
from flawspot.methods.settings import hyperparameters_of
from flawspot.methods.updating import updating_of


def vocabulary() -> Vocabulary:
    """The registered backbones, methods and corruptions, and what goes together."""
    hyperparameters = {name: tuple(known.name for known in hyperparameters_of(cls)) for name, cls in methods().items()}
    return Vocabulary(tuple(families()), hyperparameters, CORRUPTIONS, check)


def check(cell: Cell) -> None:
    """Refuse what cannot be.

    Raises:
        ConfigurationError: as `layers_of`; or the cell's strategy is to update, which its method cannot.
    """
    layers_of(cell)
    if cell.strategy is not None and budget(cell.strategy) is not None:
        updating_of(cell.method)


def layers_of(cell: Cell) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The taps of a cell, and all layers whose features its method needs.

    Raises:
        ConfigurationError: backbone, layers, method and settings do not go together.
    """
    taps = resolve(cell.backbone, cell.layers)
    return taps, create_method(cell.method, cell.settings, seed=cell.seed).required(taps, cell.backbone)
