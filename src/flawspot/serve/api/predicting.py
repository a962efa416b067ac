"""``POST /v1/predict``: a picture in, a verdict out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flawspot.errors import ConfigurationError
from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.results import form_of
from flawspot.serve.inspection import Inspection
from flawspot.serve.parts import Outcome, Part
from flawspot.serve.station import Station
from flawspot.serve.tokens import Role
from flawspot.texts import is_unicode

WAIT_SECONDS = 60.0
"""How long a request waits for its verdict. Then the answer is ``not inspected``, and the part is recorded later."""
_LONGEST = 200
FIELDS = frozenset({"part_id", "station", "detector", "name"})


@needs(Role.OPERATOR)
async def predict(request: Request) -> Response:
    """Inspect the picture in the body, or in the file ``image`` of a form.

    ``part_id``, ``station`` and ``detector`` are fields of the form or of the query. With a header ``Idempotency-Key``
    the same request may be repeated without being judged twice. A different picture with an earlier key is not
    inspected.
    """
    content, fields = await _given(request)
    station = station_of(request)
    part = Part(
        content,
        fields.get("name") or fields.get("part_id") or "picture",
        "http",
        item=_item(station, fields.get("detector"), request.headers.get("idempotency-key")),
        part=fields.get("part_id"),
        station=fields.get("station"),
    )
    begin = time.monotonic()
    outcome = await judged(station, part, fields.get("detector"))
    return answer(outcome, begin)


def _item(station: Station, detector: str | None, key: str | None) -> str | None:
    """The key that identifies a part for one detector, so that it is not judged twice."""
    if key is None:
        return None
    if not key:
        raise AskError("the Idempotency-Key is empty: give each part a key of its own, or no such header")
    return f"http:{_inspection(station, detector).name}:{_short('Idempotency-Key', key)}"


def _inspection(station: Station, detector: str | None) -> Inspection:
    try:
        return station.inspection(detector)
    except ConfigurationError as error:
        raise AskError(str(error), 404) from error


async def judged(station: Station, part: Part, detector: str | None) -> Outcome | str:
    """The outcome of a part, or the reason why it was not accepted."""
    waiting = station.send(part, _inspection(station, detector).name)
    if waiting is None:
        return "the queue is full: the part was not inspected, send it again"
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(waiting)), WAIT_SECONDS)
    except TimeoutError:
        return f"there was no verdict in {WAIT_SECONDS:g} seconds: count the part as not inspected"


def answer(outcome: Outcome | str, begin: float) -> Response:
    """The answer to the sender of a part. Its status is 200 only if there is a verdict and it was recorded."""
    if isinstance(outcome, str):
        told: dict[str, Any] = {"verdict": "not inspected", "reason": outcome, "number": None}
        return JSONResponse(told, 503, {"Retry-After": "1"})
    told = outcome.as_dict()
    told["picture_url"] = None if told.get("picture") is None else f"/v1/pictures/{told['picture']}"
    told["milliseconds"] = {**told["milliseconds"], "whole": round((time.monotonic() - begin) * 1e3, 1)}
    return JSONResponse(told, 507 if outcome.row is None else 200)


async def _given(request: Request) -> tuple[bytes, dict[str, str]]:
    fields = {name: str(value) for name, value in request.query_params.items()}
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        content = None
        async with form_of(request, files=1, fields=10) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = await value.read()
                    fields.setdefault("name", value.filename or "picture")
                else:
                    fields[name] = str(value)
        if content is None:
            raise AskError("the form has no file: send the picture as the file `image`")
    else:
        content = await request.body()
    if not content:
        raise AskError("there is no picture: send its bytes as the body, or as the file `image` of a form")
    if unknown := sorted(fields.keys() - FIELDS):
        # Otherwise a misspelt field, such as the number of a part, would be lost silently.
        raise AskError(f"there is no field {_short('a field', unknown[0])!r}: there are {', '.join(sorted(FIELDS))}")
    return content, {name: _short(name, value) for name, value in fields.items()}


def _short(name: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise AskError(f"{name} has {len(value)} characters: give at most {_LONGEST}")
    if not is_unicode(value):
        raise AskError(f"{name} is not UTF-8 text")
    return value
