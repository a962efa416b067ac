"""Results, their pictures, and the words that people give on them."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from flawspot.errors import ConfigurationError, ImageError
from flawspot.runtime.detector import Detector
from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.chain import Row
from flawspot.serve.export import cell, moment
from flawspot.serve.parts import VERDICTS
from flawspot.serve.record import Record, Wanted
from flawspot.serve.tokens import Role
from flawspot.texts import as_whole_number, is_unicode

WORDS = ("false alarm", "missed defect", "confirmed", "hold", "release")
COLUMNS = (
    *("number", "time", "detector", "part", "station", "origin", "name", "verdict", "reason", "score", "threshold"),
    *("severity", "p_value", "picture", "artifact", "word", "by", "hash"),
)
_MOST = 1000
_MOST_JSON = 2**16
"""Largest size of a JSON body, in bytes. Nested lists in the largest body could take some GB of memory."""
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".bmp": "image/bmp", ".tif": "image/tiff", ".webp": "image/webp"}


@needs(Role.VIEWER)
async def results(request: Request) -> Response:
    """Results by filter, newest first, one page at a time. ``before`` selects the next page."""
    record, wanted = station_of(request).record, wanted_of(request)
    limit, before = _number(request, "limit", 100), _number(request, "before", 0) or None
    rows = await run_in_threadpool(record.results, wanted, before=before, limit=min(limit, _MOST))
    listed = [await run_in_threadpool(with_words, record, row) for row in rows]
    following = listed[-1]["number"] if listed and len(listed) == min(limit, _MOST) else None
    return JSONResponse({"results": listed, "before": following})


@needs(Role.VIEWER)
async def results_csv(request: Request) -> Response:
    """All results of a filter as CSV, safe to open in a spreadsheet."""
    lines = _csv_lines(station_of(request).record, wanted_of(request))
    headers = {"Content-Disposition": 'attachment; filename="results.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@needs(Role.VIEWER)
async def result(request: Request) -> Response:
    """One result with all words on it."""
    record, row = station_of(request).record, _result(request)
    return JSONResponse({**with_words(record, row), "words": words_on(record, row)})


@needs(Role.OPERATOR)
async def say(request: Request) -> Response:
    """Add an operator's word: ``{"word": "false alarm", "boxes": [[left, top, right, bottom]], "note": "..."}``."""
    station, row = station_of(request), _result(request)
    content = await json_of(request)
    word, note, person = content.get("word"), content.get("note"), request.state.person
    if word not in WORDS:
        raise AskError(f"word is {repr(word)[:50]}: give one of {', '.join(WORDS)}")
    if note is not None and (not isinstance(note, str) or len(note) > 1000 or not is_unicode(note)):
        raise AskError("note is not a text of at most 1000 characters")
    boxes = _boxes(content.get("boxes", []), row.content.get("image_size"))
    said = {"result": row.number, "word": word, "boxes": boxes, "note": note}
    added = await run_in_threadpool(
        station.record.add, "word", {**said, "by": person.name, "role": person.role.name.lower()}
    )
    station.events.tell("word", added.as_dict())
    return JSONResponse(added.as_dict(), 201)


@needs(Role.VIEWER)
async def picture(request: Request) -> Response:
    """The bytes of a kept picture, as they were received."""
    path = station_of(request).pictures.find(request.path_params["picture"])
    if path is None:
        raise AskError("this picture is not kept, or no longer", 404)
    # The type comes from the file's first bytes, and is never one that a browser would run.
    headers = {"Cache-Control": "private, max-age=86400, immutable", "Content-Security-Policy": "sandbox"}
    return FileResponse(path, media_type=_TYPES.get(path.suffix, "application/octet-stream"), headers=headers)


@needs(Role.VIEWER)
async def view(request: Request) -> Response:
    """A kept picture as a JPEG that every browser shows, its longer side at most ``side`` pixels (1280)."""
    station, digest = station_of(request), request.path_params["picture"]
    path, side = station.pictures.find(digest), min(max(_number(request, "side", 1280), 16), 2000)
    if path is None:
        raise AskError("this picture is not kept, or no longer", 404)
    detector = next(iter(station.inspections.values())).loaded.detector
    try:
        content = await run_in_threadpool(_view, detector, path, side)
    except ImageError as error:
        raise AskError(str(error), 415) from error
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(content, media_type="image/jpeg", headers=headers)


@functools.lru_cache(maxsize=64)
def _view(detector: Detector, path: Path, side: int) -> bytes:
    """Read a picture as the detector reads it, with all checks for hostile files."""
    image = Image.fromarray(detector.read(path).drawable())
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def words_on(record: Record, row: Row) -> list[dict[str, Any]]:
    """All words on a result."""
    return [word.as_dict() for word in record.words_on(row.number)]


def with_words(record: Record, row: Row) -> dict[str, Any]:
    """A result with the latest word on it."""
    words = record.words_on(row.number)
    last = words[-1].content if words else {}
    return {**row.as_dict(), "word": last.get("word"), "by": last.get("by"), "boxes": last.get("boxes", [])}


def wanted_of(request: Request) -> Wanted:
    """The filter in a query."""
    names = Wanted.__dataclass_fields__
    if unknown := sorted(set(request.query_params) - set(names) - {"limit", "before", "unconfirmed"}):
        raise AskError(f"there is no filter {unknown[0][:50]!r}: there are {', '.join(names)}")
    asked = {name: request.query_params.get(name) or None for name in names}
    if asked["word"] not in (None, "any", *WORDS):
        raise AskError(f"word is {asked['word']!r}: give any, or one of {', '.join(WORDS)}")
    if asked["verdict"] not in (None, *VERDICTS):
        raise AskError(f"verdict is {asked['verdict']!r}: give one of {', '.join(VERDICTS)}")
    try:
        times = {name: moment(text) for name in ("since", "until") if (text := asked[name]) is not None}
    except ConfigurationError as error:
        raise AskError(str(error)) from error
    return Wanted(**{**asked, **times})


async def json_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object."""
    if len(await request.body()) > _MOST_JSON:
        raise AskError(f"the JSON has more than {_MOST_JSON} bytes: send less", 413)
    try:
        content = await request.json()
    except (ValueError, RecursionError) as error:
        raise AskError("the body is not JSON") from error
    if not isinstance(content, dict):
        raise AskError("the body is not a JSON object")
    return content


@contextlib.asynccontextmanager
async def form_of(request: Request, *, files: int, fields: int) -> AsyncIterator[FormData]:
    """The body as a form with at most `files` files and `fields` fields.

    Raises:
        AskError: the form cannot be read; with status 507, there is no disk space for its files.
    """
    try:
        form = await request.form(max_files=files, max_fields=fields)
    except ValueError as error:  # Python also knows encodings that are not for text
        raise AskError("the form is not UTF-8 text") from error
    except OSError as error:
        raise AskError(f"there is no room for the form: {error.strerror or error}; free some space", 507) from error
    try:
        yield form
    finally:
        await form.close()


def result_of(record: Record, number: str) -> Row:
    """The result with that number.

    Raises:
        AskError: there is no such result.
    """
    row = record.row(as_whole_number(number) or 0)
    if row is None or row.kind != "result":
        raise AskError(f"there is no result {number[:20]}", 404)
    return row


def _result(request: Request) -> Row:
    return result_of(station_of(request).record, request.path_params["number"])


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    found = default if text is None else as_whole_number(text)
    if found is None:
        raise AskError(f"{name} is {str(text)[:20]!r}: give a whole number")
    return found


def _boxes(given: Any, size: list[int] | None) -> list[list[int]]:
    form = "boxes is not a list of at most 50 boxes [left, top, right, bottom] in pixels of the picture"
    if not isinstance(given, list) or len(given) > 50:
        raise AskError(form)
    if given and size is None:
        raise AskError("this part has no picture to draw boxes on: send the word without boxes")
    width, height = size or (0, 0)
    for box in given:
        whole = isinstance(box, list) and len(box) == 4 and all(type(each) is int for each in box)
        if not whole or not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
            raise AskError(form)
    return given


def _csv_lines(record: Record, wanted: Wanted) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    file = io.StringIO()
    writer = csv.writer(file)
    for count, row in enumerate(record.each_result(wanted), 1):
        content = with_words(record, row)
        writer.writerow([cell(content.get(name)) for name in COLUMNS])
        if count % _MOST == 0:
            yield file.getvalue()
            file.seek(0)
            file.truncate()
    yield file.getvalue()
