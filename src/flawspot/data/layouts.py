"""Data sets of several products in the layouts they are published in, each product as an `ImageFolder`.

==============  ================================================================================================
``mvtec_ad``    MVTec AD (Bergmann et al., CVPR 2019) and whatever has its layout: a folder for each product
``visa``        VisA (Zou et al., ECCV 2022): ``split_csv/1cls.csv`` says what is for training and what for testing
``btad``        BTAD (Mishra et al., ISIE 2021): MVTec's layout with ``ok`` and ``ko``
``mvtec_loco``  MVTec LOCO AD (Bergmann et al., IJCV 2022): several masks for one photograph
``mvtec_3d``    MVTec 3D-AD (Bergmann et al., VISAPP 2022): its RGB photographs; depth is not looked at
``folder``      a single product in MVTec's layout, a folder of one's own
``synthetic``   the demo set, made when it is first needed
==============  ================================================================================================

The ``validation`` photographs of LOCO and 3D-AD are not used: flawspot holds out its own from the training ones.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flawspot.data.demo_set import PRODUCTS, VERSION, check_parameters, make_demo_set
from flawspot.data.folders import GOOD, ImageFolder, Sample, fingerprint, open_folder
from flawspot.errors import ConfigurationError, DataError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.listing import find_images, natural_key
from flawspot.runtime.manifest import Scalar

MVTEC_AD = (
    "bottle cable capsule carpet grid hazelnut leather metal_nut pill screw tile toothbrush transistor wood zipper"
)
VISA = "candle capsules cashew chewinggum fryum macaroni1 macaroni2 pcb1 pcb2 pcb3 pcb4 pipe_fryum"
MVTEC_LOCO = "breakfast_box juice_bottle pushpins screw_bag splicing_connectors"
MVTEC_3D = "bagel cable_gland carrot cookie dowel foam peach potato rope tire"

DEMO_DEFAULTS: dict[str, int] = {"train": 80, "test_good": 20, "test_per_defect": 8, "size": 256, "seed": 0}


@dataclass(frozen=True)
class Layout:
    """How a data set lies in its folder.

    Attributes:
        open: the product of a name in the data set's folder.
        published: names of the products of the published set; empty where they are only known from the folder.
        settings: names that `DataSource.settings` may have.
    """

    open: Callable[[Path, str], ImageFolder]
    published: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSource:
    """A data set of a grid.

    Attributes:
        name: as tables call it.
        layout: a key of `LAYOUTS`.
        path: its folder; None where it is not known yet, or for ``synthetic``.
        categories: the wanted products; None for all.
        settings: of the synthetic set: ``train``, ``test_good``, ``test_per_defect``, ``size``, ``seed``.
    """

    name: str
    layout: str
    path: Path | None = None
    categories: tuple[str, ...] | None = None
    settings: Mapping[str, Scalar] = field(default_factory=dict)

    def all_categories(self) -> tuple[str, ...]:
        """The wanted products by name: those asked for; else the published ones; else those in the folder.

        Raises:
            DataError: the folder is needed to know, and is not there.
        """
        if self.categories is not None:
            return self.categories
        if self.layout == "folder":
            return (self.name if self.path is None else self.path.resolve().name,)
        published = LAYOUTS[self.layout].published
        if published and self.layout != "mvtec_ad":
            return published
        if self.path is not None and self.path.is_dir():
            found = {child.name for child in self.path.iterdir() if (child / "train" / GOOD).is_dir()}
            # Other data sets come in MVTec's layout too; of MVTec AD itself, what is not there is missing, not unknown.
            if not found <= set(published):
                return tuple(sorted(found, key=lambda name: natural_key(Path(name))))
        return published

    def open(self, category: str, *, progress: Progress = SILENT) -> ImageFolder:
        """The product called `category`. A synthetic one is made if it is not there.

        Raises:
            DataError: the folder or the product is not there, or is not in this layout.
            ConfigurationError: a synthetic product that does not exist.
        """
        if self.path is None:
            raise DataError(
                f"no folder is known for {self.name}: give `path` in the grid, or --data {self.name}=FOLDER"
            )
        if self.layout == "synthetic":
            made = make_demo_set(self.path, products=[category], progress=progress, **self._demo())
            return open_folder(made[0])
        if not self.path.is_dir():
            raise DataError(f"there is no folder {self.path} for {self.name}: give --data {self.name}=FOLDER")
        return LAYOUTS[self.layout].open(self.path, category)

    def fingerprint(self, category: str) -> str:
        """SHA-256, in hex, of all that the product holds for training and testing, masks included; of a synthetic one,
        of what it is made from.

        Raises:
            DataError: as `open`.
        """
        if self.layout == "synthetic":
            made_of = json.dumps([VERSION, category, sorted(self._demo().items())])
            return hashlib.sha256(made_of.encode()).hexdigest()
        folder = self.open(category)
        masks = [mask for sample in folder.test for mask in sample.masks]
        return fingerprint([*folder.train, *(s.path for s in folder.test), *masks], folder.root)

    def _demo(self) -> dict[str, int]:
        values = {**DEMO_DEFAULTS, **self.settings}
        for name, value in values.items():
            if type(value) is not int:
                raise ConfigurationError(f"{name} of the synthetic set must be a whole number, not {value!r}")
        numbers = {name: int(value or 0) for name, value in values.items()}
        check_parameters(**numbers)
        return numbers


def _product(path: Path, category: str) -> Path:
    if not (path / category).is_dir():
        raise DataError(f"there is no folder {path / category}: fetch {category}, or leave it out of `categories`")
    return path / category


def _open_mvtec(path: Path, category: str) -> ImageFolder:
    return open_folder(_product(path, category))


def _open_single(path: Path, category: str) -> ImageFolder:
    return open_folder(path)


def _open_visa(path: Path, category: str) -> ImageFolder:
    """``<product>/Data/Images/{Normal,Anomaly}``, masks in ``Data/Masks/Anomaly``; the split stands in a table."""
    table = path / "split_csv" / "1cls.csv"
    _product(path, category)
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("object") == category]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the split of VisA, {table}: {error}. It comes with the data set") from None
    train: list[Path] = []
    test: list[Sample] = []
    for row in rows:
        image, mask, label = (row.get(name) or "" for name in ("image", "mask", "label"))
        if row.get("split") == "train":
            train.append(_within(path, image, table))
        else:
            truth = _within(path, mask, table) if mask else None
            test.append(Sample(_within(path, image, table), None if label == "normal" else "anomaly", truth))
    if not train or not test:
        raise DataError(f"{table} has no photographs of {category} for training or for testing: is it that of VisA?")
    train.sort(key=lambda p: natural_key(p.relative_to(path)))
    test.sort(key=lambda s: natural_key(s.path.relative_to(path)))
    return ImageFolder(category, path / category, tuple(train), tuple(test))


def _within(root: Path, name: str, table: Path) -> Path:
    """A path from a table, which must not lead out of the data set."""
    parts = PurePosixPath(name.strip().replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise DataError(f"{table} names {name!r}, which is no file of the data set")
    return root.joinpath(*parts.parts)


def _open_btad(path: Path, category: str) -> ImageFolder:
    """``train/ok``, ``test/ok``, ``test/ko``, ``ground_truth/ko``; a mask has the stem of its photograph."""
    root = _product(path, category)
    masks = {mask.stem: mask for mask in _images(root, "ground_truth", "ko")}
    test = [Sample(image, None, None) for image in _images(root, "test", "ok")]
    for image in _images(root, "test", "ko"):
        if image.stem not in masks:
            raise DataError(f"{image} has no mask in {root / 'ground_truth' / 'ko'}: the data set is not complete")
        test.append(Sample(image, "ko", masks[image.stem]))
    return ImageFolder(category, root, _images(root, "train", "ok"), tuple(test))


def _open_loco(path: Path, category: str) -> ImageFolder:
    """As MVTec AD, but the masks of a photograph are the files of ``ground_truth/<kind>/<its stem>/``, united."""
    root = _product(path, category)
    test = []
    for kind in _kinds(root):
        for image in _images(root, "test", kind):
            masks = () if kind == GOOD else _images(root, "ground_truth", kind, image.stem)
            test.append(_sample(image, kind, masks))
    return ImageFolder(category, root, _images(root, "train", GOOD), tuple(test))


def _open_3d(path: Path, category: str) -> ImageFolder:
    """``train/good/rgb``, ``test/<kind>/rgb`` and ``test/<kind>/gt``; good photographs have black masks."""
    root = _product(path, category)
    test = []
    for kind in _kinds(root):
        masks = {} if kind == GOOD else {mask.stem: mask for mask in _images(root, "test", kind, "gt")}
        test += [
            _sample(image, kind, (masks[image.stem],) if image.stem in masks else ())
            for image in _images(root, "test", kind, "rgb")
        ]
    return ImageFolder(category, root, _images(root, "train", GOOD, "rgb"), tuple(test))


def _sample(image: Path, kind: str, masks: tuple[Path, ...]) -> Sample:
    if kind == GOOD:
        return Sample(image, None, None)
    if not masks:
        raise DataError(f"{image} has no mask: the data set is not complete")
    return Sample(image, kind, masks[0], masks[1:])


def _kinds(root: Path) -> list[str]:
    if not (root / "test").is_dir():
        raise DataError(f"{root} has no folder test: the data set is not complete")
    names = [child.name for child in (root / "test").iterdir() if child.is_dir() and not child.name.startswith(".")]
    return sorted(names, key=lambda name: natural_key(Path(name)))


def _images(root: Path, *names: str) -> tuple[Path, ...]:
    folder = root.joinpath(*names)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}: the data set is not complete, or in another layout")
    return tuple(find_images(folder))


LAYOUTS: dict[str, Layout] = {
    "mvtec_ad": Layout(_open_mvtec, tuple(MVTEC_AD.split())),
    "visa": Layout(_open_visa, tuple(VISA.split())),
    "btad": Layout(_open_btad, ("01", "02", "03")),
    "mvtec_loco": Layout(_open_loco, tuple(MVTEC_LOCO.split())),
    "mvtec_3d": Layout(_open_3d, tuple(MVTEC_3D.split())),
    "folder": Layout(_open_single),
    "synthetic": Layout(_open_mvtec, PRODUCTS, tuple(DEMO_DEFAULTS)),
}
