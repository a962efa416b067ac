"""Who sends a request, and what they may do. Viewers look, operators say what a part was, engineers change the
detector."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from flawspot.errors import FlawspotError
from flawspot.serve.guard import RefusedError
from flawspot.serve.station import Station
from flawspot.serve.tokens import Person, Role, Tokens

COOKIE = "flawspot_token"
NO_TOKEN = "no valid token: send one as `Authorization: Bearer TOKEN`"
LOCAL = Person("who is at this machine", Role.ENGINEER)
"""The person behind every request if no tokens are demanded."""

Endpoint = Callable[[Request], Awaitable[Response]]


class AskError(FlawspotError):
    """A request that cannot be answered. The message is one line for its sender."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def station_of(request: Request) -> Station:
    """The station that answers the request."""
    station: Station = request.app.state.station
    return station


def admission(tokens: Tokens | None) -> Callable[[Scope], RefusedError | None]:
    """A check that refuses requests without a token by their head alone, before photographs are sent; see `Guard`."""

    def admit(scope: Scope) -> RefusedError | None:
        if scope["method"] in ("GET", "HEAD") or scope["path"] in ("/login", "/logout"):
            return None
        try:
            known = _known(tokens, Request(scope)) is not None
        except FlawspotError as error:
            return RefusedError(409, str(error))
        return None if known else RefusedError(401, NO_TOKEN, [("WWW-Authenticate", "Bearer")])

    return admit


def person_of(request: Request) -> Person | None:
    """The person who sends a request, by the header ``Authorization: Bearer`` or the page's cookie; None if unknown.

    Raises:
        FlawspotError: the file of tokens is damaged. Nobody gets in then.
    """
    return _known(request.app.state.tokens, request)


def _known(tokens: Tokens | None, request: Request) -> Person | None:
    if tokens is None or not tokens.demanded:
        return LOCAL
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    return tokens.person(token.strip()) if token else None


def needs(role: Role, *, page: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Let only people of that role or a higher one call an endpoint. A `page` redirects others to the login page."""

    def wrap(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                person = person_of(request)
                if person is None and page:
                    return RedirectResponse("/login", status_code=303)
                if person is None:
                    return JSONResponse({"error": NO_TOKEN}, 401, {"WWW-Authenticate": "Bearer"})
                if person.role < role:
                    told = {"error": f"this needs the role {role.name.lower()}, yours is {person.role.name.lower()}"}
                    return JSONResponse(told, 403)
                request.state.person = person
                return await endpoint(request)
            except AskError as error:
                return JSONResponse({"error": str(error)}, error.status)
            except FlawspotError as error:
                return JSONResponse({"error": str(error)}, 409)

        return guarded

    return wrap
