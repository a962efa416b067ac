"""Folders of photographs: the MVTec layout, and a plain folder of good images.

The MVTec layout (Bergmann et al., MVTec AD, CVPR 2019) of one product::

    bottle/train/good/000.png                          good parts to learn from
    bottle/test/good/000.png                           good parts to test on
    bottle/test/scratch/000.png                        defective ones, a folder for each kind of defect
    bottle/ground_truth/scratch/000_mask.png           non-zero where the defect is; 000.png serves too, in any format

Without ``ground_truth`` only image-level metrics can be had. In a plain folder every image, in subfolders too, is taken
for a photograph of a good part; there is nothing to test on.
"""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import DataError
from flawspot.files import special_kind
from flawspot.runtime.images import read_mask
from flawspot.runtime.listing import find_images, natural_key

GOOD = "good"
_MASK_ENDING = "_mask"
_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Sample:
    """A test image with its truth.

    Attributes:
        path: the photograph.
        defect: the kind of defect, after the name of its folder; None for a good part.
        mask: the file that says where the defect is; None for a good part, and where no ground truth is at hand.
        more_masks: further files that do, where a data set has one for each defect.
    """

    path: Path
    defect: str | None
    mask: Path | None
    more_masks: tuple[Path, ...] = ()

    @property
    def is_defective(self) -> bool:
        return self.defect is not None

    @property
    def masks(self) -> tuple[Path, ...]:
        """All files that say where the defects are."""
        return () if self.mask is None else (self.mask, *self.more_masks)


@dataclass(frozen=True)
class ImageFolder:
    """The photographs of one product.

    Attributes:
        name: the name of the folder.
        root: the folder.
        train: photographs of good parts, in natural order; empty if the folder has only a test set.
        test: the test images, good ones and defective ones, by folder in natural order; empty for a plain folder.
    """

    name: str
    root: Path
    train: tuple[Path, ...]
    test: tuple[Sample, ...]

    @property
    def has_masks(self) -> bool:
        """Whether every defective test image has a mask, and there is one: whether pixel-level metrics can be had."""
        masks = [sample.mask for sample in self.test if sample.is_defective]
        return bool(masks) and None not in masks


def open_folder(path: Path) -> ImageFolder:
    """Find the photographs in `path`, in one of the layouts above. No image is opened.

    Raises:
        DataError: `path` is missing or not a folder; it holds no images, several products, or good images beside
            defective ones; ``train`` without ``train/good``; images of ``test`` outside its subfolders; some but not
            all of the masks, or two for one image.
        ImageError: a folder cannot be listed.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no folder {path}: check the spelling")
    if not path.is_dir():
        raise DataError(f"{path} is a file: give the folder that holds the photographs")
    name = path.resolve().name
    if _is_folder(path / "train") or _is_folder(path / "test"):
        train, test = _train(path), _test(path)
        if not train and not test:
            raise DataError(f"no images in {path / 'train' / GOOD} or {path / 'test'}: put photographs there")
        return ImageFolder(name, path, train, test)

    children = _folders_in(path)
    products = [child.name for child in children if _is_folder(child / "train" / GOOD)]
    if products:
        raise DataError(
            f"{path} holds {_counted(len(products), 'product')} ({_shortened(products)}): "
            f"give the folder of one, such as {path / products[0]}"
        )
    if _is_folder(path / GOOD):
        others = [child.name for child in children if child.name != GOOD and find_images(child)]
        if others:
            raise DataError(
                f"{path} holds {GOOD} beside {_shortened(others)}, which may be defective: "
                f"to learn from good parts give {path / GOOD}; to evaluate, the folder that has test in it"
            )
    images = tuple(find_images(path))
    if not images:
        raise DataError(f"no images in {path}: put photographs of good parts there, as PNG, JPEG, TIFF, BMP or WebP")
    return ImageFolder(name, path, images, ())


def read_sample_mask(sample: Sample, image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The truth of one test image, (H, W) bool, True where the defect is; all False for a good part.

    Args:
        sample: the test image.
        image_shape: (H, W) of the photograph as `read_image` gives it, upright.

    Raises:
        DataError: a defective image without a mask, or a mask of another size than its image.
        ImageError: the mask cannot be read.
    """
    if not sample.is_defective:
        return np.zeros(image_shape, np.bool_)
    if sample.mask is None:
        raise DataError(f"{sample.path} has no mask, so only image-level metrics can be had: add ground_truth")
    defective = np.zeros(image_shape, np.bool_)
    for path in sample.masks:
        mask = read_mask(path)
        if mask.shape != tuple(image_shape):
            (mask_height, mask_width), (height, width) = mask.shape, image_shape
            raise DataError(
                f"the mask {path} is {mask_width} x {mask_height} pixels, but its image {sample.path} is "
                f"{width} x {height}: make the mask as large as the image"
            )
        defective |= mask
    return defective


def fingerprint(paths: Sequence[Path], root: Path) -> str:
    """SHA-256, in hex, of the files' names below `root` and of their contents, whatever their order.

    The same on every operating system: names are taken with forward slashes and in Unicode's form NFC.

    Raises:
        DataError: a file is not below `root` or cannot be read.
    """
    total = hashlib.sha256()
    for name, path in sorted((_portable_name(path, root), path) for path in paths):
        try:
            kind = special_kind(path)
            if kind is not None:
                raise DataError(f"{path} is {kind}: put a photograph there, or take it away")
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        # Every part has a length of its own or a fixed one, so no two sets of files give the same bytes.
        encoded = name.encode("utf-8", sys.getfilesystemencodeerrors())
        total.update(len(encoded).to_bytes(8, "big") + encoded + content.digest())
    return total.hexdigest()


def _train(root: Path) -> tuple[Path, ...]:
    train = root / "train"
    if not _is_folder(train):
        return ()
    if not _is_folder(train / GOOD):
        raise DataError(f"{train} has no folder {GOOD}: put the photographs of good parts into {train / GOOD}")
    return tuple(find_images(train / GOOD))


def _test(root: Path) -> tuple[Sample, ...]:
    test = root / "test"
    if not _is_folder(test):
        return ()
    loose = find_images(test, recursive=False)
    if loose:
        raise DataError(
            f"{_counted(len(loose), 'image')} directly in {test}, such as {loose[0].name}: "
            f"put good ones into {test / GOOD} and defective ones into a folder named after the defect"
        )
    truth = root / "ground_truth"
    samples: list[Sample] = []
    for folder in _folders_in(test):
        defect = None if folder.name == GOOD else folder.name
        masks = {} if defect is None else _masks(truth / folder.name)
        samples += [Sample(path, defect, _mask_of(path.relative_to(folder), masks)) for path in find_images(folder)]

    defective = [sample for sample in samples if sample.is_defective]
    without = [sample for sample in defective if sample.mask is None]
    if without and _is_folder(truth) and find_images(truth):
        first = without[0]
        expected = truth / first.path.relative_to(test).with_name(f"{first.path.stem}{_MASK_ENDING}.png")
        raise DataError(
            f"{len(without)} of {_counted(len(defective), 'defective test image')} without a mask, such as "
            f"{first.path}: add {expected}, or remove {truth} to do without pixel-level metrics"
        )
    return tuple(samples)


def _masks(folder: Path) -> dict[Path, Path]:
    """The masks in `folder` by their relative path without suffix."""
    masks: dict[Path, Path] = {}
    for path in find_images(folder) if _is_folder(folder) else ():
        key = path.relative_to(folder).with_suffix("")
        if key in masks:
            raise DataError(f"two masks for one image, {masks[key]} and {path}: remove one of them")
        masks[key] = path
    return masks


def _mask_of(image: Path, masks: dict[Path, Path]) -> Path | None:
    return masks.get(image.with_name(image.stem + _MASK_ENDING)) or masks.get(image.with_suffix(""))


def _is_folder(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir()


def _folders_in(path: Path) -> list[Path]:
    return sorted(
        (child for child in path.iterdir() if _is_folder(child)), key=lambda child: natural_key(Path(child.name))
    )


def _portable_name(path: Path, root: Path) -> str:
    try:
        return unicodedata.normalize("NFC", path.relative_to(root).as_posix())
    except ValueError as error:
        raise DataError(f"{path} is not in the folder {root}") from error


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
