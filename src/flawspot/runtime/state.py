"""The state of a detector, which an update needs: a file beside the artifact, ``part.state`` beside ``part.onnx``.

It holds what the method learned beyond the graph, features of held-out good photographs to set the next threshold, and,
for methods that continue training, features to learn from again. If a network starts from the photograph itself, as
STFPM's student does, the photograph is included as the network sees it. The file is in the safetensors format
(`flawspot.runtime.tensors`) and belongs to one graph, by its hash.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.files import replacing, special_kind
from flawspot.runtime.json_reading import read_as
from flawspot.runtime.tensors import MAX_HEADER, read_tensors, within, write_tensors
from flawspot.texts import visible

SUFFIX = ".state"
SCHEMA_VERSION = 1
MAX_BYTES = 2**31
DEFAULT_MEGABYTES = 64
"""Default limit on the kept features in MiB, besides what the method itself needs."""
MOST_MEGABYTES = 448
"""The highest such limit. With what the method learned a file stays below `MAX_BYTES`."""
CALIBRATION, VARIED, VALIDATION, REPLAY = "calibration", "varied", "validation", "replay"
ROLES = (CALIBRATION, VARIED, VALIDATION, REPLAY)
"""What kept photographs are used for: to set the threshold; to set it from varied copies; to choose the epoch; or to be
learned from again."""
_KEY = "flawspot.state"
_LEARNED, _INSIDE = "learned", "inside"
_HASH = re.compile(r"[0-9a-f]{16}")
_LONGEST_NAME = 4096
_LAYER = re.compile(r"-?[0-9]{1,5}")


@dataclass(frozen=True)
class Kept:
    """Features of N photographs at the backbone's taps.

    Attributes:
        names, hashes, groups: (N,) names and hashes of the photographs' files, and the numbers, from 0, of the parts
            that they show.
        maps: {layer: (N T, C, H, W)} float16, or float32 where float16 would overflow; T tiles each.
        inside: (N T, height, width), the inspected pixels; None if all are.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    groups: tuple[int, ...]
    maps: Mapping[int, NDArray[np.floating]]
    inside: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.hashes)

    @property
    def nbytes(self) -> int:
        """Bytes of the features and masks."""
        masks = 0 if self.inside is None else -(-self.inside.size // 8)
        return sum(maps.nbytes for maps in self.maps.values()) + masks

    @property
    def tiles(self) -> int:
        """T."""
        return len(next(iter(self.maps.values()))) // max(len(self), 1)

    def some(self, rows: NDArray[np.int64]) -> Kept:
        """The features of some of the photographs."""
        tiles = self.tiles
        own = (rows[:, None] * tiles + np.arange(tiles)).ravel()
        return Kept(
            tuple(self.names[row] for row in rows),
            tuple(self.hashes[row] for row in rows),
            tuple(self.groups[row] for row in rows),
            {layer: maps[own] for layer, maps in self.maps.items()},
            None if self.inside is None else self.inside[own],
        )

    def photograph(self, row: int) -> tuple[dict[int, NDArray[np.float32]], NDArray[np.bool_] | None]:
        """The T maps of each layer for one photograph, float32, and its inspected pixels."""
        own = slice(row * self.tiles, (row + 1) * self.tiles)
        maps = {layer: maps[own].astype(np.float32) for layer, maps in self.maps.items()}
        return maps, None if self.inside is None else self.inside[own]


def stacked(parts: Sequence[Kept]) -> Kept:
    """Join several into one. Their groups have a common numbering."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return NONE
    masks = [part.inside for part in parts if part.inside is not None]
    return Kept(
        tuple(name for part in parts for name in part.names),
        tuple(each for part in parts for each in part.hashes),
        tuple(group for part in parts for group in part.groups),
        {layer: np.concatenate([part.maps[layer] for part in parts]) for layer in parts[0].maps},
        np.concatenate(masks) if masks else None,
    )


NONE = Kept((), (), (), {})


def shared_out(sizes: Mapping[str, int], budget: int) -> dict[str, int]:
    """What each role may take of a `budget` in bytes, in proportion to what it would take without one. Where all of it
    fits, each may take at least that."""
    whole = max(sum(sizes.values()), 1)
    return {role: budget * size // whole for role, size in sizes.items()}


@dataclass(frozen=True)
class State:
    """The contents of a state file.

    Attributes:
        graph_sha256: hash of the artifact's graph.
        learned: what the method continues from besides the graph, by its own names.
        kept: photographs' features by role; see `ROLES`.
        known: beginnings of the sha256 of all photographs that were learned from or held out.
        megabytes: the most that the features of all roles together may take, in 2^20 bytes.
        schema_version: see `SCHEMA_VERSION`.
    """

    graph_sha256: str
    learned: Mapping[str, NDArray[Any]]
    kept: Mapping[str, Kept]
    known: tuple[str, ...]
    megabytes: int = DEFAULT_MEGABYTES
    schema_version: int = SCHEMA_VERSION

    def of(self, role: str) -> Kept:
        """The photographs of a role; empty if there are none."""
        return self.kept.get(role, NONE)

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return sum(array.nbytes for array in self.learned.values()) + sum(kept.nbytes for kept in self.kept.values())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file completely or not at all.

        Raises:
            FlawspotError: it cannot be written, or is too large for `read_state`.
        """
        if self.nbytes > MAX_BYTES - MAX_HEADER - 8 * (len(self.known) + 2):
            raise ArtifactError(
                f"cannot write {path}: a state of {self.nbytes / 2**30:.1f} GiB is too large to be read again; train "
                "with fewer --state-megabytes or a smaller input"
            )
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            for piece in write_tensors(*_packed(self)):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class _Photographs:
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    groups: tuple[int, ...]
    mask: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Header:
    schema_version: int
    graph_sha256: str
    megabytes: int
    kept: dict[str, _Photographs] = field(default_factory=dict)


def beside(artifact: str | os.PathLike[str]) -> Path:
    """The path of the state for an artifact's file."""
    return Path(artifact).with_suffix(SUFFIX)


def read_state(path: str | os.PathLike[str]) -> State:
    """Read and check the file.

    Raises:
        ArtifactError: there is no such file, or it is damaged or of a newer flawspot.
    """
    path = Path(path)
    try:
        kind = special_kind(path)
        if kind is not None:
            raise ArtifactError(f"{path} is {kind}: give the .state file that `flawspot train --state` wrote")
        if path.stat().st_size > MAX_BYTES:
            raise ArtifactError(f"{path} is not a detector's state: it is larger than any")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(
            f"there is no file {path}: an update needs the file that `flawspot train --state` writes; if it lies "
            "elsewhere, say so with --state"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return as_state(data)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used: {error}; copy it again, or train again with --state") from None


def as_state(data: bytes) -> State:
    """The state from the bytes of its file.

    Raises:
        ArtifactError: as for `read_state`.
    """
    tensors, metadata = read_tensors(data)
    try:
        content = json.loads(metadata[_KEY])
    except (KeyError, ValueError, RecursionError):
        raise ArtifactError("it is a file of tensors, but not a detector's state") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise ArtifactError(f"it is of schema {str(version)[:20]}, this flawspot reads {SCHEMA_VERSION}: update it")
    header: _Header = read_as(_Header, content, "state")
    known = tensors.pop("known", np.empty(0, np.uint8))
    if known.dtype != np.uint8 or known.size % 8 or not set(header.kept) <= set(ROLES) or header.megabytes < 0:
        raise ArtifactError("its header is damaged: it has impossible values")
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ArtifactError(f"its numbers {name[:50]!a} are not finite: it is damaged")
    kept = {role: _kept(role, photographs, tensors) for role, photographs in header.kept.items()}
    learned = within(tensors, f"{_LEARNED}/")
    hashes = tuple(row.tobytes().hex() for row in known.reshape(-1, 8))
    return State(header.graph_sha256, learned, kept, hashes, header.megabytes)


def _packed(state: State) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    tensors: dict[str, NDArray[Any]] = {f"{_LEARNED}/{name}": array for name, array in state.learned.items()}
    described: dict[str, Any] = {}
    for role, kept in state.kept.items():
        tensors |= {f"{role}/{layer}": maps for layer, maps in kept.maps.items()}
        mask: list[int] = []
        if kept.inside is not None:
            tensors[f"{role}/{_INSIDE}"] = np.packbits(kept.inside)
            mask = list(kept.inside.shape)
        described[role] = dataclasses.asdict(_Photographs(kept.names, kept.hashes, kept.groups, tuple(mask)))
    tensors["known"] = np.frombuffer(bytes.fromhex("".join(state.known)), np.uint8)
    header = _Header(state.schema_version, state.graph_sha256, state.megabytes)
    content = {**dataclasses.asdict(header), "kept": described}
    return tensors, {_KEY: json.dumps(content, allow_nan=False)}


def _kept(role: str, photographs: _Photographs, tensors: Mapping[str, NDArray[Any]]) -> Kept:
    count = len(photographs.hashes)
    maps: dict[int, NDArray[np.floating]] = {}
    for name, tensor in tensors.items():
        layer = name.removeprefix(f"{role}/")
        if layer != name and layer != _INSIDE:
            if not _LAYER.fullmatch(layer) or tensor.ndim != 4 or tensor.dtype.kind != "f":
                raise ArtifactError(f"its numbers {name[:50]!a} are not those of a layer: it is damaged")
            maps[int(layer)] = tensor
    rows = {len(each) for each in maps.values()}
    inside = None
    mask = photographs.mask
    if mask:
        packed, count_of = tensors.get(f"{role}/{_INSIDE}", np.empty(0, np.uint8)), math.prod(mask)
        if len(mask) != 3 or min(mask) < 1 or packed.dtype != np.uint8 or packed.size != -(-count_of // 8):
            raise ArtifactError(f"its masks of {role} are damaged")
        inside = np.unpackbits(packed, count=count_of).reshape(mask).astype(np.bool_)
        rows.add(len(inside))
    whole = len(rows) <= 1 and (not count or all(row % count == 0 and row for row in rows))
    if not whole or len(photographs.names) != count or len(photographs.groups) != count or (count > 0) != bool(maps):
        raise ArtifactError(f"its photographs of {role} do not fit their features: it is damaged")
    if not all(map(_HASH.fullmatch, photographs.hashes)) or not all(map(_is_name, photographs.names)):
        raise ArtifactError(f"its names or hashes of {role} are not valid: it is damaged")
    if photographs.groups and not 0 <= min(photographs.groups) <= max(photographs.groups) < 1 << 31:
        raise ArtifactError(f"its groups of {role} are damaged")
    return Kept(photographs.names, photographs.hashes, photographs.groups, maps, inside)


def _is_name(name: str) -> bool:
    """Whether the value is one that a manifest may have."""
    return len(name) <= _LONGEST_NAME and visible(name) == name
