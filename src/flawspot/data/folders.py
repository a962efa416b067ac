"""Folders of photographs: which are good, which are defective, and what each is used for.

The MVTec layout (Bergmann et al., MVTec AD, CVPR 2019) of one product::

    bottle/train/good/000.png                          good parts to learn from
    bottle/test/good/000.png                           good parts to test on
    bottle/test/scratch/000.png                        defective ones, a folder for each kind of defect
    bottle/ground_truth/scratch/000_mask.png           non-zero where the defect is; 000.png serves too, in any format

Other names with the same meaning are understood too (`flawspot.data.roles`): folders ``OK`` and ``NG``; BTAD with
``ok`` and ``ko``; MVTec LOCO with several masks for one photograph; MVTec 3D-AD, whose depth is not used; MVTec AD 2
with ``test_public``; VisA with its table. Without masks only image-level metrics are possible. In a plain folder every
image counts as a photograph of a good part, and there is nothing to test on. A folder is refused if it is unclear which
photographs are good.
"""

from __future__ import annotations

import hashlib
import os
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from flawspot.data.lists import LIST_SUFFIXES, open_list, open_paths
from flawspot.data.masks import read_sample_mask
from flawspot.data.published import open_visa, visa_table
from flawspot.data.roles import Role, role_of
from flawspot.data.samples import GOOD, ImageFolder, LeftOut, Sample, Taken
from flawspot.data.sorting import sort_photographs
from flawspot.errors import DataError
from flawspot.files import special_kind
from flawspot.runtime.listing import list_files
from flawspot.texts import counted, listed

__all__ = ["GOOD", "Data", "ImageFolder", "LeftOut", "Sample", "Taken", "fingerprint", "open_data", "open_folder"]
__all__ += ["read_sample_mask"]

Data = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ImageFolder
"""Forms in which photographs can be given: see `open_data`."""


def open_data(data: Data, good: str | Sequence[str] = ()) -> ImageFolder:
    """Find photographs in any of these forms. Nothing is decoded.

    Args:
        data: a folder, as for `open_folder`; a list file, as for `flawspot.data.lists.open_list`; a sequence of paths
            of photographs or of folders of good parts; or an open `ImageFolder`.
        good: names of the folders or labels that are good; empty for the usual ones.

    Raises:
        DataError: as for `open_folder` and `open_list`.
        ImageError: a folder cannot be listed.
    """
    names = (good,) if isinstance(good, str) else tuple(good)
    if isinstance(data, ImageFolder):
        return data
    if not isinstance(data, str | os.PathLike):
        return open_paths([Path(path) for path in data], names)
    path = Path(data)
    return (
        open_list(path, names) if path.suffix.lower() in LIST_SUFFIXES and path.is_file() else open_folder(path, names)
    )


def open_folder(path: Path, good: Sequence[str] = ()) -> ImageFolder:
    """Find the photographs in `path`, in one of the layouts above. No image is opened.

    Args:
        path: the folder of one product.
        good: folders that hold good parts: their names, their paths below `path`, or patterns; ``.`` for `path` itself.
            Empty for the usual names.

    Raises:
        DataError: `path` is missing or not a folder; it holds no images, several products, or folders that may be good
            or defective; ``train`` without good ones; images of ``test`` outside its subfolders; a name in `good` that
            no folder has.
        ImageError: a folder cannot be listed.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no folder {path}: check the spelling")
    if not path.is_dir():
        known = ", ".join(LIST_SUFFIXES)
        raise DataError(f"{path} is a file: give the folder that holds the photographs, or a list of them ({known})")
    whole = path.resolve()
    if not good and visa_table(path).is_file():
        products = [child.name for child in sorted(path.iterdir()) if (child / "Data").is_dir()]
        count = counted(len(products), "product")
        raise DataError(f"{path} is VisA with {count} ({listed(products)}): give one of them")
    if not good and (path / "Data").is_dir() and visa_table(whole.parent).is_file():
        return open_visa(whole.parent, whole.name)
    if not good and role_of(whole.name) is Role.TEST and _holds_kinds(path):
        return sort_photographs(path.parent if path.name == whole.name else whole.parent, within=whole.name)
    return sort_photographs(path, good)


def _holds_kinds(test: Path) -> bool:
    """Whether a folder named after a test set is one: it has folders for kinds of parts, and no images beside them."""
    inner = {role_of(child.name) for child in test.iterdir() if child.is_dir()}
    return not inner & {Role.TRAIN, Role.TEST} and bool(inner) and not list_files(test, recursive=False).images


def fingerprint(paths: Sequence[Path], root: Path) -> str:
    """SHA-256, in hex, of the files' contents and of their names below `root`, whatever their order.

    It is the same on every operating system: names have forward slashes and Unicode's form NFC.

    Raises:
        DataError: a file is not below `root` or cannot be read.
    """
    total = hashlib.sha256()
    for name, path in sorted((_portable_name(path, root), path) for path in paths):
        try:
            kind = special_kind(path)
            if kind is not None:
                raise DataError(f"{path} is {kind}: put a photograph there, or remove it")
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        # Every part has a fixed length or is preceded by its length, so different sets of files give different bytes.
        encoded = name.encode("utf-8", sys.getfilesystemencodeerrors())
        total.update(len(encoded).to_bytes(8, "big") + encoded + content.digest())
    return total.hexdigest()


def _portable_name(path: Path, root: Path) -> str:
    try:
        return unicodedata.normalize("NFC", path.relative_to(root).as_posix())
    except ValueError as error:
        raise DataError(f"{path} is not in the folder {root}") from error
