"""The use of each new photograph, and of its copies that are varied within the detector's tolerance."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flawspot.data.tolerances import as_tolerance
from flawspot.data.varying import Varying
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.state import CALIBRATION, REPLAY, VALIDATION, VARIED
from flawspot.updating.new_photographs import NewPhotographs


class Use(NamedTuple):
    """One use of a photograph.

    Attributes:
        row: the photograph's row.
        role: the role, from `flawspot.runtime.state.ROLES`. Photographs to learn from have that of those that may be
            learned again.
        copy: 0 for the unchanged photograph, else the number of the copy.
    """

    row: int
    role: str
    copy: int = 0


def varying_within(manifest: Manifest, root: Path, seed: int) -> Varying | None:
    """The maker of the copies; None if the detector tolerates nothing.

    Raises:
        ConfigurationError: the detector tolerates something that only a newer flawspot knows.
    """
    tolerated = manifest.calibration.tolerated
    if tolerated is None:
        return None
    tolerance = as_tolerance({**tolerated.severities, "copies": tolerated.copies})
    assert tolerance is not None  # its severities are above 0
    return Varying(tolerance, seed, root, manifest.view, manifest.white)


def uses_of(new: NewPhotographs, varying: Varying | None) -> list[Use]:
    """All uses in order; those to learn from come first. A copy is used like its photograph. For the threshold it is
    the copy with all variations at full severity."""
    copies = range(1, 1 + (0 if varying is None else varying.tolerance.copies))
    roles = {REPLAY: new.fit, VALIDATION: new.validation}
    uses = [Use(row, role, copy) for role, rows in roles.items() for row in rows.tolist() for copy in (0, *copies)]
    for row in new.calibration.tolist():
        uses.append(Use(row, CALIBRATION))
        if varying is not None:
            uses.append(Use(row, VARIED, varying.farthest))
    return uses
