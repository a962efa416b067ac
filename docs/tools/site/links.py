"""Links between the project's texts, on the site: to a page where the sources have a file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection

TEXTS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "deploy/README.md": "deploy.md",
}
"""Files of the project that are pages, with the page's path below docs."""
START = "index.md"
"""Where a link to the README leads."""
_NAMED = re.compile(r"<code>docs/([\w/-]+)\.md</code>")
_LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?(?=\))")


def relinked(markdown: str, source: str, page: str) -> str:
    """The text of `source` with links for `page`.

    Args:
        markdown: the text.
        source: where it stands, from the project's root.
        page: where it will stand, from docs.
    """

    def lead(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        if target == "README.md":
            leads_to = START
        elif target in TEXTS:
            leads_to = TEXTS[target]
        elif target.startswith("docs/"):
            leads_to = target.removeprefix("docs/")
        else:
            return found[0]
        return posixpath.relpath(leads_to, posixpath.dirname(page) or ".") + (found[2] or "")

    return _LINK.sub(lead, markdown)


def linked(html: str, page: str, pages: Collection[str]) -> str:
    """HTML in which a page that is named by its file, as docstrings do, is a link to it.

    Args:
        html: the page's content.
        page: where it stands on the site, such as ``api/training.html``.
        pages: all pages, by their sources below docs.
    """

    def lead(found: re.Match[str]) -> str:
        if f"{found[1]}.md" not in pages:
            return found[0]
        address = posixpath.relpath(f"{found[1]}.html", posixpath.dirname(page) or ".")
        return f'<a href="{address}">{found[0]}</a>'

    return _NAMED.sub(lead, html)
