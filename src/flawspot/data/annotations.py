"""Reads outlines of defects from annotation tools, in labelme's JSON and COCO's, as masks."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from flawspot.data.roles import Role, role_of
from flawspot.errors import DataError
from flawspot.files import special_kind

MAX_BYTES = 64 << 20
"""Size limit of an annotation file; labelme may store the photograph in it."""
_FARTHEST = 1e6
_NOT_AREAS = "it has no area: draw polygons, or give masks as pictures"


def read_annotation(path: Path, image: Path, image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read the marked area of a photograph from a JSON file, as (H, W) bool.

    From labelme, polygons, rectangles and circles are read; from COCO, polygons and uncompressed runs. Outlines whose
    label means good parts are left out. All others are defects.

    Args:
        path: labelme's file for this photograph, or a COCO file that names it.
        image: the photograph.
        image_shape: (H, W) of the photograph.

    Raises:
        DataError: the file cannot be read, has neither format, describes a photograph of another size, or holds other
            kinds of outlines.
    """
    document = _document(path)
    try:
        if _is_coco(document):
            return _coco(document, image, image_shape)
        if isinstance(document, dict) and isinstance(document.get("shapes"), list):
            return _labelme(document, image_shape)
    except DataError as error:
        raise DataError(f"the annotations {path} of {image} cannot be used: {error}") from None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise DataError(f"the annotations {path} are damaged ({error!r}): write them again") from None
    raise DataError(f"{path} holds annotations neither of labelme nor of COCO: give masks as pictures")


def coco_pictures(path: Path) -> frozenset[str] | None:
    """Names of the photographs in a COCO file; None if it is not COCO's, or cannot be read."""
    try:
        document = _document(path)
    except DataError:
        return None
    if not _is_coco(document):
        return None
    return frozenset(_file_name(entry) for entry in document["images"] if isinstance(entry, dict))


def _document(path: Path) -> Any:
    try:
        if special_kind(path) is not None:
            raise DataError(f"{path} is not a regular file: remove it")
        status = path.stat()
        return _parsed(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


@functools.lru_cache(maxsize=4)
def _parsed(path: Path, changed: int, size: int) -> Any:
    """Cached, because a COCO file is read once for every photograph in it."""
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes, above the limit of {MAX_BYTES:,}: split it")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({str(error)[:100]}): write it again, or remove it") from None


def _is_coco(document: Any) -> bool:
    return isinstance(document, dict) and all(
        isinstance(document.get(name), list) for name in ("images", "annotations")
    )


def _file_name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("file_name", "")).replace("\\", "/").rpartition("/")[2]


def _check_size(width: Any, height: Any, image_shape: tuple[int, int]) -> None:
    if (width or height) and (height, width) != tuple(image_shape):
        raise DataError(
            f"they are for {width} x {height} pixels, but the image has {image_shape[1]} x {image_shape[0]}: "
            "annotate the image as it is"
        )


def _labelme(document: Mapping[str, Any], image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    _check_size(document.get("imageWidth"), document.get("imageHeight"), image_shape)
    canvas = Image.new("1", image_shape[::-1])
    for shape in document["shapes"]:
        if role_of(str(shape.get("label", ""))) is Role.GOOD:
            continue
        kind, points = shape.get("shape_type") or "polygon", [_point(x, y) for x, y in shape["points"]]
        if kind == "polygon":
            _fill(canvas, points)
        elif kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = points
            _fill(canvas, [(left, top), (right, top), (right, bottom), (left, bottom)])
        elif kind == "circle" and len(points) == 2:
            (x, y), edge = points
            radius = math.hypot(edge[0] - x, edge[1] - y)
            turns = [2 * math.pi * i / 90 for i in range(90)]
            _fill(canvas, [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns])
        else:
            raise DataError(f"one outline is a {str(kind)[:20]!r}: {_NOT_AREAS}")
    return np.array(canvas, np.bool_)


def _coco(document: Mapping[str, Any], image: Path, image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    entry = _entry(document["images"], image)
    _check_size(entry.get("width"), entry.get("height"), image_shape)
    good = {
        category["id"]
        for category in document.get("categories", ())
        if role_of(str(category.get("name", ""))) is Role.GOOD
    }
    marked = np.zeros(image_shape, np.bool_)
    for annotation in document["annotations"]:
        if annotation.get("image_id") != entry.get("id") or annotation.get("category_id") in good:
            continue
        outline = annotation.get("segmentation")
        if isinstance(outline, dict):
            marked |= _runs(outline, image_shape)
        elif isinstance(outline, list) and outline:
            canvas = Image.new("1", image_shape[::-1])
            for flat in outline:
                _fill(canvas, [_point(x, y) for x, y in zip(flat[::2], flat[1::2], strict=True)])
            marked |= np.array(canvas, np.bool_)
        else:
            raise DataError(f"annotation {annotation.get('id')!r} is a box without an outline: {_NOT_AREAS}")
    return marked


def _entry(entries: Sequence[Any], image: Path) -> Mapping[str, Any]:
    """The entry for the photograph. If several have the same name, it is the one with the most folders in common."""
    named = [entry for entry in entries if isinstance(entry, dict) and _file_name(entry) == image.name]
    if not named:
        raise DataError("they do not name this image")

    def in_common(entry: Mapping[str, Any]) -> int:
        said = str(entry["file_name"]).replace("\\", "/").split("/")
        return sum(1 for one, other in zip(reversed(said), reversed(image.parts), strict=False) if one == other)

    best = max(in_common(entry) for entry in named)
    chosen = [entry for entry in named if in_common(entry) == best]
    if len(chosen) > 1:
        raise DataError("they name it more than once: give each image one entry")
    return chosen[0]


def _runs(outline: Mapping[str, Any], image_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode alternating runs of zeros and ones, column by column."""
    counts = outline["counts"]
    if not isinstance(counts, list):
        raise DataError("they hold compressed runs, which are not read: write polygons or uncompressed runs")
    _check_size(outline["size"][1], outline["size"][0], image_shape)
    lengths = np.array(counts)
    whole = image_shape[0] * image_shape[1]
    whole_numbers = lengths.ndim == 1 and lengths.dtype.kind in "iu"
    if not whole_numbers or ((lengths < 0) | (lengths > whole)).any() or lengths.sum() != whole:
        raise DataError("their runs do not fill the image: write them again")
    marks = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return marks.reshape(image_shape[::-1]).T


def _point(x: Any, y: Any) -> tuple[float, float]:
    found = float(x), float(y)
    if not all(abs(value) <= _FARTHEST for value in found):
        raise DataError(f"a point lies at {x!r}, {y!r}: draw it again")
    return found


def _fill(canvas: Image.Image, points: Sequence[tuple[float, float]]) -> None:
    if len(points) < 3:
        raise DataError(f"one outline has {len(points)} points: {_NOT_AREAS}")
    ImageDraw.Draw(canvas).polygon(points, fill=1)
