"""Replacing a detector's artifact: send a candidate, try it on the last pictures, approve it, roll it back."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.results import json_of
from flawspot.serve.station import Station
from flawspot.serve.swapping import Swapping
from flawspot.serve.tokens import Role


@needs(Role.VIEWER)
async def artifacts(request: Request) -> Response:
    """The present artifact of a detector, the candidate, and who approved which one when, newest first."""
    return JSONResponse(await run_in_threadpool(artifacts_of, station_of(request), swap_of(request)))


def artifacts_of(station: Station, swap: Swapping) -> dict[str, Any]:
    """The answer of `artifacts`."""
    name = swap.inspection.name
    history = [row.as_dict() for row in station.record.of_kind("artifact", detector=name, limit=1000)]
    candidate = None if swap.candidate is None else swap.candidate.as_dict()
    present = {"artifact": swap.inspection.loaded.sha256, "title": swap.inspection.loaded.detector.manifest.title()}
    update = station.updates[name].as_dict()
    return {**present, "candidate": candidate, "previous": swap.previous, "update": update, "history": history}


@needs(Role.ENGINEER)
async def send(request: Request) -> Response:
    """Load the artifact in the body as a candidate and try it on the last pictures. It does not judge parts yet."""
    content = await request.body()
    if not content:
        raise AskError("there is no artifact: send the bytes of the .onnx file as the body")
    found = await run_in_threadpool(swap_of(request).begin, content, request.state.person.name)
    return JSONResponse(found.as_dict(), 202)


@needs(Role.ENGINEER)
async def approve(request: Request) -> Response:
    """Switch to the candidate, named by its SHA-256: ``{"artifact": "..."}``."""
    sha256 = await _named(request, "approved")
    await run_in_threadpool(swap_of(request).approve, sha256, request.state.person.name)
    return JSONResponse({"artifact": sha256})


@needs(Role.ENGINEER)
async def turn_down(request: Request) -> Response:
    """Turn down the candidate, named by its SHA-256: ``{"artifact": "..."}``. The present artifact stays."""
    sha256 = await _named(request, "turned down")
    await run_in_threadpool(swap_of(request).turn_down, sha256, request.state.person.name)
    return JSONResponse({"artifact": sha256})


@needs(Role.ENGINEER)
async def back(request: Request) -> Response:
    """Go back to the previous artifact."""
    swap = swap_of(request)
    await run_in_threadpool(swap.back, request.state.person.name)
    return JSONResponse({"artifact": swap.inspection.loaded.sha256})


async def _named(request: Request, what: str) -> str:
    sha256 = (await json_of(request)).get("artifact")
    if not isinstance(sha256, str):
        raise AskError(f'say which artifact is {what}: {{"artifact": "its SHA-256"}}')
    return sha256


def swap_of(request: Request) -> Swapping:
    """The artifacts of the detector that a path names.

    Raises:
        AskError: there is no such detector.
    """
    swaps, name = station_of(request).swaps, request.path_params["name"]
    if name not in swaps:
        raise AskError(f"there is no detector {name[:50]!r}: there are {', '.join(swaps)}", 404)
    return swaps[name]
