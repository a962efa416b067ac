"""``index.html`` for the pictures of a run: one file beside them, without scripts or network access."""

from __future__ import annotations

import html
import os
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.files import special_kind, write_bytes
from flawspot.texts import visible

NAME = "index.html"
MOST = 5_000
"""Most pictures on a page. If there are more, the most severe ones are shown."""

_MARK = '<meta name="generator" content="flawspot">'

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f27; --quiet: #5b6472; --line: #d9dde3; --paper: #fdfdfd; --card: #fff;
  --bad: #b3401f; --good: #2f6db3; --unknown: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ecf1; --quiet: #a2abb8; --line: #353b45; --paper: #16181d;
  --card: #1e2127; --bad: #ff9a62; --good: #7fb8ff; --unknown: #e5c34a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 1rem; color: var(--quiet); overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
input { position: absolute; opacity: 0; }
label { padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 2rem; cursor: pointer; }
input:focus-visible + label { outline: 2px solid var(--good); }
input:checked + label { border-color: var(--ink); font-weight: 600; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden;
  min-width: 0; }
article a { display: block; background: #18191d; }
img { display: block; width: 100%; height: auto; }
article div { padding: .6rem .8rem; }
h2 { margin: 0; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
strong { font-weight: 700; }
.anomalous strong { color: var(--bad); } .good strong { color: var(--good); } .not strong { color: var(--unknown); }
article p { margin: .15rem 0 0; font-size: .9rem; }
body:has(#bad:checked) .good, body:has(#bad:checked) .not, body:has(#fine:checked) .anomalous,
body:has(#fine:checked) .not, body:has(#none:checked) .good, body:has(#none:checked) .anomalous { display: none; }
"""


@dataclass(frozen=True)
class Entry:
    """One photograph on the page.

    Attributes:
        title: its name on the page.
        verdict: ``anomalous``, ``good`` or ``not inspected``.
        severity: the severity, 0 or more; infinite for photographs that were not inspected, so that they come first.
        told: figures, or the reason why it was not inspected.
        picture: the drawn picture, a file below the page's folder; None if there is none.
    """

    title: str
    verdict: str
    severity: float
    told: str
    picture: Path | None


def write_index(folder: Path, entries: Sequence[Entry], title: str) -> Path:
    """Write the page to `folder`, most severe first. An ``index.html`` of another program is not overwritten.

    Raises:
        FlawspotError: the file cannot be written.
    """
    path, number = folder / NAME, 2
    while path.exists() and not _is_ours(path):
        path, number = folder / f"index_{number}.html", number + 1
    write_bytes(path, page(entries, title, folder).encode("utf-8", "replace"))
    return path


def page(entries: Sequence[Entry], title: str, folder: Path) -> str:
    """The page as HTML.

    Args:
        entries: in any order.
        title: the heading.
        folder: the page's own, to which the pictures are relative.
    """
    verdicts = [entry.verdict for entry in entries]
    counts = [(kind, verdicts.count(kind)) for kind in ("anomalous", "good", "not inspected")]
    shown = sorted(entries, key=lambda entry: -entry.severity)[:MOST]
    more = "" if len(shown) == len(entries) else f" The {MOST:,} most severe are shown."
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts)
    choices = [("all", "all", len(entries))]
    choices += [(id_, kind, count) for id_, (kind, count) in zip(("bad", "fine", "none"), counts, strict=True) if count]
    nav = "".join(
        f'<input type="radio" name="show" id="{id_}"{" checked" if id_ == "all" else ""}>'
        f'<label for="{id_}">{kind} {count:,}</label>'
        for id_, kind, count in choices
    )
    name = html.escape(visible(title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{_MARK}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{name}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body><h1>{name}</h1>\n<p>{len(entries):,} photographs: {told}.{more} "
        "Severity is the score in units of the threshold, so above 1 is anomalous.</p>\n"
        f"<nav>{nav}</nav>\n<main>\n{''.join(_card(entry, folder) for entry in shown)}</main></body></html>\n"
    )


def _card(entry: Entry, folder: Path) -> str:
    title = html.escape(visible(entry.title))
    picture = ""
    if entry.picture is not None:
        link = urllib.parse.quote(os.fsencode(entry.picture.relative_to(folder).as_posix()))
        picture = f'<a href="{link}"><img src="{link}" alt="what was found in {title}" loading="lazy"></a>'
    return (
        f'<article class="{entry.verdict.split()[0]}">{picture}<div><h2>{title}</h2>'
        f"<p><strong>{entry.verdict}</strong> {html.escape(visible(entry.told))}</p></div></article>\n"
    )


def _is_ours(path: Path) -> bool:
    try:
        if special_kind(path) is not None:
            return False
        with path.open("rb") as file:
            return _MARK.encode() in file.read(300)
    except OSError:
        return False
