"""The options of ``flawspot predict``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PictureFormat(StrEnum):
    """File formats of the drawn pictures."""

    jpg = "jpg"
    png = "png"


class MapFormat(StrEnum):
    """File formats of the anomaly maps."""

    npy = "npy"
    png = "png"


FILE = Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")]
IMAGES = Annotated[
    list[str] | None,
    typer.Argument(
        help="Photographs: files, folders or patterns such as 'new/*.png'. - reads pictures from standard input, one "
        "after the other. With the extra `video`: films, addresses such as rtsp://..., and cameras by number, such as "
        "0.",
        show_default=False,
    ),
]
LIST = Annotated[
    Path | None,
    typer.Option("--list", metavar="FILE", help="File with a photograph's path on each line; - reads standard input."),
]
OUT = Annotated[
    Path | None,
    typer.Option("--out", help="Write a picture of each photograph with its heat map, and a page, to this folder."),
]
FORMAT = Annotated[PictureFormat, typer.Option("--format", help="Format of the pictures; png is lossless and slower.")]
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
        help="Print and write only photographs that are anomalous or were not inspected. The others are counted.",
    ),
]
EVERY = Annotated[
    int, typer.Option(min=1, max=1_000_000, metavar="N", help="Take every Nth picture of a film or camera.")
]
WATCH = Annotated[bool, typer.Option("--watch", help="Then wait for new photographs in the folders, until Ctrl-C.")]
FAIL_ON_ANOMALY = Annotated[
    bool,
    typer.Option(
        "--fail-on-anomaly",
        help="Exit with code 4 if any photograph is anomalous. Code 3, if one was not inspected, comes first.",
    ),
]
STRICT = Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be inspected.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object on a line for each photograph.")]
