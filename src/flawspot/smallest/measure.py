"""Measures how small a defect a detector finds, with defects of known sizes and contrasts pasted into good photographs.

Photographs that are called anomalous without a defect are left out first, because a finding in them would not be the
defect. `flawspot.smallest.trying` defines when a defect counts as found.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawspot.data.folders import Data, ImageFolder, open_data
from flawspot.data.learned import check_unread, content_hash, nothing_to_learn, resting_on
from flawspot.errors import ConfigurationError, DataError, ImageError, InspectionError
from flawspot.progress import Progress, as_progress
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.detector import Detector, load
from flawspot.runtime.found_sizes import MAX_TRIALS, FoundSize, FoundSizes
from flawspot.runtime.prefetch import prefetch
from flawspot.seeds import check_seed
from flawspot.smallest.sentences import about, sentences
from flawspot.smallest.trying import Example, Seen, Tried
from flawspot.texts import counted, counted_digits, shortened, visible

TRIALS = 20
CONTRASTS = (20.0, 40.0, 80.0)
"""Default contrasts, in grey levels of 255."""
SHARE = 0.9
_MOST_CONTRASTS = 10


@dataclass(frozen=True, repr=False)
class SmallestDefect:
    """The pasted defects that a detector finds. Made by `smallest_defect`.

    Attributes:
        found: the figures, which `Artifact.with_smallest` puts into an artifact.
        examples: one defect of each kind and size, at the middle contrast, all at the same place.
        skipped: photographs that could not be read or inspected, with the reason.
        false_alarms: good photographs that were left out, as they are called anomalous without a defect.
        data: the photographs, and how their folders were read.
    """

    found: FoundSizes
    examples: tuple[Example, ...]
    skipped: tuple[tuple[Path, str], ...]
    false_alarms: tuple[Path, ...]
    data: ImageFolder

    def __repr__(self) -> str:
        return f"SmallestDefect({'; '.join(self.sentences())})"

    def sentences(self) -> list[str]:
        """For each kind and contrast, the smallest size from which on enough are found, or that there is none."""
        return sentences(self.found)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain dicts and lists for JSON."""
        return {
            **dataclasses.asdict(self.found),
            "about": about(self.found),
            "sentences": self.sentences(),
            "skipped": len(self.skipped),
            "skipped_names": [visible(path.name) for path, _ in self.skipped],
            "false_alarm_names": [visible(path.name) for path in self.false_alarms],
        }


def smallest_defect(
    detector: str | os.PathLike[str] | Artifact | Detector,
    data: Data,
    *,
    good: str | Sequence[str] = (),
    trials: int = TRIALS,
    contrasts: Sequence[float] = CONTRASTS,
    share: float = SHARE,
    seed: int = 0,
    progress: Progress | bool = True,
) -> SmallestDefect:
    """Paste defects of known sizes and contrasts into good photographs, and count which are found at the threshold.

        >>> found = flawspot.smallest_defect("part.onnx", "photos", contrasts=[80], progress=False)
        >>> found.sentences()[1]
        'spots of 2 pixels across and more, 80 grey levels: 20 of 20 (0.84 to 1.00)'

    Results on pasted defects are no promise for real ones, which differ in more than size and contrast. The photographs
    are good ones that the detector has not learned from: those held out for its threshold, else good test photographs.
    If there are none, training photographs are used, and the result says so.

    Args:
        detector: the .onnx file; or the result of `flawspot.train` or `flawspot.load`.
        data: photographs, as for `flawspot.train`; see ``docs/data.md``.
        good: names of the folders or labels that are good, as for `flawspot.train`.
        trials: number of trials for each kind, size and contrast, 1 to 1000. Each takes a prediction.
        contrasts: contrasts of the defects to their background, in grey levels, above 0 and up to 255; at most ten.
        share: share of trials, in (0, 1], from which on a size counts as found in `SmallestDefect.sentences`.
        seed: seed for the choice of photographs, places, directions and signs.
        progress: whether to show progress, or a `Progress` that is told.

    Raises:
        ArtifactError: the file is not an artifact.
        ConfigurationError: a number is outside its range.
        DataError: there are no good photographs, none can be read, or all are false alarms.
        InspectionError: the detector fails on a photograph with a defect.
    """
    levels = _checked(trials, contrasts, share, seed)
    if isinstance(detector, str | os.PathLike | Artifact):
        detector = load(detector)
    progress = as_progress(progress)
    folder = open_data(data, good)
    check_unread(folder, False, progress)
    candidates, learned = _candidates(folder, detector)
    seen = _without_defects(detector, candidates, trials, seed, progress)
    if not seen.sizes:
        raise DataError(_nothing_left(folder, seen))
    tried = Tried(detector, trials, levels, seed)
    tried.run(seen, progress)
    areas = sorted(seen.sizes.values(), key=lambda size: (size[0] * size[1], size))
    found = FoundSizes(
        threshold=detector.manifest.calibration.threshold,
        trials=trials,
        share=float(share),
        photographs=len(seen.sizes),
        false_alarms=len(seen.false_alarms),
        learned=learned,
        from_size=areas[0],
        to_size=areas[-1],
        seed=seed,
        sizes=tuple(FoundSize(*key, count) for key, count in tried.counts.items()),
    )
    return SmallestDefect(found, tuple(tried.examples), tuple(seen.skipped), tuple(seen.false_alarms), folder)


def _checked(trials: int, contrasts: Sequence[float], share: float, seed: int) -> list[float]:
    """The contrasts, ascending. Refuses values out of range."""
    check_seed(seed)
    if not isinstance(trials, int) or not 1 <= trials <= MAX_TRIALS:
        raise ConfigurationError(
            f"the trials of a size must be a whole number from 1 to {MAX_TRIALS}, not {_shown(trials)}"
        )
    if not 0 < share <= 1:
        raise ConfigurationError(f"the share that counts as found must be above 0 and up to 1, not {_shown(share)}")
    wrong = [level for level in contrasts if not 0 < level <= 255]
    if wrong:
        raise ConfigurationError(f"a contrast must be above 0 and up to 255 grey levels, not {_shown(wrong[0])}")
    levels = sorted({float(level) for level in contrasts})
    if not 1 <= len(levels) <= _MOST_CONTRASTS:
        raise ConfigurationError(f"give 1 to {_MOST_CONTRASTS} contrasts, not {len(levels)}")
    return levels


def _shown(number: float) -> str:
    return counted_digits(number) if isinstance(number, int) else shortened(f"{number:g}")


def _candidates(folder: ImageFolder, detector: Detector) -> tuple[list[Path], bool]:
    """Good photographs, and whether the detector has learned, or may have learned, from them."""
    calibration = detector.manifest.calibration
    resting = resting_on(folder.train, calibration)
    if resting and not calibration.folds:
        return resting, False
    train, known = set(folder.train), set(calibration.hashes)
    tested = [sample.path for sample in folder.test if not sample.is_defective and sample.path not in train]
    unseen = [path for path in tested if not known or content_hash(path) not in known]
    if unseen:
        return unseen, False
    if not folder.train:
        raise DataError(nothing_to_learn(folder))
    return resting or list(folder.train), True


def _without_defects(detector: Detector, candidates: list[Path], trials: int, seed: int, progress: Progress) -> Seen:
    """Inspect photographs in a random order until there is one for each trial."""
    order = np.random.default_rng([seed, len(candidates)]).permutation(len(candidates))
    paths = [candidates[row] for row in order]
    seen = Seen()
    expected = min(trials, len(paths))
    for path, photograph in progress.track(prefetch(paths, detector.read), "looking at good photographs", expected):
        try:
            if isinstance(photograph, Exception):
                raise photograph
            prediction = detector.predict(photograph, keep_image=False)
        except (ImageError, InspectionError) as error:
            seen.skipped.append((path, str(error)))
            progress.note(str(error))
            continue
        if prediction.is_anomalous or prediction.regions:
            seen.false_alarms.append(path)
            continue
        seen.sizes[path] = prediction.image_size
        seen.map_side = max(prediction.map.shape)
        if len(seen.sizes) == trials:
            break
    return seen


def _nothing_left(folder: ImageFolder, seen: Seen) -> str:
    alarms, skipped = len(seen.false_alarms), len(seen.skipped)
    if not alarms:
        return f"none of the {counted(skipped, 'good photograph')} of {folder.root} can be read"
    return (
        f"all {counted(alarms, 'good photograph')} of {folder.root} that can be read are called anomalous without a "
        "defect: choose a higher threshold with `flawspot threshold`, or give photographs like those learned from"
    )
