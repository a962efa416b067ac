"""The synthetic demo set: good and defective products, procedural, seeded and free of any licence.

It is for the demo, for tests, and for trying out methods without real photographs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.demo_defects import DEFECTS as _DEFECTS
from flawspot.data.demo_products import PRODUCTS as _PRODUCTS
from flawspot.data.demo_products import Array, grid
from flawspot.errors import ConfigurationError, DataError, FlawspotError
from flawspot.progress import SILENT, Progress
from flawspot.seeds import check_seed
from flawspot.texts import counted_digits

PRODUCTS: tuple[str, ...] = tuple(_PRODUCTS)
DEFECTS: tuple[str, ...] = tuple(_DEFECTS)

VERSION = 2
"""Increased whenever the same seed gives other pictures."""

Shot = tuple[str, str, int]
"""A photograph: ``train`` or ``test``, ``good`` or a defect, and its number."""

_LABEL = "demo_set.json"
_SMALLEST, _LARGEST = 32, 4096
_MOST = 100_000
"""Most photographs of one kind."""
_REFERENCE_SIZE = 256  # the sizes of defects are given for it


def render(
    product: str, seed: int | Sequence[int], defect: str | None = None, size: int = _REFERENCE_SIZE
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Take one photograph.

    Args:
        product: one of `PRODUCTS`.
        seed: the same seed gives the same part in the same light, with or without a defect.
        defect: one of `DEFECTS`; None for a good part.
        size: side in pixels, at least 32.

    Returns:
        (size, size, 3) uint8 RGB, and (size, size) bool: where the defect is.

    Raises:
        ConfigurationError: an unknown product or defect (the known ones are listed), or too small a size.
    """
    _check(product, size)
    if defect is not None and defect not in _DEFECTS:
        raise ConfigurationError(f"unknown defect {defect!r}: the known ones are {', '.join(DEFECTS)}")
    # Separate generators, so that a defect changes nothing else.
    for_part, for_camera, for_defect = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    scene = _PRODUCTS[product](for_part, size)
    mask = np.zeros((size, size), np.bool_)
    if defect is not None:
        mask = _DEFECTS[defect](scene, for_defect, size / _REFERENCE_SIZE)
    cover = scene.cover[:, :, None]
    return _photograph(scene.part * cover + scene.ground * (1 - cover), for_camera), mask


def _photograph(scene: Array, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Light, lens and sensor: uneven exposure, a slight blur, noise that grows with the signal."""
    size = len(scene)
    rows, columns = grid(size)
    angle, slope = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.12)
    light = 1 + slope * (np.sin(angle) * rows + np.cos(angle) * columns) / (size / 2)
    balance = generator.normal(1, 0.01, 3)
    exposed = scene * (light * generator.normal(1, 0.035))[:, :, None] * balance
    for axis in (0, 1):
        # The border is repeated, not wrapped: a defect at one border must not show at the opposite one.
        padded = np.pad(exposed, [(int(axis == n), int(axis == n)) for n in range(3)], mode="edge")
        before, after = np.split(padded, [size], axis)[0], np.split(padded, [2], axis)[1]
        exposed = 0.5 * exposed + 0.25 * (before + after)
    # Gamma as in cameras, then shot and read noise in grey levels.
    grey = 255 * np.clip(exposed, 0, 1) ** 0.8
    noise = generator.standard_normal(scene.shape, np.float32) * np.sqrt(2.0 + 0.02 * grey)
    return np.asarray(np.clip(np.rint(grey + noise), 0, 255), np.uint8)


def make_demo_set(
    folder: Path,
    *,
    products: Sequence[str] = PRODUCTS,
    train: int = 80,
    test_good: int = 20,
    test_per_defect: int = 8,
    size: int = _REFERENCE_SIZE,
    seed: int = 0,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write the set in the MVTec layout, with a folder for each product.

    An existing product with the same parameters is kept; one with others is made again. Each is written to a temporary
    folder and moved into place when complete.

    Args:
        folder: the folder; created if missing.
        products: some of `PRODUCTS`.
        train: number of good training photographs of each product.
        test_good: number of good test photographs.
        test_per_defect: number of defective ones of each kind.
        size: side of the photographs in pixels.
        seed: the same seed gives the same photographs, however many others there are. No two photographs share a seed.
        progress: told of each photograph.

    Returns:
        The products' folders.

    Raises:
        ConfigurationError: an unknown product, a negative number, or too small a size.
        DataError: there is a folder with that name that this function did not make.
        FlawspotError: a file cannot be written.
    """
    counts = {"train": train, "test_good": test_good, "test_per_defect": test_per_defect}
    check_parameters(**counts, size=size, seed=seed)
    for product in products:
        _check(product, size)
    parameters = {"version": VERSION, **counts, "size": size, "seed": seed}
    shots = [("train", "good", index) for index in range(train)]
    shots += [("test", "good", index) for index in range(test_good)]
    shots += [("test", defect, index) for defect in DEFECTS for index in range(test_per_defect)]
    targets = [folder / product for product in products]
    # All are checked before the first is written, so a refusal changes nothing on disk.
    kept = [_is_complete(target, parameters, shots) for target in targets]
    for target, complete in zip(targets, kept, strict=True):
        if complete:
            continue
        try:
            _make_product(target, parameters, shots, progress)
        except OSError as error:
            raise FlawspotError(f"cannot write the demo set to {folder}: {error.strerror or error}") from error
    return targets


def _make_product(target: Path, parameters: dict[str, int], shots: list[Shot], progress: Progress) -> None:
    """Draw the photographs of the product that `target` is named after, and move them to `target` when complete."""
    product, seed, size = target.name, parameters["seed"], parameters["size"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{product}.", suffix=".part", dir=target.parent) as name:
        unfinished = Path(name) / product
        unfinished.mkdir()
        for subset, kind, index in progress.track(shots, f"photographing {product}"):
            defect = None if kind == "good" else kind
            image, mask = render(product, _seed(seed, product, subset, defect, index), defect, size)
            _save(image, unfinished / subset / kind / f"{index:03}.png")
            if defect:
                _save(mask.astype(np.uint8) * 255, unfinished / "ground_truth" / kind / f"{index:03}_mask.png")
        (unfinished / _LABEL).write_text(json.dumps(parameters), encoding="utf-8")
        if target.exists():
            # Moved, not deleted in place, as an interruption must not leave half of it.
            target.rename(Path(name) / "replaced")
        unfinished.rename(target)


def check_parameters(*, size: int, seed: int, **counts: int) -> None:
    """Refuse impossible parameters of `make_demo_set`. `counts` are its numbers of photographs.

    Raises:
        ConfigurationError: a parameter is out of its range; the message names it.
    """
    check_seed(seed)
    _check_size(size)
    for name, count in counts.items():
        if not 0 <= count <= _MOST:
            raise ConfigurationError(f"{name} of a demo set must be 0 to {_MOST}, not {counted_digits(count)}")


def _check(product: str, size: int) -> None:
    if product not in _PRODUCTS:
        raise ConfigurationError(f"unknown product {product!r}: the known ones are {', '.join(PRODUCTS)}")
    _check_size(size)


def _check_size(size: int) -> None:
    if not _SMALLEST <= size <= _LARGEST:
        shown = counted_digits(size)
        raise ConfigurationError(f"size of a demo set must be {_SMALLEST} to {_LARGEST} pixels, not {shown}")


def _seed(seed: int, product: str, subset: str, defect: str | None, index: int) -> tuple[int, ...]:
    """The seed of one photograph. No other of the set has it, and it does not depend on the other numbers."""
    kind = 0 if defect is None else 1 + DEFECTS.index(defect)
    return seed, PRODUCTS.index(product), ("train", "test").index(subset), kind, index


def _is_complete(target: Path, parameters: dict[str, int], shots: list[Shot]) -> bool:
    """Whether `target` holds the set with these parameters. DataError if it holds something that flawspot did not
    make."""
    if not target.exists():
        return False
    try:
        label = json.loads((target / _LABEL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        label = None
    if not (isinstance(label, dict) and parameters.keys() <= label.keys()):
        raise DataError(f"{target} exists and is not a demo set: choose another folder, or move it away")
    return label == parameters and all((target / s / kind / f"{i:03}.png").is_file() for s, kind, i in shots)


def _save(image: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
