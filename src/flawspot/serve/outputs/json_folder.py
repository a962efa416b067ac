"""Results into a folder, each in a file of its own, for whatever reads files."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.files import check_folder, write_bytes
from flawspot.serve.chain import Row
from flawspot.serve.outputs.follower import DeliveryError, Follower, message
from flawspot.serve.record import Record

_UNFINISHED = ".unfinished"


class JsonFolder(Follower):
    """Writes rows to ``NUMBER.json``. A file is there as a whole or not at all; whoever reads it may remove it.

    Files are written in the folder ``.unfinished`` in it, so that no pattern such as ``*.json`` meets one too early.
    """

    def __init__(self, record: Record, name: str, folder: Path, *, after: int | None = None, seed: int = 0) -> None:
        """See `Follower`; `folder` is made where there is none.

        Raises:
            ConfigurationError: the station keeps its own files there.
            FlawspotError: it cannot be written into.
        """
        own = record.path.resolve().parent
        if folder.resolve() == own or folder.resolve().is_relative_to(own / "pictures"):
            raise ConfigurationError(f"{folder} is where the station keeps its own files: give another folder")
        check_folder(folder)
        self._folder = folder
        super().__init__(record, name, after=after, seed=seed)

    def send(self, row: Row) -> None:
        """See `Follower`."""
        unfinished = self._folder / _UNFINISHED / f"{row.number}.json"
        try:
            write_bytes(unfinished, message(row))
            unfinished.replace(self._folder / unfinished.name)
        except FlawspotError:
            raise
        except OSError as error:
            raise DeliveryError(f"cannot write into {self._folder}: {error.strerror or error}") from error
