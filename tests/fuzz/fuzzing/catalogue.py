"""All cases made by hand."""

from __future__ import annotations

from collections.abc import Iterator

from fuzzing import hostile_graphs, hostile_grids, hostile_manifests, hostile_photographs, large_photographs
from fuzzing.handmade import HandMade


def cases() -> Iterator[HandMade]:
    """They are made when they are tried."""
    for room in (hostile_graphs, hostile_manifests, hostile_grids, hostile_photographs, large_photographs):
        yield from room.cases()
