"""Where a detector came from, so that another process can have the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import CHECKSUM_KEY, Artifact, own_metadata


@dataclass(frozen=True)
class Origin:
    """What `load` was given.

    Attributes:
        path: the artifact's file, absolute; None for an artifact in memory.
        checksum: the one that stands in it.
        model: the file's bytes where there is no file. Else they are read again, so that no memory is taken by them.
        options: of `load`.
    """

    path: Path | None
    checksum: str
    model: bytes | None
    options: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> bytes:
        """The artifact's bytes.

        Raises:
            ArtifactError: the file is gone, or another one by now.
        """
        if self.model is not None or self.path is None:
            return self.model or b""
        try:
            model = self.path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot pickle the detector: cannot read {self.path} ({error.strerror})") from None
        if _checksum(model) != self.checksum:  # what it says is verified where it is unpickled
            raise ArtifactError(f"cannot pickle the detector: {self.path} has changed since, load it again")
        return model


def origin_of(artifact: Artifact, path: Path | None, options: Mapping[str, Any]) -> Origin:
    """The origin of a detector that was loaded from `artifact`, read from `path` if at all."""
    model = artifact.model if path is None else None
    return Origin(path and path.absolute(), _checksum(artifact.model), model, dict(options))


def _checksum(model: bytes) -> str:
    return own_metadata(model).get(CHECKSUM_KEY, "")
