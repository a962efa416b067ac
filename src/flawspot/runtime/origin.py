"""Where a detector came from, so that another process can load the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import CHECKSUM_KEY, Artifact, own_metadata


@dataclass(frozen=True)
class Origin:
    """The source and options that a detector was loaded with.

    Attributes:
        path: the artifact's file, absolute; None for an artifact in memory.
        checksum: the checksum stored in the file.
        model: the file's bytes if there is no path. Otherwise they are read again, so that they take no memory.
        options: the options of `load`.
    """

    path: Path | None
    checksum: str
    model: bytes | None
    options: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> bytes:
        """The artifact's bytes.

        Raises:
            ArtifactError: the file is missing or has changed.
        """
        if self.model is not None or self.path is None:
            return self.model or b""
        try:
            model = self.path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot pickle the detector: cannot read {self.path} ({error.strerror})") from None
        if _checksum(model) != self.checksum:  # its contents are verified when it is unpickled
            raise ArtifactError(f"cannot pickle the detector: {self.path} has changed since, load it again")
        return model


def origin_of(artifact: Artifact, path: Path | None, options: Mapping[str, Any]) -> Origin:
    """The origin of a detector loaded from `artifact`, which was read from `path` unless that is None."""
    model = artifact.model if path is None else None
    return Origin(path and path.absolute(), _checksum(artifact.model), model, dict(options))


def _checksum(model: bytes) -> str:
    return own_metadata(model).get(CHECKSUM_KEY, "")
