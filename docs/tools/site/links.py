"""Links between the project's texts, on the site: to a page where the sources have a file."""

from __future__ import annotations

import posixpath
import re

TEXTS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "deploy/README.md": "deploy.md",
}
"""Files of the project that are pages, with the page's path below docs."""
START = "index.md"
"""Where a link to the README leads."""
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
