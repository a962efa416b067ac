"""Pretrained weights: a cache, and files that are checked before they are opened.

A backbone's default weights are the first that it lists, on every machine; others are taken only by name. Nothing here
asks the network but `pull`, and that only when the user says so.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flawspot.backbones.weight_sources import SourceError, Url, Wheel
from flawspot.cache import cache_root
from flawspot.errors import ConfigurationError, WeightsError
from flawspot.files import replacing
from flawspot.progress import SILENT, Progress

if TYPE_CHECKING:
    from torch import Tensor

SEARCH_PATH = "FLAWSPOT_WEIGHTS_PATH"
MAX_BYTES = 1 << 30

__all__ = ["Url", "WeightsFile", "Wheel", "cache_folder", "find", "load_checkpoint", "pull", "require"]


@dataclass(frozen=True)
class WeightsFile:
    """A file of pretrained weights, by content.

    Attributes:
        name: as given with ``--weights``.
        filename: in the cache.
        sources: of this very content, tried in order.
        license: of the weights, and their ImageNet accuracy.
        mean, std: the normalisation of RGB / 255 that these weights were trained with.
        native_size: side of the photographs they were trained with, in pixels.
        sha256: in hex; where upstream publishes only a prefix, that prefix, of 8 digits at least.
        git_blob_sha1: git's name of the content, where the file lies in a repository and upstream publishes no sha256.
            One of the two must be given.
        size: of the file in bytes, if known.
        max_bytes: refused above it.
    """

    name: str
    filename: str
    sources: tuple[Url | Wheel, ...]
    license: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    native_size: int
    sha256: str | None = None
    git_blob_sha1: str | None = None
    size: int | None = None
    max_bytes: int = MAX_BYTES

    def is_in(self, data: bytes) -> bool:
        """Whether `data` is this file."""
        if self.sha256 is not None:
            return len(self.sha256) >= 8 and hashlib.sha256(data).hexdigest().startswith(self.sha256)
        blob = b"blob %d\0" % len(data)  # what git puts before the content
        return hashlib.sha1(blob + data, usedforsecurity=False).hexdigest() == self.git_blob_sha1

    @property
    def checksum(self) -> str:
        """The checksum as it is shown to people."""
        if self.sha256 is None:
            return f"git blob {self.git_blob_sha1}"
        return f"sha256 {self.sha256}{'...' if len(self.sha256) < 64 else ''}"


def cache_folder() -> Path:
    """Where weights are kept: ``weights`` in the folder that FLAWSPOT_CACHE names, else where the platform caches."""
    return cache_root() / "weights"


def find(backbone: str, files: Sequence[WeightsFile], name: str | None = None) -> tuple[WeightsFile, Path] | None:
    """The weights called `name` with the right content and where they are on this machine, or None.

    Looks into the cache, then into the folders of FLAWSPOT_WEIGHTS_PATH: there first for the file's name, then at every
    file of the right size.

    Args:
        backbone: for the error message.
        files: those of the backbone, the default first.
        name: None takes the default, and no other where that is absent.

    Raises:
        ConfigurationError: an unknown `name`; the known ones are listed.
    """
    file = _named(backbone, files, name)
    for path in _candidates(file):
        if _content(path, file) is not None:
            return file, path
    return None


def require(backbone: str, files: Sequence[WeightsFile], name: str | None = None) -> tuple[WeightsFile, Path]:
    """Like `find`, but an error where there is nothing.

    Raises:
        ConfigurationError: an unknown `name`.
        WeightsError: they are not at hand; says what to do.
    """
    found = find(backbone, files, name)
    if found is None:
        file = _named(backbone, files, name)
        asked = f"{backbone} --weights {name}" if name else backbone
        here = [other.name for other in files if other is not file and find(backbone, files, other.name)]
        others = f", or ask by name for what is here: --weights {' or '.join(here)}" if here else ""
        raise WeightsError(
            f"the weights {file.name} of {backbone} are not on this machine: run `flawspot weights pull {asked}`, "
            f"or put {file.filename} ({file.checksum}) into {cache_folder()}{others}"
        )
    return found


def pull(
    backbone: str, files: Sequence[WeightsFile], name: str | None = None, progress: Progress = SILENT
) -> tuple[WeightsFile, Path]:
    """Fetch the weights called `name`, or the default ones, into the cache; what is at hand is not fetched again.

    Raises:
        ConfigurationError: an unknown `name`.
        WeightsError: every source failed; lists them with their reasons, and what to do.
    """
    found = find(backbone, files, name)
    if found is not None:
        return found
    failures = []
    file = _named(backbone, files, name)
    target = cache_folder() / file.filename
    for source in file.sources:
        try:
            with replacing(target) as temporary:
                source.fetch(temporary, file.max_bytes, progress)
                content = temporary.read_bytes()
                if not file.is_in(content):
                    digest = hashlib.sha256(content).hexdigest()
                    raise SourceError(f"its sha256 is {digest[:16]}..., expected {file.checksum}; not kept")
        except SourceError as error:
            failures.append(f"{source}: {error}")
        else:
            return file, target
    raise WeightsError(
        f"the weights {file.name} of {backbone} could not be fetched ({'; '.join(failures)}): "
        f"put {file.filename} ({file.checksum}) into {cache_folder()} by hand"
    )


def load_checkpoint(path: Path, file: WeightsFile) -> dict[str, Tensor]:
    """The tensors in the checkpoint at `path`, whose bytes are checked before torch sees them.

    Raises:
        WeightsError: the content is not that of `file`, or anything but named tensors.
    """
    import torch

    content = _content(path, file)
    if content is None:
        raise WeightsError(
            f"{path} is not {file.name}, its checksum differs: remove it and run `flawspot weights pull`"
        )
    try:
        # A torch file is a pickle; weights_only admits tensors and containers, and no code.
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader does
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path} cannot be read as a checkpoint of tensors: {reason}") from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not loaded:
        raise WeightsError(f"{path} holds no named tensors: take the checkpoint named by `flawspot weights list`")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    if len(tensors) != len(loaded):
        raise WeightsError(f"{path} holds more than tensors: take the checkpoint named by `flawspot weights list`")
    return tensors


def _named(backbone: str, files: Sequence[WeightsFile], name: str | None) -> WeightsFile:
    for file in files:
        if name in (None, file.name):
            return file
    known = ", ".join(file.name for file in files) or "none"
    raise ConfigurationError(f"{backbone} has no weights called {name!r}: the known ones are {known}")


def _candidates(file: WeightsFile) -> list[Path]:
    """Where `file` may be, the likeliest first."""
    folders = [Path(p) for p in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if p]
    likely = [folder / file.filename for folder in (cache_folder(), *folders)]
    others = []
    if file.size is not None:
        for folder in filter(Path.is_dir, folders):
            others += [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size == file.size]
    return [path for path in dict.fromkeys([*likely, *others]) if path.is_file()]


def _content(path: Path, file: WeightsFile) -> bytes | None:
    """The bytes of `path` if they are those of `file`; a file that cannot be read is as good as absent."""
    try:
        size = path.stat().st_size
        if size > file.max_bytes or (file.size is not None and size != file.size):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if file.is_in(content) else None
