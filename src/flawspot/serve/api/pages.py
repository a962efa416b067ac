"""The station's pages, and how people log in."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from flawspot.errors import FlawspotError
from flawspot.serve.api.access import COOKIE, needs
from flawspot.serve.api.results import form_of
from flawspot.serve.pages.markup import page
from flawspot.serve.tokens import Person, Role

_FOLDER = Path(__file__).parents[1] / "pages"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
STATIC = ("station.js", "engineer.js", "common.js", "station.css", "icon.svg")
_FRESH = {"Cache-Control": "no-cache"}


@needs(Role.VIEWER, page=True)
async def station(request: Request) -> Response:
    """The page for the people at the line."""
    person: Person = request.state.person
    return HTMLResponse(page("station.html", who=person.name, role=person.role.name.lower()), headers=_FRESH)


async def static(request: Request) -> Response:
    """Scripts, styles and the icon. They are found by name, so that no path leaves the folder."""
    name = request.path_params["name"]
    if name not in STATIC:
        return JSONResponse({"error": "there is no such file"}, 404)
    path = _FOLDER / name
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_FRESH)


async def login(request: Request) -> Response:
    """The page on which people enter their token, and the form's target."""
    tokens = request.app.state.tokens
    if request.method == "GET":
        if tokens is None or not tokens.demanded:
            return RedirectResponse("/", status_code=303)
        return FileResponse(_FOLDER / "login.html", media_type="text/html", headers=_FRESH)
    async with form_of(request, files=0, fields=2) as form:
        token = str(form.get("token", "")).strip()
    try:
        known = tokens is not None and tokens.person(token) is not None
    except FlawspotError as error:
        return JSONResponse({"error": str(error)}, 409)
    if not known:
        return RedirectResponse("/login?wrong=1#wrong", status_code=303)
    answer = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=30 * 86_400, httponly=True, samesite="strict", secure=secure)
    return answer


async def logout(_: Request) -> Response:
    """Forget the token in this browser."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


@needs(Role.VIEWER)
async def me(request: Request) -> Response:
    """Who sends the request, and what they may do."""
    person: Person = request.state.person
    return JSONResponse({"name": person.name, "role": person.role.name.lower()})
