"""The targets of ``flawspot export``, by name."""

from __future__ import annotations

from flawspot.export.c.target import CTarget
from flawspot.export.fixed.target import FixedTarget
from flawspot.export.target import Target
from flawspot.export.tflite.target import TfliteTarget
from flawspot.export.web.target import WebTarget

TARGETS: dict[str, Target] = {target.name: target for target in (CTarget(), TfliteTarget(), FixedTarget(), WebTarget())}
