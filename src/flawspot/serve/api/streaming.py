"""Events as they happen, as server-sent events, and metrics for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from flawspot.errors import FlawspotError
from flawspot.serve.api.access import needs, person_of, station_of
from flawspot.serve.api.results import with_words
from flawspot.serve.metrics import Metrics
from flawspot.serve.status import status_of
from flawspot.serve.tokens import Role
from flawspot.texts import as_whole_number

ALIVE_SECONDS = 2.0
"""Seconds between two signs of life. Without them the page assumes a broken connection and shows no verdict."""
MISSED = 200
"""Most missed rows that a reconnecting page gets. It asks `results` for older ones."""


@needs(Role.VIEWER)
async def status(request: Request) -> Response:
    """The state of the station."""
    return JSONResponse(await run_in_threadpool(status_of, station_of(request)))


@needs(Role.VIEWER)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    figures: Metrics = request.app.state.metrics
    figures.look(await run_in_threadpool(status_of, station_of(request)))
    return Response(generate_latest(figures.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


@needs(Role.VIEWER)
async def events(request: Request) -> Response:
    """Results and words as server-sent events, numbered as their rows. ``Last-Event-ID`` asks for missed ones."""
    return StreamingResponse(_events(request), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(request: Request) -> AsyncIterator[str]:
    station = station_of(request)
    with contextlib.suppress(FlawspotError), station.events.listening() as listener:
        last = request.headers.get("last-event-id", "")
        yield "retry: 1000\n\n"
        sent = 0
        seen = as_whole_number(last)
        if seen is not None:
            for row in await run_in_threadpool(station.record.after, seen, limit=MISSED):
                if row.kind == "result":
                    yield _event("result", await run_in_threadpool(with_words, station.record, row))
                sent = row.number
        while True:
            try:
                event = await asyncio.wait_for(listener.get(), ALIVE_SECONDS)
            except TimeoutError:
                event = {"event": "message", "content": {}}
            if event is None or person_of(request) is None:  # somebody whose token was removed gets no more events
                return
            if not event["content"]:
                yield "data: {}\n\n"
                continue
            number = event["content"].get("number")
            if number is None or number > sent:
                yield _event(event["event"], event["content"])


def _event(kind: str, content: dict[str, Any]) -> str:
    number = content.get("number")
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(content, allow_nan=False)}\n\n"
