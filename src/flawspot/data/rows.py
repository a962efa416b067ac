"""Reads tables of photographs as CSV, and interprets their labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.data.roles import Role, role_of, same_name
from flawspot.errors import DataError
from flawspot.texts import listed

_COLUMNS = {
    "path": "path image file filename file_name image_path imagepath filepath file_path photograph photo picture name",
    "label": "label class defect_type category_name verdict result status classification label_name type",
    "anomalous": "anomaly is_anomaly anomalous is_anomalous defect defective is_defective abnormal ng bad",
    "good": "good is_good ok is_ok normal is_normal pass",
    "mask": "mask mask_path maskpath ground_truth groundtruth gt mask_file",
    "split": "split set phase subset usage fold",
    "product": "object product category part item",
}
_HEADER = {name: column for column, names in _COLUMNS.items() for name in names.split()}
_YES, _NO = frozenset({"1", "true", "yes", "y", "1.0"}), frozenset({"0", "false", "no", "n", "0.0"})


@dataclass(frozen=True)
class Entry:
    """One entry of a list.

    Attributes:
        path: the file.
        verdict: good or defective; None if the list does not say.
        kind: the kind of defect.
        mask: the file that marks the defect.
        use: training, validation or test; None if the list does not say.
        is_labelled: whether the verdict is from a label, not from a folder.
        background: see `flawspot.data.samples.Sample`.
        left_out: why it is not used; None if it is.
    """

    path: Path
    verdict: Role | None
    kind: str | None = None
    mask: Path | None = None
    use: Role | None = None
    is_labelled: bool = False
    background: tuple[int, int, int] | None = None
    left_out: str | None = None


def read_table(text: str, path: Path, good: Sequence[str]) -> list[Entry]:
    """A CSV with or without header. Columns are separated by commas, semicolons or tabs.

    Raises:
        DataError: it is not a table, has columns or labels of unclear meaning, or photographs of several products.
    """
    rows = _rows(text, path)
    if not rows:
        return []
    columns = {_HEADER[name]: i for i, name in reversed(list(enumerate(map(_column, rows[0])))) if name in _HEADER}
    if "path" in columns and not _is_file_name(rows[0][columns["path"]]):
        body = list(enumerate(rows[1:], 2))
        if len(rows[0]) > 1 and not columns.keys() & {"label", "anomalous", "good", "mask", "split"}:
            raise DataError(f"{path} has the columns {listed(rows[0])}: call the one with the verdicts label")
    else:
        columns = dict(zip(("path", "label", "mask"), range(max(map(len, rows))), strict=False))
        body = list(enumerate(rows, 1))
    table = _Table(path, columns, good)
    _check_one_product([table.cell(row, "product") for _, row in body], path)
    labels = {table.cell(row, "label") for _, row in body} if "label" in columns else set()
    meaning = meaning_of(labels - {""}, good, str(path)) if labels - {""} else {}
    return [table.entry(number, row, meaning) for number, row in body]


def meaning_of(labels: Iterable[str], good: Sequence[str], source: str) -> dict[str, Role]:
    """The labels that mean good: those in `good`, else the usual ones. Other labels beside them are kinds of defects.

    Raises:
        DataError: none of them is known to be good, and at least one is neither good nor a defect.
    """
    labels = sorted(set(labels))
    if good:
        missing = [name for name in good if not any(same_name(name, label) for label in labels)]
        if missing:
            raise DataError(f"--good {missing[0]} is not a label of {source}: there are {listed(labels)}")
        return {
            label: Role.GOOD if any(same_name(label, name) for name in good) else Role.DEFECTIVE for label in labels
        }
    roles = {label: role_of(label) for label in labels}
    numbers = [label for label in labels if label.casefold() in _YES | _NO]
    unknown = [label for label, role in roles.items() if role not in (Role.GOOD, Role.DEFECTIVE)]
    if numbers or (unknown and Role.GOOD not in roles.values()):
        raise DataError(
            f"cannot tell which labels of {source} mean good parts: there are {listed(labels)}. Say it with --good "
            "NAME, or write good and defective"
        )
    return {label: Role.GOOD if role is Role.GOOD else Role.DEFECTIVE for label, role in roles.items()}


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: dict[str, int]
    good: Sequence[str]

    def cell(self, row: Sequence[str], column: str) -> str:
        at = self.columns.get(column)
        return row[at].strip() if at is not None and at < len(row) else ""

    def entry(self, number: int, row: Sequence[str], meaning: dict[str, Role]) -> Entry:
        name, label, mask, split = (self.cell(row, column) for column in ("path", "label", "mask", "split"))
        if not name:
            raise DataError(f"row {number} of {self.path} names no photograph: fill it in, or remove it")
        verdict, kind = self._flag(number, row)
        if verdict is None and label:
            verdict = meaning[label]
        if verdict is None and ("label" in self.columns and meaning):
            raise DataError(f"row {number} of {self.path} ({name}) has no label: write good, or the kind of defect")
        use = role_of(split) if split else None
        if split and use not in (Role.TRAIN, Role.VALIDATION, Role.TEST):
            raise DataError(f"row {number} of {self.path} has the split {split!r}: write train or test")
        kind = None if verdict is not Role.DEFECTIVE else label or kind
        place = self.path.parent
        marked = place / mask if mask and verdict is Role.DEFECTIVE else None
        return Entry(place / name, verdict, kind, marked, use, verdict is not None)

    def _flag(self, number: int, row: Sequence[str]) -> tuple[Role | None, str | None]:
        """The verdict in a column that is called anomalous or good and holds yes or no."""
        for column, yes, no in (("anomalous", Role.DEFECTIVE, Role.GOOD), ("good", Role.GOOD, Role.DEFECTIVE)):
            said = self.cell(row, column).casefold()
            if column not in self.columns:
                continue
            if said not in _YES | _NO:
                raise DataError(f"row {number} of {self.path} has {said!r} in a column that otherwise holds 0 or 1")
            return (yes if said in _YES else no), "defective"
        return None, None


def _rows(text: str, path: Path) -> list[list[str]]:
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{path} is not a table: {error}") from None
    return [row for row in rows if any(cell.strip() for cell in row) and not row[0].startswith("#")]


def _column(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _is_file_name(cell: str) -> bool:
    return "." in cell or "/" in cell


def _check_one_product(products: Sequence[str], path: Path) -> None:
    found = sorted(set(products) - {""})
    if len(found) > 1:
        raise DataError(f"{path} lists {len(found)} products ({listed(found)}): make a list for each")
