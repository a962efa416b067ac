"""The engineer's page: results, threshold and artifacts. It is plain HTML with forms, so that it needs little
script."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from flawspot.errors import FlawspotError
from flawspot.serve.api.access import AskError, needs, station_of
from flawspot.serve.api.artifacts import artifacts_of, swap_of
from flawspot.serve.api.drifting import drift_of
from flawspot.serve.api.exporting import trade_off_of
from flawspot.serve.api.results import WORDS, form_of, result_of, with_words, words_on
from flawspot.serve.api.updates import asked_in_form, updates_of
from flawspot.serve.lamps import drift_lamp
from flawspot.serve.pages.artifacts import artifacts_view
from flawspot.serve.pages.drifting import drift_view, tests_view
from flawspot.serve.pages.markup import Markup, joined, page, tag
from flawspot.serve.pages.results import chosen, result_list
from flawspot.serve.pages.trade_off import trade_off_view
from flawspot.serve.pages.updates import update_view
from flawspot.serve.parts import VERDICTS
from flawspot.serve.record import Wanted, as_time
from flawspot.serve.station import Station
from flawspot.serve.tokens import Role
from flawspot.texts import as_whole_number

A_PAGE = 24
"""Results."""
_ASKED = ("verdict", "detector", "part", "word", "since", "until", "unconfirmed")
_FRESH = {"Cache-Control": "no-store"}


@needs(Role.ENGINEER, page=True)
async def engineer(request: Request) -> Response:
    """The page with filtered results, one of them large, the effect of other thresholds, and artifacts."""
    return HTMLResponse(await run_in_threadpool(_page, request, None), headers=_FRESH)


@needs(Role.ENGINEER, page=True)
async def act(request: Request) -> Response:
    """Do what a form of the page asks for: ``do`` is ``send``, ``update``, ``approve``, ``turn-down``, ``back`` or
    ``anew``."""
    swap, person = swap_of(request), request.state.person
    try:
        async with form_of(request, files=1, fields=3) as form:
            do, artifact, file = form.get("do"), str(form.get("artifact", "")), form.get("file")
            content = await file.read() if isinstance(file, UploadFile) else b""
            fields = dict(form)
        if do == "send" and content:
            await run_in_threadpool(swap.begin, content, person.name)
        elif do == "approve":
            await run_in_threadpool(swap.approve, artifact, person.name)
        elif do == "turn-down":
            await run_in_threadpool(swap.turn_down, artifact, person.name)
        elif do == "back":
            await run_in_threadpool(swap.back, person.name)
        elif do == "anew":
            await run_in_threadpool(station_of(request).drifting.anew, swap.inspection.name, person.name)
        elif do == "update":
            await run_in_threadpool(updates_of(request).ask, asked_in_form(fields, person.name))
        else:
            raise FlawspotError("there is no artifact: choose a file")
    except FlawspotError as error:
        return HTMLResponse(await run_in_threadpool(_page, request, str(error)), 409, headers=_FRESH)
    place = {"update": "update", "anew": "drift"}.get(str(do), "artifact")
    return RedirectResponse(f"/engineer?detector={quote(swap.inspection.name, safe='')}#{place}", status_code=303)


def _page(request: Request, trouble: str | None) -> str:
    station, query = station_of(request), request.query_params
    asked = {name: query[name] for name in _ASKED if query.get(name)}
    wanted = _wanted(asked)
    name = request.path_params.get("name") or wanted.detector or next(iter(station.inspections))
    if name not in station.inspections:
        raise AskError(f"there is no detector {name[:50]!r}", 404)
    before, number = (_whole(query.get(which)) for which in ("before", "number"))
    rows = station.record.results(wanted, before=before, limit=A_PAGE)
    threshold = station.inspections[name].loaded.detector.manifest.calibration.threshold
    told, drift = artifacts_of(station, station.swaps[name]), drift_of(station, name)
    utc = {**asked, **{which: value for which, value in vars(wanted).items() if value is not None}}
    return page(
        "engineer.html",
        station=station.settings.name,
        who=f"{request.state.person.name} ({request.state.person.role.name.lower()})",
        trouble=None if trouble is None else tag("p", f"Not done: {trouble}", class_="bad", role="alert", id="trouble"),
        drift=drift_view([each for each in station.inspections if station.drift(each).scores.alarm]),
        filter=_filter(station, asked),
        csv=f"/v1/results.csv?{urlencode(utc)}",
        zip=f"/v1/confirmed.zip?{urlencode(utc)}",
        results=result_list([with_words(station.record, row) for row in rows], f"/engineer?{urlencode(asked)}&number="),
        more=_links(asked, before, rows[-1].number if len(rows) == A_PAGE else None),
        chosen=None if number is None else _chosen(station, number),
        detector=name,
        threshold=trade_off_view(trade_off_of(station, Wanted(**{**vars(wanted), "detector": name}))),
        artifact=artifacts_view(told, name, threshold),
        update=update_view(told["update"], name),
        tests=tests_view(drift, drift_lamp(drift)["text"], name),
    )


def _wanted(asked: dict[str, str]) -> Wanted:
    """The filter of a query. Its times are local times of the station."""
    found: dict[str, str] = {name: value for name, value in asked.items() if name != "unconfirmed"}
    for name in {"since", "until"} & found.keys():
        try:
            time = as_time(datetime.datetime.fromisoformat(found[name]))
        except (ValueError, OverflowError) as error:
            raise AskError(f"{name} is {found[name][:30]!r}: give a time such as 2026-01-31T12:00") from error
        found[name] = time
    if found.get("verdict") not in (None, *VERDICTS):
        raise AskError(f"verdict is {found['verdict'][:30]!r}: give one of {', '.join(VERDICTS)}")
    return Wanted(**found)


def _filter(station: Station, asked: dict[str, str]) -> Markup:
    several = len(station.inspections) > 1
    fields = [
        _choice("Verdict", "verdict", [("", "any"), *((each, each) for each in VERDICTS)], asked),
        _choice("Word", "word", [("", "any or none"), ("any", "any"), *((each, each) for each in WORDS)], asked),
        _choice("Detector", "detector", [("", "any"), *((each, each) for each in station.inspections)], asked)
        if several
        else None,
        tag("label", "Part ", tag("input", name="part", value=asked.get("part"), autocomplete="off")),
        *(
            tag("label", title, " ", tag("input", name=name, type="datetime-local", value=asked.get(name)))
            for title, name in (("Since", "since"), ("Until", "until"))
        ),
        tag(
            "label",
            tag("input", name="unconfirmed", type="checkbox", value="1", checked="unconfirmed" in asked),
            " in the export: also good pictures that nobody commented on",
        ),
    ]
    return tag("form", *fields, tag("button", "Search"), id="filter", action="/engineer")


def _choice(title: str, name: str, choices: list[tuple[str, str]], asked: dict[str, str]) -> Markup:
    options = [tag("option", told, value=value, selected=asked.get(name, "") == value) for value, told in choices]
    return tag("label", title, " ", tag("select", *options, name=name))


def _links(asked: dict[str, Any], before: int | None, following: int | None) -> Markup:
    newest = None if before is None else tag("a", "The newest", href=f"/engineer?{urlencode(asked)}")
    earlier = (
        None if following is None else tag("a", "Earlier ones", href=f"/engineer?{urlencode(asked)}&before={following}")
    )
    return joined(newest, " ", earlier)


def _chosen(station: Station, number: int) -> Markup:
    row = result_of(station.record, str(number))
    return chosen(with_words(station.record, row), words_on(station.record, row))


def _whole(text: str | None) -> int | None:
    found = as_whole_number(text) if text else None
    if text and found is None:
        raise AskError(f"{text[:20]!r} is no whole number")
    return found
