"""Who may do what at a station."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from pathlib import Path


@functools.total_ordering
class Role(enum.Enum):
    """In the order of what they may."""

    VIEWER = 1
    OPERATOR = 2
    ENGINEER = 3

    def __lt__(self, other: Role) -> bool:
        return bool(self.value < other.value)


@dataclass(frozen=True)
class Person:
    """Who asks."""

    name: str
    role: Role


class Tokens:
    """Stub."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def person(self, token: str) -> Person | None:
        """Of a token."""
        return None
