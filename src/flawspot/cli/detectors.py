"""Options and steps of every command that runs a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.runtime.environment import MAX_THREADS

if TYPE_CHECKING:
    from flawspot.runtime.detector import Detector

TRUSTED_KEYS = Annotated[
    list[Path] | None,
    typer.Option(
        "--trusted-key",
        metavar="FILE",
        help="File of a public key. Artifacts that are not signed by a trusted key are refused. Repeatable. Default: "
        "the keys in FLAWSPOT_TRUSTED_KEYS.",
    ),
]
THREADS = Annotated[
    int | None, typer.Option(min=1, max=MAX_THREADS, help="How many threads to use. Default: all cores.")
]
FAST_JPEG = Annotated[
    bool,
    typer.Option(
        "--fast-jpeg",
        help="Decode large JPEGs at reduced size. It is faster, but the resized photograph may differ by 2 of 255 grey "
        "levels, which changes scores a little.",
    ),
]
DEVICE = Annotated[
    str | None,
    typer.Option(help="cpu or cuda. Default: the GPU if ONNX Runtime can use one, else the CPU.", metavar="NAME"),
]
MAX_PIXELS = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1_000_000_000,
        help="Refuse photographs of more pixels (width x height). Default: 100 million, which take 460 MB to decode.",
    ),
]


def load_tested(
    file: Path,
    *,
    threads: int | None = None,
    fast_jpeg: bool = False,
    trusted_keys: list[Path] | None = None,
    device: str | None = None,
    max_pixels: int | None = None,
) -> Detector:
    """Load an artifact and run its self-test, as every command does.

    Raises:
        ArtifactError: as for `flawspot.load`.
        SignatureError: as for `flawspot.load`.
        ConfigurationError: as for `flawspot.load`.
    """
    from flawspot.runtime.detector import load

    return load(
        file,
        threads=threads,
        fast_jpeg=fast_jpeg,
        trusted_keys=trusted_keys or None,
        self_test=True,
        device=device,
        max_pixels=max_pixels,
    )
