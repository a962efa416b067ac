"""``flawspot predict``."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from flawspot.cli import ANOMALIES_FOUND, FAST_JPEG, UNREADABLE_IMAGES
from flawspot.cli.console import err, note, out, print_json
from flawspot.errors import DataError, ImageError
from flawspot.progress.display import DISPLAY


def predict(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    images: Annotated[list[str], typer.Argument(help="Photographs: files, folders or patterns such as 'new/*.png'.")],
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Write a picture of each photograph with its heat map into this folder."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="How many threads to use. Default: all cores.")] = None,
    fast_jpeg: Annotated[bool, typer.Option("--fast-jpeg", help=FAST_JPEG)] = False,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="End with exit code 4 if any photograph is anomalous.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each photograph.")] = False,
) -> None:
    """Find the defects in new photographs."""
    from flawspot.runtime.detector import load
    from flawspot.runtime.pictures import picture, write_picture
    from flawspot.runtime.prefetch import prefetch

    detector = load(file, threads=threads, fast_jpeg=fast_jpeg)
    photographs = _expand(images)
    pictures = _picture_paths(photographs, output) if output is not None else {}
    anomalous = unreadable = 0
    seconds = 0.0
    read_ahead = prefetch((path for path, _ in photographs), detector.read)
    for path, image in DISPLAY.track(read_ahead, "predicting", len(photographs)):
        if isinstance(image, ImageError):
            unreadable += 1
            if as_json:
                print_json({"path": str(path), "error": str(image)})
            else:
                out.print(f"[yellow]unreadable[/]  {escape(str(image))}")
            continue
        if isinstance(image, Exception):
            raise image
        prediction = detector.predict(image)
        anomalous += prediction.is_anomalous
        seconds += prediction.seconds
        if as_json:
            print_json(
                {
                    "path": str(path),
                    "score": prediction.score,
                    "p_value": prediction.p_value,
                    "is_anomalous": prediction.is_anomalous,
                    "seconds": prediction.seconds,
                    "boxes": prediction.boxes,
                }
            )
        else:
            verdict = "[bold red]anomalous[/] " if prediction.is_anomalous else "[green]good[/]      "
            out.print(f"{verdict}  score {prediction.score:<10.5g} p {prediction.p_value:.4f}  {escape(str(path))}")
        if path in pictures:
            write_picture(pictures[path], picture(image.full(), prediction))
    predicted = len(photographs) - unreadable
    if not as_json and predicted:
        good = predicted - anomalous
        err.print(
            f"{predicted} photographs: {anomalous} anomalous, {good} good; {1000 * seconds / predicted:.1f} ms each"
            + (f"; pictures in {output}" if output else "")
        )
    if unreadable:
        note(f"{unreadable} of {len(photographs)} files could not be read")
        raise typer.Exit(UNREADABLE_IMAGES)
    if fail_on_anomaly and anomalous:
        raise typer.Exit(ANOMALIES_FOUND)


def _expand(arguments: Sequence[str]) -> list[tuple[Path, Path]]:
    """Each photograph once, with its path below the folder it was found in; folders and patterns resolved.

    Raises:
        DataError: a folder without images, or a pattern that matches nothing.
    """
    from flawspot.runtime.images import find_images

    found: dict[Path, Path] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            images = find_images(path)
            if not images:
                raise DataError(f"no images in {path}: give a folder with PNG, JPEG, TIFF, BMP or WebP files")
            for image in images:
                found.setdefault(image, image.relative_to(path))
        elif glob.has_magic(argument) and not path.exists():
            matches = sorted(Path(match) for match in glob.glob(argument, recursive=True))  # noqa: PTH207
            files = [match for match in matches if match.is_file()]
            if not files:
                raise DataError(f"no file matches {argument}: check the pattern")
            for match in files:
                found.setdefault(match, Path(match.name))
        else:
            # A missing file is reported as unreadable with the others, so that it does not stop a batch.
            found.setdefault(path, Path(path.name))
    return list(found.items())


def _picture_paths(photographs: Sequence[tuple[Path, Path]], folder: Path) -> dict[Path, Path]:
    """Where each photograph's picture goes: its own relative path, with a number where that is taken."""
    taken = {path.resolve() for path, _ in photographs}
    pictures = {}
    for path, relative in photographs:
        target = folder / relative.with_suffix(".png")
        number = 2
        while target.resolve() in taken:
            target = folder / relative.with_name(f"{relative.stem}_{number}.png")
            number += 1
        taken.add(target.resolve())
        pictures[path] = target
    return pictures
