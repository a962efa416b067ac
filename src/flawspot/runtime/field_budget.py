"""Limits how much of a hostile protobuf message is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flawspot.errors import ArtifactError
from flawspot.runtime.protobuf import fields

MAX_FIELDS = 500_000
"""Most protobuf fields in total; the largest detectors have about 50,000."""


@dataclass
class Budget:
    """Counts the fields that may still be read."""

    fields: int = MAX_FIELDS

    def walk(self, message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
        """Yield field number, wire type and payload of each field."""
        for number, wire_type, _, payload in fields(message):
            self.fields -= 1
            if self.fields < 0:
                raise ArtifactError(f"it has more than {MAX_FIELDS:,} fields, which no detector has")
            yield number, wire_type, payload
