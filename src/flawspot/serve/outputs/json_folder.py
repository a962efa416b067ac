"""Results as JSON files in a folder, one file each, for programs that read files."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.files import check_folder, write_bytes
from flawspot.serve.audit import keeps
from flawspot.serve.chain import Row
from flawspot.serve.outputs.follower import DeliveryError, Follower, message
from flawspot.serve.record import Record

_UNFINISHED = ".unfinished"


class JsonFolder(Follower):
    """Writes rows to ``NUMBER.json``. A file appears only when complete, and its reader may remove it.

    Files are first written in the subfolder ``.unfinished``, so that a pattern such as ``*.json`` finds only complete
    ones.
    """

    def __init__(
        self,
        record: Record,
        name: str,
        folder: Path,
        *,
        own: Path | None = None,
        after: int | None = None,
        seed: int = 0,
    ) -> None:
        """See `Follower`. `folder` is created if missing; `own` is the station's folder, the record's if None.

        Raises:
            ConfigurationError: the station keeps its own files in that folder.
            FlawspotError: the folder cannot be written to.
        """
        station, place = (own or record.path.resolve().parent).resolve(), folder.resolve()
        if place == station or keeps(station, place):
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
