"""What the drift tests of a detector say, and how they are started anew."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flawspot.serve.api.access import needs, station_of
from flawspot.serve.api.artifacts import swap_of
from flawspot.serve.drifting import KIND
from flawspot.serve.station import Station
from flawspot.serve.tokens import Role


@needs(Role.VIEWER)
async def drift(request: Request) -> Response:
    """What the drift tests of a detector say, and who started them anew when, newest first."""
    return JSONResponse(await run_in_threadpool(drift_of, station_of(request), swap_of(request).inspection.name))


def drift_of(station: Station, name: str) -> dict[str, Any]:
    """The answer of `drift`."""
    history = [row.as_dict() for row in station.record.of_kind(KIND, detector=name)]
    return {**station.drifting.told(name), "history": history}


@needs(Role.ENGINEER)
async def anew(request: Request) -> Response:
    """Start the drift tests of a detector anew. The record says who did it, and what the tests said.

    Parts that pass from now on are those that later ones are held against: do it once lamp and camera are as they
    should be. The body is ignored.
    """
    name, by = swap_of(request).inspection.name, request.state.person.name
    row = await run_in_threadpool(station_of(request).drifting.anew, name, by)
    return JSONResponse(row.as_dict())
