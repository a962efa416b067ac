"""VisA (Zou et al., ECCV 2022), the one published data set whose split is in a table, not in the names of folders."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from flawspot.data.samples import ImageFolder, Sample, Taken
from flawspot.errors import DataError
from flawspot.runtime.listing import natural_key


def visa_table(root: Path) -> Path:
    """The table with the split of the data set in `root`."""
    return root / "split_csv" / "1cls.csv"


def open_visa(root: Path, category: str) -> ImageFolder:
    """``<product>/Data/Images/{Normal,Anomaly}``, masks in ``Data/Masks/Anomaly``, and the split in a table.

    Raises:
        DataError: the table cannot be read, has no photographs of the product, or points outside of the data set.
    """
    table = visa_table(root)
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
            train.append(_within(root, image, table))
        else:
            truth = _within(root, mask, table) if mask else None
            test.append(Sample(_within(root, image, table), None if label == "normal" else "anomaly", truth))
    if not train or not test:
        raise DataError(f"{table} has no photographs of {category} for training or for testing: is it that of VisA?")
    train.sort(key=lambda p: natural_key(p.relative_to(root)))
    test.sort(key=lambda s: natural_key(s.path.relative_to(root)))
    bad = sum(sample.is_defective for sample in test)
    masks = sum(sample.mask is not None for sample in test)
    folder = f"{category} in {table.name}"
    rows_of_table = [
        ("good, to learn from", len(train)),
        ("good, to test", len(test) - bad),
        ("defective (anomaly), to test", bad),
        ("masks", masks),
    ]
    taken = tuple(Taken(folder, role, count) for role, count in rows_of_table if count)
    return ImageFolder(category, root / category, tuple(train), tuple(test), taken)


def _within(root: Path, name: str, table: Path) -> Path:
    """A path from a table. It must be within the data set."""
    parts = PurePosixPath(name.strip().replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise DataError(f"{table} names {name!r}, which is not a file of the data set")
    return root.joinpath(*parts.parts)
