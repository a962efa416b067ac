"""Builds HTML from Python. Every text in it is escaped, whatever its source."""

from __future__ import annotations

import datetime
import html
import string
from pathlib import Path

from flawspot.texts import visible

_FOLDER = Path(__file__).parent
_VOID = ("input", "img")


class Markup(str):
    """A piece of HTML, made by `tag` or read from a page of ours."""

    __slots__ = ()


def tag(name: str, /, *held: object, **attributes: object) -> Markup:
    """Make an element.

    Args:
        name: name of the element.
        held: the contents: `Markup` is inserted as it is, everything else as text. None and False are left out.
        attributes: the attributes. ``_`` in a name becomes ``-``, except at the end. True has no value; None and False
            are left out.
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{told}>" if name in _VOID else f"<{name}{told}>{joined(*held)}</{name}>")


def joined(*held: object) -> Markup:
    """Join pieces of HTML."""
    shown = (each for each in held if each is not None and each is not False)
    return Markup("".join(each if isinstance(each, Markup) else _text(each) for each in shown))


def page(name: str, **held: object) -> str:
    """Read the page of that name and fill it in, including the symbols of the verdicts.

    Args:
        name: name of the page's file, beside this one.
        held: texts for the names after ``$`` in the file. What is not `Markup` is escaped.
    """
    text, symbols = ((_FOLDER / each).read_text(encoding="utf-8") for each in (name, "symbols.svg"))
    return string.Template(text).substitute({key: joined(value) for key, value in held.items()}, symbols=symbols)


def local(time: str) -> Markup:
    """A time of the record as local time of the station."""
    found = datetime.datetime.fromisoformat(time).astimezone()
    return tag("time", found.strftime("%Y-%m-%d %H:%M:%S"), datetime=time)


def icon(verdict: str) -> Markup:
    """The symbol of a verdict. The pages hold the symbols."""
    kind = verdict.replace(" ", "-")
    return tag("svg", tag("use", href=f"#{kind}", class_=kind), class_="shape", aria_hidden="true")


def facts(pairs: list[tuple[str, object]]) -> Markup:
    """A list of names and values. Pairs with None are left out."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value is not None]
    return tag("dl", *rows)


def sure(do: str, title: str, question: str, yes: str, action: str, artifact: str | None = None) -> Markup:
    """A button that opens a question. Only the answer to it does something.

    Args:
        do: what the form asks for.
        title: text of the button.
        question: text of the question.
        yes: text of the button that does it.
        action: address of the form.
        artifact: SHA-256 of the artifact that it is about, if any.
    """
    form = tag(
        "form",
        None if artifact is None else tag("input", type="hidden", name="artifact", value=artifact),
        tag("p", question),
        tag("button", "Cancel", type="button", popovertarget=f"sure-{do}", popovertargetaction="hide", autofocus=True),
        " ",
        tag("button", yes, name="do", value=do),
        method="post",
        action=action,
    )
    dialog = tag("div", form, id=f"sure-{do}", popover=True, role="dialog", aria_label=title, class_="sure")
    return joined(tag("p", tag("button", title, type="button", popovertarget=f"sure-{do}")), dialog)


def _text(value: object) -> str:
    return html.escape(visible(str(value)))
