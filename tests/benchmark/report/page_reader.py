"""A page as its tests look at it."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, attributes and the words that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.heading = ""
        self._silent = 0
        self._in_heading = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in ("script", "style")
        self._in_heading = tag == "h1"

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")
        self._in_heading = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)
        if self._in_heading:
            self.heading += data

    @property
    def text(self) -> str:
        return " ".join(self.words)
