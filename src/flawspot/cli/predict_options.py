"""The options of ``flawspot predict``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PictureFormat(StrEnum):
    """Of what is drawn."""

    jpg = "jpg"
    png = "png"


class MapFormat(StrEnum):
    """Of maps as files."""

    npy = "npy"
    png = "png"


FILE = Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")]
IMAGES = Annotated[
    list[str] | None,
    typer.Argument(
        help="Photographs: files, folders or patterns such as 'new/*.png'; - for pictures on standard input, one after "
        "the other. With the extra `video`: films, addresses such as rtsp://..., and cameras by number, such as 0.",
        show_default=False,
    ),
]
LIST = Annotated[
    Path | None,
    typer.Option("--list", metavar="FILE", help="Photographs by name, one a line; - reads them from standard input."),
]
OUT = Annotated[
    Path | None,
    typer.Option("--out", help="Write a picture of each photograph with its heat map into this folder, and a page."),
]
FORMAT = Annotated[PictureFormat, typer.Option("--format", help="Of the pictures; png is exact and slower.")]
MAPS = Annotated[Path | None, typer.Option("--maps", help="Write the anomaly maps into this folder.")]
MAPS_FORMAT = Annotated[
    MapFormat,
    typer.Option("--maps-format", help="npy: float32; png: 16 bits, with their scale in the file."),
]
CSV = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write a table of all verdicts, safe for spreadsheets."),
]
ONLY_ANOMALOUS = Annotated[
    bool,
    typer.Option(
        "--only-anomalous",
        help="Print and write only what is anomalous or was not inspected; the rest is counted.",
    ),
]
EVERY = Annotated[int, typer.Option(min=1, max=1_000_000, metavar="N", help="Of films and cameras every Nth picture.")]
WATCH = Annotated[
    bool, typer.Option("--watch", help="Then wait for photographs that come into the folders, until Ctrl-C.")
]
FAIL_ON_ANOMALY = Annotated[
    bool,
    typer.Option(
        "--fail-on-anomaly",
        help="End with exit code 4 if any photograph is anomalous; with 3, as always, if one was not inspected.",
    ),
]
STRICT = Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be inspected.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each photograph.")]
