"""Every link and anchor of the built site leads somewhere, and nothing is loaded from a network.

    python docs/tools/site/check.py site

Only what lies in the folder is looked at: links to other sites are listed in ``external-links.txt`` beside the pages,
and none is fetched. Needs Python alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
"""What a browser fetches by itself, by element; ``link`` is looked at by what it is for."""
LOADED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest", "modulepreload", "prefetch"}
LIST = "external-links.txt"
_STYLE_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class PageOf(HTMLParser):
    """One page: what it loads, where its links lead, and the anchors that it has."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._styles = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what an element names."""
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if told.get(name)}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in LOADED and told.get(LOADED[tag]):
            self.loads.append(told[LOADED[tag]])
        if tag == "link" and set(told.get("rel", "").split()) & LOADED_LINKS:
            self.loads.append(told.get("href", ""))
        self.loads += in_style(told.get("style", ""))
        self._styles = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """A style ends."""
        self._styles = False

    def handle_data(self, data: str) -> None:
        """What a style loads."""
        if self._styles:
            self.loads += in_style(data)


def in_style(text: str) -> list[str]:
    """The addresses that a style sheet loads."""
    return [one or other for one, other in _STYLE_URL.findall(text)]


def is_external(address: str) -> bool:
    """Whether it leads out of the site: another scheme or host than the page's own."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("",)


def faults(site: Path) -> tuple[list[str], list[str]]:
    """What is wrong with the site, a line each; and the addresses outside of it that it links to, in order.

    Args:
        site: the folder that MkDocs has built.
    """
    pages = {path: read(path) for path in sorted(site.rglob("*.html"))}
    found = [fault for path, page in pages.items() for fault in _of_page(site, path, page, pages)]
    for sheet in sorted(site.rglob("*.css")):
        loads = in_style(sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(site)} loads {each[:80]}" for each in loads if loaded_from_elsewhere(each)]
    outside = {link for page in pages.values() for link in page.links if is_external(link)}
    return found, sorted(outside)


def read(path: Path) -> PageOf:
    """A page of the site."""
    page = PageOf()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def loaded_from_elsewhere(address: str) -> bool:
    """Whether a browser would ask a network for it."""
    return is_external(address) and urlsplit(address).scheme != "data"


def _of_page(site: Path, path: Path, page: PageOf, pages: dict[Path, PageOf]) -> Iterator[str]:
    name = path.relative_to(site).as_posix()
    for address in page.loads:
        if loaded_from_elsewhere(address):
            yield f"{name} loads {address}"
        elif not is_external(address) and _target(site, path, address) is None:
            yield f"{name} loads {address}, which is not there"
    for address in page.links:
        if is_external(address):
            continue
        target = _target(site, path, address)
        anchor = unquote(urlsplit(address).fragment)
        if target is None:
            yield f"{name} links to {address}, which is not there"
        elif anchor and target in pages and anchor not in pages[target].anchors:
            yield f"{name} links to {address}: the page has no such anchor"


def _target(site: Path, page: Path, address: str) -> Path | None:
    """The file that an address inside the site means; None if there is none."""
    place = unquote(urlsplit(address).path)
    start = site if place.startswith("/") else page.parent
    target = (start / place.lstrip("/")).resolve() if place else page
    if target.is_dir():
        target = target / "index.html"
    return target if target.is_file() and target.is_relative_to(site.resolve()) else None


def main(site: Path) -> int:
    """Print the faults; write and count the links to elsewhere. 1 if there is a fault, or no page."""
    site = site.resolve()
    found, outside = faults(site)
    for fault in found:
        print(fault)
    pages = sum(1 for _ in site.rglob("*.html"))
    (site / LIST).write_text("".join(f"{link}\n" for link in outside), encoding="utf-8")
    print(f"{pages} pages, {len(found)} faults; {len(outside)} links to elsewhere, not fetched: {site / LIST}")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
