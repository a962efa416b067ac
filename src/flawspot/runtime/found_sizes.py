"""The pasted defects that a detector finds, by size and contrast: the part of a manifest that `flawspot.smallest`
fills."""

from __future__ import annotations

from dataclasses import dataclass

SCRATCH, SPOT = "scratch", "spot"
KINDS = (SCRATCH, SPOT)
"""Kinds of pasted defects."""

MAX_TRIALS = 1000
_MAX_CELLS = 2000
_MAX_PIXELS = 1 << 20


@dataclass(frozen=True)
class FoundSize:
    """How often one kind of pasted defect of one size and contrast is found.

    Attributes:
        kind: one of `KINDS`.
        length, width: in pixels of the photograph. For a spot both are its diameter.
        contrast: difference from the background, in grey levels of 255.
        found: the number of trials in which it was found.
    """

    kind: str
    length: int
    width: int
    contrast: float
    found: int


@dataclass(frozen=True)
class FoundSizes:
    """The results for all sizes and contrasts; see `flawspot.smallest`.

    Attributes:
        threshold: the detector's threshold during the measurement. For another threshold the results do not hold.
        trials: the number of trials for each kind, size and contrast.
        share: the share of trials, in (0, 1], from which on a size is said to be found.
        photographs: the number of good photographs that defects were pasted into.
        false_alarms: the number of other good photographs that were called anomalous without a defect, and so left out.
        learned: True if the detector has learned from the photographs, or if this is unknown; False if it has not.
        from_size, to_size: (width, height) of the photographs with the fewest and the most pixels.
        seed: seed of places, directions and signs.
        sizes: by kind, contrast and size.
    """

    threshold: float
    trials: int
    share: float
    photographs: int
    false_alarms: int
    learned: bool
    from_size: tuple[int, ...]
    to_size: tuple[int, ...]
    seed: int
    sizes: tuple[FoundSize, ...]

    @property
    def needed(self) -> int:
        """The number of trials from which on a size counts as found."""
        return next(count for count in range(self.trials + 1) if count >= self.share * self.trials - 1e-9)

    def curves(self) -> dict[tuple[str, float], list[FoundSize]]:
        """The sizes in ascending order, by kind and contrast. Kinds are in the order of `KINDS`, and contrasts
        ascend."""
        found: dict[tuple[str, float], list[FoundSize]] = {}
        for each in sorted(self.sizes, key=lambda size: (KINDS.index(size.kind), size.contrast, size.length)):
            found.setdefault((each.kind, each.contrast), []).append(each)
        return found

    def smallest(self, kind: str, contrast: float) -> FoundSize | None:
        """The smallest size from which on all larger ones were found often enough; None if the largest was not."""
        reached = None
        for each in reversed(self.curves()[kind, contrast]):
            if each.found < self.needed:
                break
            reached = each
        return reached


def wrong_in(found: FoundSizes, threshold: float) -> bool:
    """Whether a value cannot come from measuring a detector with this `threshold`."""
    if not 1 <= found.trials <= MAX_TRIALS or not found.sizes or len(found.sizes) > _MAX_CELLS:
        return True
    keys = {(each.kind, each.length, each.width, each.contrast) for each in found.sizes}
    return (
        found.threshold != threshold
        or not 0 < found.share <= 1
        or found.photographs < 1
        or found.false_alarms < 0
        or any(len(size) != 2 or min(size) < 1 for size in (found.from_size, found.to_size))
        or len(keys) < len(found.sizes)
        or any(
            each.kind not in KINDS
            or not 1 <= each.width <= each.length <= _MAX_PIXELS
            or not 0 < each.contrast <= 255
            or not 0 <= each.found <= found.trials
            for each in found.sizes
        )
    )
