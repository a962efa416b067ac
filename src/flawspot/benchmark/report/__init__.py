"""The benchmark's report: a page with the paper's figures and tables, and the tables as Markdown. No torch is needed.

The page and its figures need the extra ``benchmark`` (matplotlib, Jinja2); the Markdown does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.markdown import markdown_tables
from flawspot.cache import cache_root
from flawspot.extras import missing_package

__all__ = ["markdown_tables", "write_report"]


def write_report(
    records: Sequence[Record],
    folder: Path,
    *,
    store_folder: Path | None = None,
    title: str | None = None,
    pictures: bool = True,
) -> Path:
    """Write ``report.html``, ``figures/`` and ``tables.md`` into `folder`: see
    `flawspot.benchmark.report.page.write_report`.

    Raises:
        MissingPackageError: matplotlib or Jinja2 is not installed.
        DataError: no records.
        FlawspotError: a file cannot be written.
    """
    try:
        _import_matplotlib()
        from flawspot.benchmark.report import page
    except ModuleNotFoundError as error:
        raise missing_package(error, "the report") or error from None
    return page.write_report(records, folder, store_folder=store_folder, title=title, pictures=pictures)


def _import_matplotlib() -> None:
    """With its list of fonts in flawspot's cache, unless the user has named another folder."""
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        return
    os.environ["MPLCONFIGDIR"] = str(cache_root() / "matplotlib")
    try:
        import matplotlib.font_manager  # noqa: F401  # it asks for its folder while it is imported, and once
    finally:
        del os.environ["MPLCONFIGDIR"]
