"""What MkDocs calls while it builds the site: pages that are made, and links that lead to a page instead of a file.

Four texts of the project's root are pages of the site too, and the reference of commands is made from the commands. A
link such as ``../CONTRIBUTING.md`` works where the sources are read; on the site it leads to the page.
"""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from commands import reference
from links import TEXTS, linked, relinked

ROOT = Path(__file__).parents[3]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    for source, page in TEXTS.items():
        text = relinked((ROOT / source).read_text(encoding="utf-8"), source, page)
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "commands.md", content=reference()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links to the project's texts lead to their pages."""
    uri = page.file.src_uri
    if page.file.generated_by:
        return markdown
    return relinked(markdown, posixpath.join("docs", uri), uri)


def on_page_content(html: str, page: Page, files: Files, **_: Any) -> str:
    """Let the pages that docstrings name, such as ``docs/data.md``, be links."""
    if not page.file.src_uri.startswith("api/"):
        return html
    return linked(html, page.file.dest_uri, {file.src_uri for file in files.documentation_pages()})
