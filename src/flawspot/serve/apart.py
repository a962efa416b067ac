"""Keeps what a station reads and writes elsewhere apart from its own folder."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError
from flawspot.serve.audit import PICTURES


def check_watched(own: Path, watched: Path) -> None:
    """Refuse to watch the pictures that a station keeps.

    Args:
        own: the station's folder.
        watched: a folder that is to be watched.

    Raises:
        ConfigurationError: the station keeps its pictures there.
    """
    station, place = own.resolve(), watched.resolve()
    if station.is_relative_to(place) or place.is_relative_to(station / PICTURES):
        raise ConfigurationError(
            f"the station keeps its pictures in {station}, which {watched} would watch: choose another --folder"
        )


def check_results(own: Path, folder: Path) -> None:
    """Refuse to write results among a station's own files.

    Args:
        own: the station's folder.
        folder: a folder for results.

    Raises:
        ConfigurationError: the station keeps its own files there.
    """
    station, place = own.resolve(), folder.resolve()
    if place == station or place.is_relative_to(station / PICTURES):
        raise ConfigurationError(f"{folder} is where the station keeps its own files: give another folder")
