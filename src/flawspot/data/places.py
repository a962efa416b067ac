"""Interprets the names of the folders above a photograph."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.data.roles import Role, role_of, same_name
from flawspot.errors import DataError
from flawspot.texts import listed

Parts = tuple[str, ...]
_SPLITS = (Role.TRAIN, Role.VALIDATION, Role.TEST, Role.UNLABELLED)
_NOT_SHARED = (*_SPLITS, Role.MASKS, Role.CONTAINER, Role.DEPTH)
_SILENT = (*_NOT_SHARED, Role.OCCASION)


@dataclass(frozen=True)
class Place:
    """A folder below the data, and the meaning of its name and of the folders above it.

    Attributes:
        parts: the names of the folders on the way.
        use: training, validation, test or unlabelled test; None if no name gives it.
        verdict: good or defective; None if no name gives it.
        kind: the kind of defect by the folder's name, the first one with a meaning; None at the top.
        group: the shortest path that identifies the folder in a table.
        is_mask, is_depth: whether it holds masks or depth, not photographs.
        product: the folders above training and test without a meaning: the name of one of several products.
        is_contradictory: whether one name means good and another defective.
        passed_by: whether it has a usual name of good parts, but the user has named other folders as good.
    """

    parts: Parts
    use: Role | None = None
    verdict: Role | None = None
    kind: str | None = None
    group: Parts = ()
    is_mask: bool = False
    is_depth: bool = False
    product: Parts = ()
    passed_by: bool = False
    is_contradictory: bool = False

    @property
    def key(self) -> Parts:
        """The folders that a photograph and its mask share."""
        return tuple(part.casefold() for part in self.parts if role_of(part) not in _NOT_SHARED)


def place_of(parts: Parts, good: frozenset[Parts] | None) -> Place:
    """Interpret the names.

    Args:
        parts: the folders below the data, from the top.
        good: the folders that the user has named as good; None if none.
    """
    roles: list[Role | None] = [role_of(part) for part in parts]
    passed_by = good is not None and Role.GOOD in roles
    if good is not None:
        roles = [None if role is Role.GOOD else role for role in roles]
        said = [depth for depth in range(len(parts) + 1) if parts[:depth] in good]
        verdict = _said(roles, said)
    else:
        verdict = _verdict(roles)
    first = next((i for i, role in enumerate(roles) if role in _SPLITS), None)
    use = None if first is None else roles[first]
    product = () if first is None else tuple(p for p, role in zip(parts[:first], roles, strict=False) if role is None)
    below = range(0 if first is None else first + 1, len(parts))
    meant = [i for i in below if roles[i] not in _SILENT]
    at = next((i for i in meant if roles[i] is verdict and verdict is not None), meant[0] if meant else None)
    shown = at if at is not None else first
    return Place(
        parts=parts,
        use=use,
        verdict=verdict,
        kind=None if at is None else parts[at],
        group=() if shown is None else parts[: shown + 1],
        is_mask=Role.MASKS in roles,
        is_depth=Role.DEPTH in roles and Role.MASKS not in roles,
        product=product,
        passed_by=passed_by and verdict is None,
        is_contradictory=Role.GOOD in roles and Role.DEFECTIVE in roles,
    )


def _verdict(roles: Sequence[Role | None]) -> Role | None:
    found = {role for role in roles if role in (Role.GOOD, Role.DEFECTIVE)}
    return next(iter(found)) if len(found) == 1 else None


def _said(roles: Sequence[Role | None], good: Sequence[int]) -> Role | None:
    """The nearest name counts: a folder of defects within a good one holds defects."""
    if not good:
        return Role.DEFECTIVE if Role.DEFECTIVE in roles else None
    return Role.DEFECTIVE if Role.DEFECTIVE in roles[good[-1] :] else Role.GOOD


def said_to_be_good(names: Sequence[str], folders: Iterable[Parts], root: Path) -> frozenset[Parts]:
    """The folders that `names` stand for: a name, a path below `root`, or a pattern such as ``day*/ok``; ``.`` is
    `root`.

    Raises:
        DataError: a name stands for no folder.
    """
    every = sorted({parts[:depth] for parts in folders for depth in range(len(parts) + 1)})
    found: set[Parts] = set()
    for name in names:
        wanted = name.replace("\\", "/").rstrip("/")
        absolute = root.resolve().as_posix()
        if wanted.startswith(absolute):
            wanted = wanted[len(absolute) :].strip("/") or "."
        wanted = wanted.removeprefix("./")
        matching = [parts for parts in every if _means(wanted, parts)]
        if not matching:
            there = listed("/".join(parts) for parts in every if parts) or "no folders"
            raise DataError(f"--good {name} names no folder of {root}: there are {there}")
        found.update(matching)
    return frozenset(found)


def _means(wanted: str, parts: Parts) -> bool:
    if wanted in (".", ""):
        return not parts
    path = "/".join(parts)
    if same_name(wanted, path) or (parts and same_name(wanted, parts[-1])):
        return True
    own = path if "/" in wanted else parts[-1] if parts else ""
    return any(c in wanted for c in "*?[") and fnmatch.fnmatch(own.casefold(), wanted.casefold())
