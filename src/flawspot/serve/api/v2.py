"""The Open Inference Protocol, version 2, as clients of KServe and Triton use it.

Each detector is a model with one input ``image``: pixels UINT8 [N, H, W, 3], or files as BYTES [N]. Its outputs are
``score``, ``threshold``, ``severity``, ``p_value`` FP32 [N], ``verdict`` BYTES [N] and, on request, ``anomaly_map``
FP32 [N, S, S]. Every picture is a part like any other: it goes through the queue and into the record.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.predicting import judged
from flawspot.serve.api.tensors import read_request, write_answer
from flawspot.serve.inspection import Inspection
from flawspot.serve.parts import NOT_INSPECTED, Outcome, Part
from flawspot.serve.tokens import Role
from flawspot.texts import as_whole_number

INPUT, MAP, VERDICT = "image", "anomaly_map", "verdict"
NUMBERS = ("score", "threshold", "severity", "p_value")
MOST_PICTURES = 64
"""Most pictures in one request."""
_LENGTH = "Inference-Header-Content-Length"


async def live(_: Request) -> Response:
    """Whether the server process answers."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """Whether parts can be inspected and recorded."""
    station = station_of(request)
    well = all(not each.tally.unrecorded for each in station.inspections.values())
    return JSONResponse({"ready": well}, 200 if well else 503)


@needs(Role.VIEWER)
async def server(_: Request) -> Response:
    """Name, version and extensions of the server."""
    return JSONResponse(
        {"name": "flawspot", "version": importlib.metadata.version("flawspot"), "extensions": ["binary_tensor_data"]}
    )


@needs(Role.VIEWER)
async def model(request: Request) -> Response:
    """Inputs and outputs of a detector."""
    inspection = _inspection(request)
    canvas = list(inspection.loaded.detector.manifest.view.canvas)
    outputs = [{"name": name, "datatype": "FP32", "shape": [-1]} for name in NUMBERS]
    outputs.append({"name": VERDICT, "datatype": "BYTES", "shape": [-1]})
    outputs.append({"name": MAP, "datatype": "FP32", "shape": [-1, *canvas]})
    inputs = [{"name": INPUT, "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    version = inspection.loaded.sha256
    described = {"name": inspection.name, "versions": [version], "platform": "onnxruntime_onnx"}
    return JSONResponse({**described, "inputs": inputs, "outputs": outputs})


async def model_ready(request: Request) -> Response:
    """Whether there is such a detector and it is ready."""
    inspection = station_of(request).inspections.get(request.path_params["name"])
    well = inspection is not None and not inspection.tally.unrecorded
    name = request.path_params["name"]
    return JSONResponse({"name": name, "ready": well}, 200 if well else 404 if inspection is None else 503)


@needs(Role.OPERATOR)
async def infer(request: Request) -> Response:
    """Inspect the pictures of a request. If one cannot be inspected, the whole answer is an error, never *good*."""
    inspection = _inspection(request)
    length = request.headers.get(_LENGTH)
    header = None if length is None else as_whole_number(length, 11)
    if length is not None and header is None:
        raise AskError(f"{_LENGTH} is not a number of bytes")
    asked = read_request(await request.body(), header)
    pictures = _pictures(asked.inputs.get(INPUT))
    known = (*NUMBERS, VERDICT, MAP)
    wanted = asked.outputs if asked.outputs is not None else list(known)
    if unknown := [name for name in wanted if name not in known]:
        raise AskError(f"there is no output {unknown[0][:50]!r}: there are {', '.join(known)}")
    name = asked.id or "picture"
    parts = [Part(each, name, "v2", part=asked.id, wants_map=MAP in wanted) for each in pictures]
    # A few at a time, as a request with more pictures than the queue has room for would never be answered.
    turns = asyncio.Semaphore(max(1, station_of(request).settings.waiting // 2))

    async def in_turn(part: Part) -> Outcome | str:
        async with turns:
            return await judged(station_of(request), part, inspection.name)

    outcomes = await asyncio.gather(*map(in_turn, parts))
    whole = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    if len(whole) < len(outcomes):
        raise AskError(next(outcome for outcome in outcomes if isinstance(outcome, str)), 503)
    for number, outcome in enumerate(whole):
        if outcome.content["verdict"] == NOT_INSPECTED:
            raise AskError(f"picture {number} was not inspected: {outcome.content['reason']}", 422)
    outputs = {name: _output(name, whole) for name in wanted}
    head = {"model_name": inspection.name, "model_version": str(whole[0].content["artifact"]), "id": asked.id}
    body, json_length = write_answer(head, outputs, asked.binary)
    if json_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={_LENGTH: str(json_length)})


def _inspection(request: Request) -> Inspection:
    station, name = station_of(request), request.path_params["name"]
    if name not in station.inspections:
        raise AskError(f"there is no model {name[:50]!r}: there are {', '.join(station.inspections)}", 404)
    found = station.inspections[name]
    version = request.path_params.get("version")
    if version is not None and version != found.loaded.sha256:
        raise AskError(f"model {name} has the version {found.loaded.sha256}, not {version[:64]!r}", 404)
    return found


def _pictures(given: NDArray[Any] | list[bytes] | None) -> list[Any]:
    if given is None:
        raise AskError(f"there is no input {INPUT!r}")
    if not isinstance(given, list) and not (given.dtype == np.uint8 and given.ndim == 4 and given.shape[3] == 3):
        raise AskError(f"input {INPUT!r} is {given.dtype} {list(given.shape)}: give UINT8 [N, H, W, 3] or BYTES [N]")
    if not 0 < len(given) <= MOST_PICTURES:
        raise AskError(f"there are {len(given)} pictures: give 1 to {MOST_PICTURES} in a request")
    return list(given)


def _output(name: str, outcomes: list[Outcome]) -> NDArray[np.float32] | list[str]:
    if name == MAP:
        maps = [outcome.map for outcome in outcomes if outcome.map is not None]
        if len({each.shape for each in maps}) > 1:
            raise AskError("the maps of these pictures differ in size: ask for them one by one")
        return np.stack(maps)
    if name == VERDICT:
        return [str(outcome.content[VERDICT]) for outcome in outcomes]
    # JSON has no infinity, so an infinite severity becomes the largest float32.
    largest = float(np.finfo(np.float32).max)
    values = (outcome.content[name] for outcome in outcomes)
    return np.array([largest if value is None else value for value in values], np.float32)
