"""Published data sets of several products, each product as an `ImageFolder`.

==============  ================================================================================================
``mvtec_ad``    MVTec AD (Bergmann et al., CVPR 2019) and whatever has its layout: a folder for each product
``visa``        VisA (Zou et al., ECCV 2022): ``split_csv/1cls.csv`` says what is for training and what for testing
``btad``        BTAD (Mishra et al., ISIE 2021): MVTec's layout with ``ok`` and ``ko``
``mvtec_loco``  MVTec LOCO AD (Bergmann et al., IJCV 2022): several masks for one photograph
``mvtec_3d``    MVTec 3D-AD (Bergmann et al., VISAPP 2022): its RGB photographs; depth is not looked at
``folder``      a single product in MVTec's layout, a folder of one's own
``synthetic``   the demo set, made when it is first needed
==============  ================================================================================================

The ``validation`` photographs of LOCO and 3D-AD are not used, because flawspot holds out its own from the training
ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flawspot.data.demo_set import PRODUCTS, VERSION, check_parameters, make_demo_set
from flawspot.data.folders import GOOD, ImageFolder, fingerprint, open_folder
from flawspot.data.published import open_visa
from flawspot.errors import ConfigurationError, DataError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.listing import natural_key
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
    """How a data set is stored in its folder.

    Attributes:
        open: opens the product with a given name in the data set's folder.
        published: names of the published products; empty if they are only known from the folder.
        settings: the allowed names in `DataSource.settings`.
    """

    open: Callable[[Path, str], ImageFolder]
    published: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSource:
    """A data set of a grid.

    Attributes:
        name: its name in tables.
        layout: a key of `LAYOUTS`.
        path: its folder; None if it is not known yet, or for ``synthetic``.
        categories: the wanted products; None for all.
        settings: of the synthetic set: ``train``, ``test_good``, ``test_per_defect``, ``size``, ``seed``.
    """

    name: str
    layout: str
    path: Path | None = None
    categories: tuple[str, ...] | None = None
    settings: Mapping[str, Scalar] = field(default_factory=dict)

    def all_categories(self) -> tuple[str, ...]:
        """Names of the wanted products: the requested ones, else the published ones, else those in the folder.

        Raises:
            DataError: the folder is needed for this, and is missing.
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
            # Other data sets have MVTec's layout too. In MVTec AD itself, a missing folder is missing, not unknown.
            if not found <= set(published):
                return tuple(sorted(found, key=lambda name: natural_key(Path(name))))
        return published

    def open(self, category: str, *, progress: Progress = SILENT) -> ImageFolder:
        """The product called `category`. A synthetic one is made if it does not exist.

        Raises:
            DataError: the folder or the product is missing, or does not have this layout.
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
        """SHA-256, in hex, of all files of the product for training and testing, masks included; for a synthetic one,
        of its parameters.

        Raises:
            DataError: as for `open`.
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


def _open_folder(path: Path, category: str) -> ImageFolder:
    """Any layout that `open_folder` reads, that is, all in which the names of folders give the roles."""
    return _separate(open_folder(_product(path, category)))


def _open_single(path: Path, category: str) -> ImageFolder:
    return _separate(open_folder(path))


def _open_complete(path: Path, category: str) -> ImageFolder:
    """Check that every defect has its mask."""
    folder = _open_folder(path, category)
    without = next((sample for sample in folder.test if sample.is_defective and sample.mask is None), None)
    if without is not None:
        raise DataError(f"{without.path} has no mask: the data set is incomplete")
    if not folder.train or not folder.test:
        raise DataError(f"{folder.root} has nothing to learn from or to test on: the data set is incomplete")
    return folder


def _separate(folder: ImageFolder) -> ImageFolder:
    if folder.masks_fault is not None:
        raise DataError(folder.masks_fault)
    if folder.tested_on_what_is_learned:
        raise DataError(
            f"{folder.root} has the same good photographs for training and for testing: put them into train/{GOOD} and "
            f"test/{GOOD}"
        )
    return folder


def _open_visa(path: Path, category: str) -> ImageFolder:
    _product(path, category)
    return open_visa(path, category)


LAYOUTS: dict[str, Layout] = {
    "mvtec_ad": Layout(_open_folder, tuple(MVTEC_AD.split())),
    "visa": Layout(_open_visa, tuple(VISA.split())),
    "btad": Layout(_open_complete, ("01", "02", "03")),
    "mvtec_loco": Layout(_open_complete, tuple(MVTEC_LOCO.split())),
    "mvtec_3d": Layout(_open_complete, tuple(MVTEC_3D.split())),
    "folder": Layout(_open_single),
    "synthetic": Layout(_open_folder, PRODUCTS, tuple(DEMO_DEFAULTS)),
}
