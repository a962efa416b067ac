"""The API's description, OpenAPI 3.1, made from the routes and the docstrings of their functions."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_QUERY: dict[str, dict[str, str]] = {
    "/v1/predict": {
        "part_id": "Number of the part.",
        "station": "Place on the line.",
        "detector": "The detector's name, if there are several.",
        "name": "A name of the picture for people.",
    },
    "/v1/results": {
        "verdict": "good, anomalous or not inspected.",
        "detector": "Its name.",
        "part": "Number of the part.",
        "since": "UTC, such as 2026-01-31T12:00:00Z.",
        "until": "UTC, exclusive.",
        "word": "The latest word that a person gave on the result, or any.",
        "limit": "At most 1000.",
        "before": "Only results with a lower number: for the next page.",
    },
}
_QUERY["/v1/results.csv"] = {k: v for k, v in _QUERY["/v1/results"].items() if k not in ("limit", "before")}
_QUERY["/v1/threshold"] = _QUERY["/v1/results.csv"]
_QUERY["/v1/confirmed.zip"] = {
    **_QUERY["/v1/results.csv"],
    "unconfirmed": "1 adds good pictures that nobody commented on.",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_BODIES: dict[str, dict[str, Any]] = {
    "/v1/predict": {
        "image/*": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "format": "binary"},
                    **{name: {"type": "string"} for name in ("part_id", "station", "detector")},
                },
            }
        },
    },
    "/v1/artifacts/{name}": {"application/octet-stream": _BINARY},
}


async def openapi(request: Request) -> Response:
    """This description."""
    return JSONResponse(described([route for route in request.app.routes if isinstance(route, Route)]))


def described(routes: list[Route]) -> dict[str, Any]:
    """The description of some routes."""
    paths: dict[str, Any] = {}
    for route in routes:
        path = route.path
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _operation(path, method, route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "flawspot station", "version": importlib.metadata.version("flawspot")},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}, {}],
        "paths": paths,
    }


def _operation(path: str, method: str, route: Route) -> dict[str, Any]:
    text = inspect.cleandoc(route.endpoint.__doc__ or "")
    summary, _, rest = text.partition("\n\n")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": what, "schema": {"type": "string"}}
        for name, what in _QUERY.get(path, {}).items()
    ]
    found: dict[str, Any] = {"summary": " ".join(summary.split()), "parameters": parameters}
    if rest:
        found["description"] = rest
    if method == "POST":
        found["requestBody"] = {"content": _BODIES.get(path, _OBJECT)}
    refused = {"description": 'What is wrong, in one line: {"error": ...}'}
    found["responses"] = {"200": {"description": "Done"}, "4XX": refused, "503": refused}
    return found
