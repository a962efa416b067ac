"""For engineers: the effect of other thresholds, and the confirmed pictures as a folder to train on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.results import wanted_of
from flawspot.serve.confirmed import trade_off, write_folder
from flawspot.serve.record import Wanted
from flawspot.serve.station import Station
from flawspot.serve.tokens import Role

_PIECE = 2**18


@needs(Role.ENGINEER)
async def threshold(request: Request) -> Response:
    """Missed defects and false alarms at each threshold, on confirmed results of the present artifact."""
    station, wanted = station_of(request), wanted_of(request)
    if wanted.detector is not None and wanted.detector not in station.inspections:
        raise AskError(f"there is no detector {wanted.detector[:50]!r}", 404)
    return JSONResponse(await run_in_threadpool(trade_off_of, station, wanted))


def trade_off_of(station: Station, wanted: Wanted) -> dict[str, Any]:
    """The answer of `threshold`."""
    loaded = station.inspection(wanted.detector).loaded
    found = trade_off(station.record, wanted, loaded.sha256)
    return {**found, "present": loaded.detector.manifest.calibration.threshold}


@needs(Role.ENGINEER)
async def folder(request: Request) -> Response:
    """The confirmed pictures as a ZIP in the MVTec layout. ``unconfirmed=1`` adds good ones nobody commented on."""
    station, wanted = station_of(request), wanted_of(request)
    unconfirmed = request.query_params.get("unconfirmed") == "1"
    file = await run_in_threadpool(_written, station, wanted, unconfirmed)
    headers = {"Content-Disposition": 'attachment; filename="confirmed.zip"'}
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _written(station: Station, wanted: Wanted, unconfirmed: bool) -> IO[bytes]:
    """Write to a file without a name, so that nothing of it is left over however this ends."""
    try:
        with contextlib.ExitStack() as on_error:
            file = on_error.enter_context(tempfile.TemporaryFile(dir=station.settings.folder))
            write_folder(file, station.record, station.pictures, wanted, unconfirmed=unconfirmed)
            file.seek(0)
            on_error.pop_all()  # closed after it was sent
    except OSError as error:
        raise AskError(f"cannot write the folder: {error.strerror or error}; free some space", 507) from error
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
