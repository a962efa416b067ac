"""Updating a detector with pictures of the line. An engineer asks for it, and the result is a candidate like any
other."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flawspot.errors import ConfigurationError
from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.artifacts import swap_of
from flawspot.serve.api.results import json_of
from flawspot.serve.export import moment
from flawspot.serve.record import as_time
from flawspot.serve.tokens import Role
from flawspot.serve.updating.choosing import DEFAULT_SAMPLE, Asked
from flawspot.serve.updating.updates import Updates
from flawspot.texts import as_whole_number, shortened

_MAY = ("since", "sample", "seed")


@needs(Role.VIEWER)
async def update(request: Request) -> Response:
    """The current or last update: ``state``, ``report`` or ``reason``; and why none can be made now."""
    return JSONResponse(await run_in_threadpool(updates_of(request).as_dict))


@needs(Role.ENGINEER)
async def ask(request: Request) -> Response:
    """Make an update from pictures of the line, which ends as a candidate.

    The body is ``{"since": "...", "sample": 50, "seed": 0}``, and all three may be left out. It learns from false
    alarms, from pictures confirmed as good, and from ``sample`` good ones that nobody commented on. ``since`` is a time
    in UTC, by default when the present artifact began to judge.
    """
    content = await json_of(request) if await request.body() else {}
    if unknown := sorted(set(content) - set(_MAY)):
        raise AskError(f"an update has no field {unknown[0][:50]!r}: there are {', '.join(_MAY)}")
    asked = _asked(content, request.state.person.name)
    return JSONResponse(await run_in_threadpool(updates_of(request).ask, asked), 202)


def asked_in_form(fields: Mapping[str, Any], by: str) -> Asked:
    """Read the form of the page. Its time is a local time of the station.

    Raises:
        AskError: a field cannot be read.
    """
    since, sample = str(fields.get("since") or ""), str(fields.get("sample") or DEFAULT_SAMPLE)
    try:
        time = as_time(datetime.datetime.fromisoformat(since)) if since else None
    except (ValueError, OverflowError) as error:
        raise AskError(f"since is {shortened(since)!r}: give a time such as 2026-01-31T12:00") from error
    number = as_whole_number(sample)
    return _asked({"since": time, "sample": shortened(sample) if number is None else number}, by)


def updates_of(request: Request) -> Updates:
    """The updates of the detector that a path names.

    Raises:
        AskError: there is no such detector.
    """
    return station_of(request).updates[swap_of(request).inspection.name]


def _asked(content: Mapping[str, Any], by: str) -> Asked:
    since = content.get("since")
    if since is not None and not isinstance(since, str):
        raise AskError(f"since is {shortened(repr(since))}: give a time such as 2026-01-31T12:00:00Z")
    try:
        time = None if since is None else moment(since)
        return Asked(by, time, content.get("sample", DEFAULT_SAMPLE), content.get("seed", 0))
    except ConfigurationError as error:
        raise AskError(str(error)) from error
