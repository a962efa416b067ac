"""Makes tasks from the cells of a grid: finds the data, weights and code of each, and what is missing here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flawspot.backbones.registry import RANDOM, family
from flawspot.backbones.weights import require
from flawspot.benchmark.code_version import code_version, stream_version
from flawspot.benchmark.grid import Grid
from flawspot.benchmark.record import Cell
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import DEFAULT_CACHE_BYTES, Task, in_order, keys, listing
from flawspot.data.layouts import DataSource
from flawspot.errors import DataError, ImageError, WeightsError
from flawspot.progress import SILENT, Progress


@dataclass(frozen=True)
class _Product:
    """The photographs of a category, or the reason why they are missing."""

    fingerprint: str = ""
    listings: tuple[str, ...] = ()
    missing: str | None = None


@dataclass(frozen=True)
class _Weights:
    """The weights of a backbone, or the reason why they are missing."""

    name: str = ""
    sha256: str = ""
    missing: str | None = None


def prepare(
    grid: Grid,
    cells: Sequence[Cell],
    store: Store,
    *,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    progress: Progress = SILENT,
) -> list[Task]:
    """Find everything that affects each cell's result. Photographs are read once; the store keeps their fingerprints.

    Returns:
        A task for each cell; tasks that share features are adjacent. An impossible task contains the reason.

    Raises:
        ConfigurationError: the settings of a synthetic set are wrong.
        StoreError: the store cannot be written.
    """
    sources = {source.name: _placed(source, store.folder) for source in grid.data}
    wanted = dict.fromkeys((cell.data, category) for cell in cells for category in cell.categories)
    products = {
        pair: _product(sources[pair[0]], pair[1], store) for pair in progress.track(list(wanted), "reading photographs")
    }
    backbones = dict.fromkeys(cell.backbone for cell in cells if not cell.random_weights)
    weights = {name: _weights(name) for name in backbones}
    tasks = [_task(cell, sources, products, weights, store.folder) for cell in cells]
    return in_order([replace(task, grid=grid.title, cache_bytes=cache_bytes) for task in tasks])


def _task(
    cell: Cell,
    sources: Mapping[str, DataSource],
    products: Mapping[tuple[str, str], _Product],
    weights: Mapping[str, _Weights],
    folder: Path,
) -> Task:
    product = _together([products[cell.data, category] for category in cell.categories])
    loaded = _Weights(RANDOM) if cell.random_weights else weights[cell.backbone]
    version = code_version() if cell.stream is None else stream_version()
    key, training_key = keys(
        cell, data_fingerprint=product.fingerprint, weights_sha256=loaded.sha256, code_version=version
    )
    return Task(
        key=key,
        training_key=training_key,
        cell=cell,
        source=sources[cell.data],
        folder=folder,
        data_fingerprint=product.fingerprint,
        weights=loaded.name,
        weights_sha256=loaded.sha256,
        code_version=version,
        listings=product.listings,
        missing=product.missing or loaded.missing,
    )


def _placed(source: DataSource, folder: Path) -> DataSource:
    """The source with an absolute path, for processes in other folders. A synthetic set without a path gets one in the
    store's folder."""
    if source.path is not None:
        return replace(source, path=source.path.absolute())
    if source.layout == "synthetic":
        return replace(source, path=(folder / "synthetic" / source.name).absolute())
    return source


def _product(source: DataSource, category: str, store: Store) -> _Product:
    try:
        listed = listing(source, category)
        return _Product(data_fingerprint(source, category, listed, store), (listed,))
    except (DataError, ImageError) as error:
        return _Product(missing=str(error))
    except OSError as error:
        return _Product(missing=f"cannot read the photographs of {category}: {error.strerror or error}")


def _together(products: Sequence[_Product]) -> _Product:
    """The products combined into one, in their order."""
    if len(products) == 1:
        return products[0]
    for product in products:
        if product.missing is not None:
            return product
    fingerprint = hashlib.sha256(" ".join(product.fingerprint for product in products).encode()).hexdigest()
    return _Product(fingerprint, tuple(listed for product in products for listed in product.listings))


def data_fingerprint(source: DataSource, category: str, listed: str, store: Store) -> str:
    """`DataSource.fingerprint`. Contents are only read if the store does not know the product's `listing`, `listed`.

    Raises:
        DataError: the data are missing.
    """
    known = store.fingerprint(listed) if listed else None
    if known is None:
        known = source.fingerprint(category)
        if listed:
            store.remember_fingerprint(listed, known)
    return known


def _weights(backbone: str) -> _Weights:
    try:
        file, path = require(backbone, family(backbone).weights)
        with path.open("rb") as content:
            return _Weights(file.name, hashlib.file_digest(content, "sha256").hexdigest())
    except WeightsError as error:
        return _Weights(missing=str(error))


def make_synthetic(tasks: Sequence[Task], progress: Progress = SILENT) -> None:
    """Make the synthetic products of the tasks beforehand, so that processes do not make them at the same time.

    Raises:
        FlawspotError: they cannot be written.
    """
    made = [task for task in tasks if task.source.layout == "synthetic" and task.missing is None]
    products = {(task.source.name, category): task for task in made for category in task.cell.categories}
    for (_, category), task in products.items():
        task.source.open(category, progress=progress)
