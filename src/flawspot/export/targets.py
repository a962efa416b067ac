"""The targets of ``flawspot export``, by name."""

from __future__ import annotations

from flawspot.export.c_target import CTarget
from flawspot.export.target import Target
from flawspot.export.tflite_target import TfliteTarget

TARGETS: dict[str, Target] = {target.name: target for target in (CTarget(), TfliteTarget())}
