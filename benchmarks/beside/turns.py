"""Sides that take turns on the same photographs, and how good their maps are."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from beside.environment import variables
from beside.subjects import EXPORTED, OWN, PEER, SIDES, SIZE, Subject
from beside.talking import Side
from flawspot.data.masks import read_sample_mask
from flawspot.data.reading import at_centres
from flawspot.data.samples import Sample
from flawspot.metrics import measure

WARM_UP = 3
LARGE = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20)}
"""For the peer's training of PatchCore: glibc gives buffers above so many bytes back when they are freed. By itself it
raises that to 32 MiB, and the peer's selection from few photographs, which keeps a small tensor of each step, then
grows by a buffer a step: on ten photographs to 18 GiB and its end. Epochs take three times as long with it: without."""
PAUSE = 0.02
"""Seconds between two turns, in which the threads of the side that has just worked go to sleep."""
MIB = 2**20

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


class Sides:
    """Starts the processes of the sides.

    Args:
        peer: the interpreter of the peer's environment.
        folder: where trained detectors lie, and the sides' logs.
    """

    def __init__(self, peer: Path, folder: Path) -> None:
        self._peer, self.folder = peer, folder

    def start(self, side: str, threads: int, more: Mapping[str, str] | None = None) -> Side:
        """A process of `side`, with `more` environment variables."""
        python, module = (sys.executable, "own_side") if side == OWN else (str(self._peer), "peer_side")
        log = self.folder / f"{module}.log"
        return Side(side, [python, "-m", f"beside.{module}"], {**variables(threads), **(more or {})}, log)

    def train(
        self, side: str, subject: Subject, photographs: Sequence[Path], threads: int, drawn: bool
    ) -> dict[str, Any]:
        """Train in a process of its own; the row without its key. `drawn` is the peer's bank at random."""
        request = {
            "do": "train",
            "subject": subject.as_dict(),
            "photographs": [str(path) for path in photographs],
            "folder": str(self.folder),
            "threads": threads,
            "drawn": drawn,
        }
        with self.start(side, threads, LARGE if side == PEER and subject.bank else None) as process:
            told = process.ask(request)
        return {
            "photographs": len(photographs),
            "seconds": told["seconds"],
            "peak_mib": _mib(told["peak"]),
        }

    def trained(self, side: str, subject: Subject) -> Path:
        """The last file that the training of `side` writes."""
        return self.folder / f"{subject.name}{'.onnx' if side == OWN else '.xml'}"

    def loaded(self, side: str, subject: Subject, threads: int, stack: ExitStack) -> Ask:
        """A process that has loaded the detector."""
        process = stack.enter_context(self.start(side, threads))
        request = {"subject": subject.as_dict(), "folder": str(self.folder), "threads": threads}
        process.ask({"do": "load", **request, "exported": side == EXPORTED})
        return process.ask


def take_turns(sides: Sides, subject: Subject, threads: int, photographs: Sequence[Path], rounds: int) -> Any:
    """Every side looks at a photograph, then at the next: {side: figures}, in milliseconds and MiB."""
    with ExitStack() as stack:
        started = {side: sides.loaded(side, subject, threads, stack) for side in SIDES}
        for index in range(WARM_UP):
            for ask in started.values():
                ask({"do": "look", "photograph": str(photographs[index % len(photographs)])})
        looks: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for turn, photograph in enumerate([*photographs] * rounds):
            for place in range(len(SIDES)):
                side = SIDES[(turn + place) % len(SIDES)]  # each is the first as often as the others
                time.sleep(PAUSE)
                looks[side].append(started[side]({"do": "look", "photograph": str(photograph)}))
    own = [look["ms"] for look in looks[OWN]]
    return {side: figures(looks[side], own) for side in SIDES}


def figures(looks: Sequence[Mapping[str, Any]], own: Sequence[float]) -> dict[str, Any]:
    """What a side's turns come to.

    Args:
        looks: what it answered, in order.
        own: flawspot's milliseconds of the same turns.

    Returns:
        ``ms`` and ``ms_p95`` from decoded photograph to map and score; ``alone``, the median of its bare module on a
        prepared tensor, None where that is not known; ``times``, lower quartile, median and upper quartile of its time
        over flawspot's, turn by turn; ``calls``; ``peak_mib`` of its process, libraries included.
    """
    taken = [float(look["ms"]) for look in looks]
    alone = [float(look["alone"]) for look in looks if look.get("alone") is not None]
    ratios = [theirs / ours for theirs, ours in zip(taken, own, strict=True)]
    return {
        "calls": len(taken),
        "ms": statistics.median(taken),
        "ms_p95": float(np.percentile(taken, 95)),
        "alone": statistics.median(alone) if alone else None,
        "times": [float(np.percentile(ratios, share)) for share in (25, 50, 75)],
        "peak_mib": _mib(looks[-1]["peak"]),
    }


def accuracy(sides: Sides, side: str, subject: Subject, threads: int, samples: Sequence[Sample]) -> dict[str, Any]:
    """Flawspot's figures of a side's maps (S, S) and scores over a test set."""
    kept = sides.folder / "map.npy"
    maps, masks, scores = [], [], []
    with ExitStack() as stack:
        ask = sides.loaded(side, subject, threads, stack)
        for sample in samples:
            told = ask({"do": "look", "photograph": str(sample.path), "keep": str(kept)})
            maps.append(np.load(kept).astype(np.float32))
            scores.append(told["score"])
            masks.append(at_centres(read_sample_mask(sample, told["size"]), (SIZE, SIZE)))
    labels = np.array([sample.is_defective for sample in samples])
    found = measure(np.array(scores), np.stack(maps), labels, np.stack(masks), threshold=0.0)
    return {
        "pixel_f1_max": found.pixel_f1_max,
        "pixel_auroc": found.pixel_auroc,
        "image_auroc": found.image_auroc,
        "images": found.images,
    }


def _mib(size: int | None) -> float | None:
    return None if size is None else size / MIB
