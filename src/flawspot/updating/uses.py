"""What each new photograph is used for, and the copies of it that are varied within what a detector tolerates."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flawspot.data.tolerances import as_tolerance
from flawspot.data.varying import Varying
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.state import CALIBRATION, REPLAY, VALIDATION, VARIED
from flawspot.updating.new_photographs import NewPhotographs


class Use(NamedTuple):
    """One look at a photograph.

    Attributes:
        row: which photograph.
        role: what for, of `flawspot.runtime.state.ROLES`; what is learned from has that of what may be learned again.
        copy: 0 for the photograph as it was taken, else which of its copies.
    """

    row: int
    role: str
    copy: int = 0


def varying_within(manifest: Manifest, root: Path, seed: int) -> Varying | None:
    """What makes the copies; None where the detector tolerates nothing.

    Raises:
        ConfigurationError: it tolerates what only a newer flawspot knows.
    """
    tolerated = manifest.calibration.tolerated
    if tolerated is None:
        return None
    tolerance = as_tolerance({**tolerated.severities, "copies": tolerated.copies})
    assert tolerance is not None  # its severities are above 0
    return Varying(tolerance, seed, root, manifest.view, manifest.white)


def uses_of(new: NewPhotographs, varying: Varying | None) -> list[Use]:
    """Everything that is looked at, in order: what is learned first. A copy is used as its photograph is; of those that
    set the threshold the copy is the one that is varied as far as is tolerated."""
    copies = range(1, 1 + (0 if varying is None else varying.tolerance.copies))
    roles = {REPLAY: new.fit, VALIDATION: new.validation}
    uses = [Use(row, role, copy) for role, rows in roles.items() for row in rows.tolist() for copy in (0, *copies)]
    for row in new.calibration.tolist():
        uses.append(Use(row, CALIBRATION))
        if varying is not None:
            uses.append(Use(row, VARIED, varying.farthest))
    return uses
