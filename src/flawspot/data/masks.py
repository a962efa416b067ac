"""Assigns masks to photographs, and reads the marked pixels."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.annotations import coco_pictures, read_annotation
from flawspot.data.places import Parts, Place
from flawspot.data.roles import Role, role_of
from flawspot.data.samples import Sample
from flawspot.errors import DataError
from flawspot.runtime.images import read_mask
from flawspot.runtime.listing import Listing
from flawspot.texts import counted

_ENDINGS = ("_mask", "-mask", "_gt", "_GT", "_ground_truth", "_seg")
"""Endings of a mask's name after the name of its photograph."""
_ANNOTATIONS = ".json"
_MOSTLY = 0.5


class Masks:
    """The masks of one product, as pictures or annotations."""

    def __init__(self, root: Path, places: Mapping[Path, Place], listing: Listing) -> None:
        """Find masks in folders of masks, and beside a photograph under its name."""
        self._root = root
        photographs = {path for path in listing.images if not places[path].is_mask}
        names = {(path.parent, path.stem) for path in photographs}
        beside = {path for path in photographs if any((path.parent, base) in names for base in _bases(path.stem))}
        pictures = [path for path in listing.images if places[path].is_mask or path in beside]
        json = [path for path in listing.companions if path.suffix.lower() == _ANNOTATIONS]
        json = [path for path in json if places[path].use is not Role.TRAIN]
        named = [path for path in json if places[path].is_mask or (path.parent, path.stem) in names]
        self.files = {*pictures, *named}
        self._places = {path: places[path] for path in self.files}
        self._by_key: dict[Parts, list[Path]] = {}
        self._in_folder: dict[Parts, list[Path]] = {}
        for path in [*pictures, *named]:
            key = places[path].key
            self._by_key.setdefault((*key, _name(path)), []).append(path)
            self._in_folder.setdefault(key, []).append(path)
        with_photographs = {path.parent for path in photographs}
        self._tables = {
            path: pictured
            for path in json
            if (path not in beside and path.parent in with_photographs and path not in named) or places[path].is_mask
            if (pictured := coco_pictures(path)) is not None
        }
        self.files |= self._tables.keys()
        self._used: set[Path] = set()
        self.fault: str | None = None
        """After a call of `of`: why the masks cannot be used, as some are missing or a photograph has two. Else
        None."""

    @property
    def folder(self) -> str:
        """Where the masks are, for a table."""
        where = {"/".join(self._top(path)) for path in self._used}
        return where.pop() if len(where) == 1 else "."

    @property
    def unused(self) -> list[Path]:
        """After a call of `of`: the masks that belong to no test photograph."""
        return sorted(self.files - self._used)

    def has_for(self, place: Place) -> bool:
        """Whether there are masks for a kind of defect, according to the names of their folders."""
        key = place.key
        return bool(key) and any(other[: len(key)] == key for other in self._in_folder)

    def of(self, photographs: Sequence[tuple[Place, Path]]) -> list[Sample]:
        """The test photographs with their masks; see `fault`."""
        alone: dict[str, int] = {}
        for place, path in photographs:
            if place.verdict is not Role.GOOD:
                alone[_name(path)] = alone.get(_name(path), 0) + 1
        samples = []
        for place, path in photographs:
            good = place.verdict is Role.GOOD
            masks = self._masks_of(place, path, not good and alone[_name(path)] == 1)
            self._used.update(masks)
            defect = None if good else place.kind
            samples.append(Sample(path, defect, masks[0] if masks else None, tuple(masks[1:])))
        self.fault = self.fault or self._missing(samples, {path: place for place, path in photographs})
        return samples

    def _masks_of(self, place: Place, path: Path, alone: bool) -> list[Path]:
        name, key = _name(path), place.key
        for stem in (*(name + ending for ending in _ENDINGS), name):
            found = [mask for mask in self._by_key.get((*key, stem), ()) if mask != path]
            # A picture comes before the annotations that it was drawn from.
            found = [mask for mask in found if mask.suffix.lower() != _ANNOTATIONS] or found
            if len(found) > 1:
                self.fault = f"two masks for one image, {found[0]} and {found[1]}: remove one of them"
            if found:
                return found
        several = self._in_folder.get((*key, name.casefold()))
        if several:
            return several
        tables = [table for table, pictured in self._tables.items() if path.name in pictured]
        if tables:
            return tables[:1]
        flat = [
            mask for stem in (*(name + ending for ending in _ENDINGS), name) for mask in self._by_key.get((stem,), ())
        ]
        return flat[:1] if alone else []

    def _missing(self, samples: Sequence[Sample], places: Mapping[Path, Place]) -> str | None:
        """The message if only some of the defective photographs have masks."""
        defective = [sample for sample in samples if sample.is_defective]
        without = [sample for sample in defective if sample.mask is None]
        if not without or not self.files:
            return None
        first = without[0]
        top = next((self._top(path) for path in sorted(self.files) if self._places.get(path)), ())
        parts = places[first.path].parts
        below = parts[next((i + 1 for i, part in enumerate(parts) if role_of(part) is Role.TEST), 0) :]
        expected = self._root.joinpath(*top, *below, f"{first.path.stem}{_ENDINGS[0]}.png")
        return (
            f"{len(without)} of {counted(len(defective), 'defective test image')} without a mask, such as "
            f"{first.path}: add {expected}, or remove {self._root.joinpath(*top)} to do without pixel-level metrics"
        )

    def _top(self, path: Path) -> Parts:
        parts = path.relative_to(self._root).parent.parts
        at = next((i for i, part in enumerate(parts) if role_of(part) is Role.MASKS), len(parts) - 1)
        return parts[: at + 1]


def _bases(stem: str) -> list[str]:
    return [stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending) and stem != ending]


def _name(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)


def read_sample_mask(sample: Sample, image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The ground truth of one test image, (H, W) bool, True on the defect; all False for a good part.

    Args:
        sample: the test image.
        image_shape: (H, W) of the upright photograph, as from `read_image`.

    Raises:
        DataError: a defective image has no mask; a mask has another size than its image, or is implausible: it marks
            nothing of a defective image, something of a good one, everything, or everything but the middle.
        ImageError: the mask cannot be read.
    """
    marked = np.zeros(image_shape, np.bool_)
    if sample.is_defective and sample.mask is None:
        raise DataError(f"{sample.path} has no mask, so only image-level metrics are possible: add ground_truth")
    for path in sample.masks:
        mask = _read(path, sample, image_shape)
        if mask.shape != tuple(image_shape):
            (mask_height, mask_width), (height, width) = mask.shape, image_shape
            raise DataError(
                f"the mask {path} is {mask_width} x {mask_height} pixels, but its image {sample.path} is "
                f"{width} x {height}: make the mask as large as the image"
            )
        marked |= mask
    if sample.masks:
        _check_plausible(marked, sample)
    return marked


def _read(path: Path, sample: Sample, image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    if path.suffix.lower() == _ANNOTATIONS:
        return read_annotation(path, sample.path, image_shape)
    return read_mask(path, background=sample.background)


def _check_plausible(marked: NDArray[np.bool_], sample: Sample) -> None:
    """Check that a mask agrees with the class in the photograph's name."""
    mask, image = sample.mask, sample.path
    if not sample.is_defective:
        if marked.any():
            raise DataError(
                f"the mask {mask} marks a defect, but its image {image} is one of a good part: put the image into the "
                "folder of its defect, or remove the mask"
            )
        return
    if not marked.any():
        raise DataError(
            f"the mask {mask} marks nothing, but its image {image} is one of a defect ({sample.defect}): draw the "
            "defect, non-zero, or move the image to the good ones"
        )
    if marked.all():
        raise DataError(
            f"the mask {mask} marks the whole of {image}: a mask is zero, black, where no defect is; draw it again"
        )
    edge = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    if edge.all() and marked.mean() > _MOSTLY:
        raise DataError(
            f"the mask {mask} marks all of {image} but the middle ({marked.mean():.0%} of it), so it seems to be "
            "inverted: a mask is non-zero where the defect is; invert it"
        )
