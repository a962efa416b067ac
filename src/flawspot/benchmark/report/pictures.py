"""Best and worst examples, small enough to be embedded in the page."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.names import data_name, plain
from flawspot.benchmark.report.results import CLEAN, Results, condition_of, setup_of
from flawspot.errors import ImageError
from flawspot.runtime.images import read_image

MOST = 96
"""Most pictures in one page: about 3 MB."""

EXAMPLES = (
    "For each category, the detector with the best pixel F1 is shown, with the photographs that it judges best and "
    "worst. The order is the distance of the score from the threshold, on the right or the wrong side."
)
"""The intro of the section."""

SIDE = 560
"""Their longest side in pixels."""


@dataclass(frozen=True)
class Example:
    """A picture with what it shows.

    Attributes:
        kind: ``best`` or ``worst``.
        caption: the photograph's name, whether it is defective, and the distance of its score from the limit.
        source: the picture as a data URL; None if it cannot be shown.
        reason: why the picture cannot be shown.
        why: a sentence on why it is among the best or the worst.
    """

    kind: str
    caption: str
    source: str | None
    reason: str = ""
    why: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Gallery:
    """The examples of one detector on one category."""

    title: str
    detector: str
    examples: tuple[Example, ...]


def galleries(results: Results, store_folder: Path | None) -> tuple[list[Gallery], str]:
    """The examples of the detector with the best pixel F1 on untouched photographs, for each category; and a note on
    pictures that are not shown."""
    best: dict[tuple[str, str], Record] = {}
    for record in results.records:
        if record.status == DONE and record.examples and condition_of(record) == CLEAN:
            place = (record.cell.data, record.cell.category)
            if place not in best or _f1(record) > _f1(best[place]):
                best[place] = record
    found, shown, left = [], 0, 0
    for (data, category), record in best.items():
        examples = []
        ranks: dict[str, int] = {}
        for example in sorted(record.examples, key=lambda e: str(e.get("kind"))):
            kind = str(example.get("kind"))
            ranks[kind] = ranks.get(kind, 0) + 1
            if shown >= MOST:
                left += 1
                continue
            shown += 1
            why = _why(example, ranks[kind], record.metrics.get("images"))
            examples.append(dataclasses.replace(_example(example, store_folder), why=why))
        if examples:
            f1 = record.metrics.get("pixel_f1_max")
            detector = results.name(setup_of(record)) + ("" if f1 is None else f", pixel F1 {f1:.3f}")
            title = f"{data_name(data)}, {plain(category)}"
            found.append(Gallery(title, f"{detector}, seed {record.cell.seed}", tuple(examples)))
    return found, f"{left} more pictures are not shown, to keep the page small." if left else ""


def _f1(record: Record) -> float:
    value = record.metrics.get("pixel_f1_max")
    return -math.inf if value is None else float(value)


def _why(example: dict[str, object], rank: int, images: float | None) -> str:
    """Why a photograph is among the best or the worst; empty if the record does not contain it."""
    kind, score, threshold = example.get("kind"), example.get("score"), example.get("threshold")
    if kind not in ("best", "worst") or not isinstance(score, int | float) or not isinstance(threshold, int | float):
        return ""
    defective, above = bool(example.get("defective")), score > threshold
    nth = "" if rank == 1 else f"{_ordinal(rank)} "
    if kind == "best":
        place = f"The {nth}best-judged defect"
        verdict = "found" if above else "missed"
    else:
        place = f"The {nth}worst-judged{f' of {images:g}' if images else ' of the'} test photographs"
        wrong = "a defect that is missed" if defective else "a false alarm"
        verdict = "judged right, but with little to spare" if defective == above else wrong
    side = "above" if above else "not above"
    what = "" if kind == "best" else "defective, " if defective else "good, "
    return f"{place}: {what}with a score {side} the threshold: {verdict}."


def _ordinal(rank: int) -> str:
    return {2: "second", 3: "third", 4: "fourth"}.get(rank, f"{rank}th")


def _example(example: dict[str, object], folder: Path | None) -> Example:
    kind = plain(example.get("kind", ""), 20)
    caption = plain(example.get("image", ""), 80)
    if "defective" in example:
        caption += ", defective" if example["defective"] else ", good"
    score, threshold = example.get("score"), example.get("threshold")
    if isinstance(score, int | float):
        if isinstance(threshold, int | float) and threshold > 0:
            # As a severity the limit is 1 for every method. The scale of scores differs between methods.
            caption += f", severity {score / threshold:.2f} (score {score:.4g}, threshold {threshold:.4g})"
        else:
            caption += f", score {score:.4g}"
    if folder is None:
        return Example(kind, caption, None, "the store's folder was not given")
    path = _inside(folder, str(example.get("picture", "")))
    if path is None:
        return Example(kind, caption, None, "its path does not lead into the store's folder")
    try:
        picture = Image.fromarray(read_image(path))
    except ImageError as error:
        return Example(kind, caption, None, plain(error).replace(str(folder), "").replace("  ", " "))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=82, optimize=True)
    url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    return Example(kind, caption, url, width=picture.width, height=picture.height)


def _inside(folder: Path, relative: str) -> Path | None:
    """The file, if it is inside the folder after following links. A page must not expose other files."""
    try:
        path = (folder / relative).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):  # a name that the system cannot have
        return None
