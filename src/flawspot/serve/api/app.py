"""The station's HTTP application: which path is answered by which function."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from flawspot.serve.api import (
    artifacts,
    drifting,
    engineering,
    exporting,
    pages,
    predicting,
    results,
    streaming,
    updates,
    v2,
)
from flawspot.serve.api.openapi import openapi
from flawspot.serve.metrics import Metrics
from flawspot.serve.station import Station
from flawspot.serve.tokens import Tokens


def application(station: Station, tokens: Tokens | None) -> Starlette:
    """The application of a station.

    Args:
        station: the station that answers.
        tokens: the tokens of people who may ask; None if everybody may, which is for a station on one machine alone.
    """
    app = Starlette(routes=routes(), exception_handlers={HTTPException: _told})
    app.state.station, app.state.tokens = station, tokens
    app.state.metrics = Metrics()
    station.listeners.append(app.state.metrics.add)
    return app


async def _told(_: Request, error: Exception) -> Response:
    """A refusal by Starlette itself, in the form of all our refusals."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def routes() -> list[BaseRoute]:
    """Every path."""
    get, post = ["GET"], ["POST"]
    return [
        Route("/", pages.station),
        Route("/engineer", engineering.engineer),
        Route("/engineer/{name}", engineering.act, methods=post),
        Route("/login", pages.login, methods=["GET", "POST"]),
        Route("/logout", pages.logout, methods=post),
        Route("/static/{name}", pages.static),
        Route("/v1/me", pages.me),
        Route("/v1/predict", predicting.predict, methods=post),
        Route("/v1/status", streaming.status),
        Route("/v1/results", results.results),
        Route("/v1/results.csv", results.results_csv),
        Route("/v1/results/{number}", results.result),
        Route("/v1/results/{number}/words", results.say, methods=post),
        Route("/v1/pictures/{picture}", results.picture),
        Route("/v1/pictures/{picture}/view", results.view),
        Route("/v1/threshold", exporting.threshold),
        Route("/v1/confirmed.zip", exporting.folder),
        Route("/v1/artifacts/{name}", artifacts.artifacts, methods=get),
        Route("/v1/artifacts/{name}", artifacts.send, methods=post),
        Route("/v1/artifacts/{name}/approve", artifacts.approve, methods=post),
        Route("/v1/artifacts/{name}/turn-down", artifacts.turn_down, methods=post),
        Route("/v1/artifacts/{name}/update", updates.update, methods=get),
        Route("/v1/artifacts/{name}/update", updates.ask, methods=post),
        Route("/v1/artifacts/{name}/back", artifacts.back, methods=post),
        Route("/v1/drift/{name}", drifting.drift, methods=get),
        Route("/v1/drift/{name}/anew", drifting.anew, methods=post),
        Route("/v2", v2.server),
        Route("/v2/health/live", v2.live),
        Route("/v2/health/ready", v2.ready),
        Route("/v2/models/{name}", v2.model),
        Route("/v2/models/{name}/ready", v2.model_ready),
        Route("/v2/models/{name}/infer", v2.infer, methods=post),
        Route("/v2/models/{name}/versions/{version}", v2.model),
        Route("/v2/models/{name}/versions/{version}/ready", v2.model_ready),
        Route("/v2/models/{name}/versions/{version}/infer", v2.infer, methods=post),
        Route("/events", streaming.events),
        Route("/metrics", streaming.metrics),
        Route("/openapi.json", openapi),
    ]
