"""The valid names in a grid, from the registries. Needs torch."""

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
    """The registered backbones, methods and corruptions, and a check of their combinations."""
    hyperparameters = {name: tuple(known.name for known in hyperparameters_of(cls)) for name, cls in methods().items()}
    return Vocabulary(tuple(families()), hyperparameters, CORRUPTIONS, check)


def check(cell: Cell) -> None:
    """Refuse an impossible cell.

    Raises:
        ConfigurationError: see `layers_of`; or the cell's strategy is to update, but its method cannot be updated.
    """
    layers_of(cell)
    if cell.strategy is not None and budget(cell.strategy) is not None:
        updating_of(cell.method)


def layers_of(cell: Cell) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The taps of a cell, and all layers whose features its method needs.

    Raises:
        ConfigurationError: backbone, layers, method and settings do not fit together.
    """
    taps = resolve(cell.backbone, cell.layers)
    return taps, create_method(cell.method, cell.settings, seed=cell.seed).required(taps, cell.backbone)
