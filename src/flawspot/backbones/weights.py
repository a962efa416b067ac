"""Pretrained weights: a cache, and checks of files before they are opened.

A backbone's default weights are the first that it lists, on every machine. Others are used only by name. Only `pull`
uses the network, and only on the user's command.
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
    """A file of pretrained weights, identified by its content.

    Attributes:
        name: as given with ``--weights``.
        filename: name of the file in the cache.
        sources: sources of this content, tried in order.
        license: license of the weights, and their ImageNet accuracy.
        mean, std: the normalisation of RGB / 255 that these weights were trained with.
        native_size: side of the photographs they were trained with, in pixels.
        sha256: sha256 in hex. If upstream publishes only a prefix, that prefix, of at least 8 digits.
        git_blob_sha1: git's hash of the content, for a file in a repository without a published sha256. One of the two
            must be given.
        size: size of the file in bytes, if known.
        max_bytes: larger files are refused.
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
        blob = b"blob %d\0" % len(data)  # git's header before the content
        return hashlib.sha1(blob + data, usedforsecurity=False).hexdigest() == self.git_blob_sha1

    @property
    def checksum(self) -> str:
        """The checksum as shown to people."""
        if self.sha256 is None:
            return f"git blob {self.git_blob_sha1}"
        return f"sha256 {self.sha256}{'...' if len(self.sha256) < 64 else ''}"


def cache_folder() -> Path:
    """The folder of weights: ``weights`` in the folder FLAWSPOT_CACHE, else in the platform's folder for caches."""
    return cache_root() / "weights"


def find(backbone: str, files: Sequence[WeightsFile], name: str | None = None) -> tuple[WeightsFile, Path] | None:
    """The weights called `name` and the path of their file on this machine, or None. The content is checked.

    It looks in the cache, then in the folders of FLAWSPOT_WEIGHTS_PATH: there first for the file's name, then at every
    file of the right size.

    Args:
        backbone: for the error message.
        files: the files of the backbone, the default first.
        name: None means the default, and no other if that is absent.

    Raises:
        ConfigurationError: an unknown `name`; the known ones are listed.
    """
    file = _named(backbone, files, name)
    for path in _candidates(file):
        if _content(path, file) is not None:
            return file, path
    return None


def require(backbone: str, files: Sequence[WeightsFile], name: str | None = None) -> tuple[WeightsFile, Path]:
    """Like `find`, but raises an error if there is nothing.

    Raises:
        ConfigurationError: an unknown `name`.
        WeightsError: they are missing; the message says what to do.
    """
    found = find(backbone, files, name)
    if found is None:
        file = _named(backbone, files, name)
        asked = f"{backbone} --weights {name}" if name else backbone
        here = [other.name for other in files if other is not file and find(backbone, files, other.name)]
        others = f", or name weights that are here: --weights {' or '.join(here)}" if here else ""
        raise WeightsError(
            f"the weights {file.name} of {backbone} are not on this machine: run `flawspot weights pull {asked}`, "
            f"or put {file.filename} ({file.checksum}) into {cache_folder()}{others}"
        )
    return found


def pull(
    backbone: str, files: Sequence[WeightsFile], name: str | None = None, progress: Progress = SILENT
) -> tuple[WeightsFile, Path]:
    """Fetch the weights called `name`, or the default ones, into the cache, unless they are there.

    Raises:
        ConfigurationError: an unknown `name`.
        WeightsError: every source failed; the message lists the reasons and says what to do.
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
        WeightsError: the content is not that of `file`, or anything other than named tensors.
    """
    import torch

    content = _content(path, file)
    if content is None:
        raise WeightsError(
            f"{path} is not {file.name}, its checksum differs: remove it and run `flawspot weights pull`"
        )
    try:
        # A torch file is a pickle. weights_only allows tensors and containers, but no code.
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch passes on any exception of its reader
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
    """Places where `file` may be, most likely first."""
    folders = [Path(p) for p in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if p]
    likely = [folder / file.filename for folder in (cache_folder(), *folders)]
    others = []
    if file.size is not None:
        for folder in filter(Path.is_dir, folders):
            others += [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size == file.size]
    return [path for path in dict.fromkeys([*likely, *others]) if path.is_file()]


def _content(path: Path, file: WeightsFile) -> bytes | None:
    """The bytes of `path` if they are those of `file`. An unreadable file counts as absent."""
    try:
        size = path.stat().st_size
        if size > file.max_bytes or (file.size is not None and size != file.size):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if file.is_in(content) else None
