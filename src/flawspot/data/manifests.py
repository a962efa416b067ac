"""Reads JSON Lines manifests of Amazon Lookout for Vision, a discontinued service.

There is one object a line. ``source-ref`` names the photograph, ``anomaly-label`` is 0 or 1, and
``anomaly-label-metadata`` has the ``class-name`` normal or anomaly. Manifests that the service wrote itself have the
numbers the other way round; the class names decide. ``anomaly-mask-ref`` names a mask. In its metadata,
``internal-color-map`` gives the colour of the background, which was white in that service. References to its storage
(``s3://``) are searched by name beside the manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from flawspot.data.roles import Role, role_of
from flawspot.data.rows import Entry, meaning_of
from flawspot.errors import DataError
from flawspot.texts import shortened

_PHOTOGRAPH, _LABEL, _MASK, _METADATA = "source-ref", "anomaly-label", "anomaly-mask-ref", "-metadata"
_COLOUR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def read_manifest(text: str, path: Path, good: Sequence[str]) -> list[Entry]:
    """Read the entry of each line.

    Raises:
        DataError: a line is not an object or has no ``source-ref``; labels contradict each other or are unclear; a
            referenced file is not on this machine.
    """
    objects = [_object(line, number, path) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    names = [_class_name(one) for one in objects]
    meaning = meaning_of({name for name in names if name}, good, str(path)) if any(names) else {}
    roles = [meaning.get(name) if name else None for name in names]
    anomalous = _anomalous_number(objects, roles)
    return [
        _entry(one, f"line {number} of {path}", path.parent, role, name, anomalous)
        for number, (one, name, role) in enumerate(zip(objects, names, roles, strict=True), 1)
    ]


def _anomalous_number(objects: Sequence[Mapping[str, Any]], roles: Sequence[Role | None]) -> str:
    """Which label is anomalous: "0" if the class name of every line that has both says so, otherwise "1"."""
    both = [
        (str(one[_LABEL]), role)
        for one, role in zip(objects, roles, strict=True)
        if role is not None and str(one.get(_LABEL)) in ("0", "1")
    ]
    return "0" if both and all((number == "0") is (role is Role.DEFECTIVE) for number, role in both) else "1"


def _object(line: str, number: int, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"line {number} of {path} is not a JSON object: a manifest has one on each line")
    if not isinstance(found.get(_PHOTOGRAPH), str):
        raise DataError(f"line {number} of {path} has no {_PHOTOGRAPH}: it names the photograph")
    return found


def _label_key(one: Mapping[str, Any]) -> str | None:
    """The key of the label: `_LABEL`, or any other with a class name in its metadata."""
    if _LABEL in one:
        return _LABEL
    keys = [key for key in one if isinstance(one.get(key + _METADATA), dict) and "class-name" in one[key + _METADATA]]
    return keys[0] if len(keys) == 1 else None


def _class_name(one: Mapping[str, Any]) -> str | None:
    key = _label_key(one)
    metadata = one.get(f"{key}{_METADATA}")
    name = metadata.get("class-name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def _entry(
    one: Mapping[str, Any], where: str, folder: Path, named: Role | None, name: str | None, anomalous: str
) -> Entry:
    key = _label_key(one)
    value = one.get(key) if key is not None else None
    verdict = named
    if key == _LABEL:
        if str(value) not in ("0", "1"):
            raise DataError(f"{where} has the {_LABEL} {shortened(repr(value))}: 0 is normal, 1 an anomaly")
        if named is None and anomalous == "0":
            raise DataError(
                f"{where} has no class name: 0 is anomalous by the class names of other lines, so say it for every line"
            )
        by_value = Role.DEFECTIVE if str(value) == anomalous else Role.GOOD
        if named is not None and named is not by_value:
            raise DataError(f"{where} has the {_LABEL} {value}, but the class name {name!r}: make them agree")
        verdict = by_value
    if verdict is None:
        raise DataError(f"{where} has no label: write {_LABEL}, 0 or 1, or a class name in its metadata")
    defective = verdict is Role.DEFECTIVE
    mask = one.get(_MASK)
    marked = _local(mask, folder, where) if isinstance(mask, str) and defective else None
    kind = name if defective and name is not None else None
    return Entry(
        path=_local(one[_PHOTOGRAPH], folder, where),
        verdict=verdict,
        kind=kind or ("anomaly" if defective else None),
        mask=marked,
        is_labelled=True,
        background=_background(one.get(_MASK + _METADATA)) if marked is not None else None,
    )


def _background(metadata: Any) -> tuple[int, int, int] | None:
    """The background colour in the metadata of a mask; white if they do not give it."""
    colours = metadata.get("internal-color-map") if isinstance(metadata, dict) else None
    for entry in colours.values() if isinstance(colours, dict) else ():
        if isinstance(entry, dict) and _is_background(str(entry.get("class-name", ""))):
            found = _COLOUR.fullmatch(str(entry.get("hex-color", "")))
            if found is not None:
                red, green, blue = (int(part, 16) for part in found.groups())
                return red, green, blue
    return None if colours is None else (255, 255, 255)


def _is_background(name: str) -> bool:
    return name.casefold() in ("background", "normal") or role_of(name) is Role.GOOD


def _local(reference: str, folder: Path, where: str) -> Path:
    """The file on this machine for a reference."""
    scheme, separator, rest = reference.partition("://")
    if not separator:
        return folder / reference
    if scheme.casefold() == "file":
        return Path(url2pathname(urlparse(reference).path))
    if scheme.casefold() != "s3":
        raise DataError(f"{where} names {shortened(reference, 200)}: only files on this machine are read; copy it here")
    parts = [part for part in PurePosixPath(unquote(rest)).parts if part not in ("..", ".", "/")]
    for first in range(1, len(parts)):  # without the bucket
        found = folder.joinpath(*parts[first:])
        if found.is_file():
            return found
    raise DataError(
        f"{where} names {shortened(reference, 200)}, but there is no {parts[-1] if parts else 'file'} beside the "
        "manifest: copy the photographs there; nothing is fetched"
    )
