"""``flawspot smallest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.console import note, out, print_json
from flawspot.cli.data import GOOD, LIST, open_given
from flawspot.cli.detectors import THREADS, TRUSTED_KEYS, load_tested
from flawspot.cli.outputs import PAGES, check_output
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.runtime.found_sizes import FoundSizes
    from flawspot.runtime.manifest import Manifest

PAGE = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.html", help="Write one page with the curves and pictures of the defects."),
]
OUTPUT = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write a copy of the artifact with these results in its manifest."
    ),
]
CONTRASTS = Annotated[
    list[float] | None,
    typer.Option(
        "--contrast",
        metavar="LEVELS",
        help="Contrast of the defects to their background, in grey levels of 255; repeatable. Default: 20, 40 and 80.",
    ),
]


def smallest(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    data: Annotated[
        Path | None, typer.Argument(help="Photographs of good parts as for `flawspot train`, or the MVTec layout.")
    ] = None,
    from_list: LIST = None,
    good: GOOD = None,
    trials: Annotated[int, typer.Option(help="How many defects of each kind, size and contrast.")] = 20,
    contrasts: CONTRASTS = None,
    share: Annotated[float, typer.Option(help="The share that must be found for the size to count as found.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed for the choice of photographs, places, directions and signs.")] = 0,
    threads: THREADS = None,
    trusted_keys: TRUSTED_KEYS = None,
    page: PAGE = None,
    output: OUTPUT = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how small a defect is found, with pasted ones of known size and contrast on photographs of good parts."""
    from flawspot.files import check_writable
    from flawspot.smallest import smallest_defect
    from flawspot.smallest.measure import CONTRASTS
    from flawspot.smallest.page import write_page

    check_output(page, PAGES, file, from_list)
    if output is not None:
        check_writable(output)
    detector = load_tested(file, threads=threads, trusted_keys=trusted_keys)
    measured = smallest_defect(
        detector,
        open_given(data, from_list, good),
        trials=trials,
        contrasts=CONTRASTS if contrasts is None else contrasts,
        share=share,
        seed=seed,
        progress=DISPLAY,
    )
    if page is not None:
        write_page(measured, detector.manifest.title(), page)
    if output is not None:
        _write(file, output, measured.found, detector.manifest, trusted_keys)
    if as_json:
        print_json(measured.as_dict())
    else:
        _show(measured.found)
    if measured.skipped or measured.data.unread:
        raise typer.Exit(UNREADABLE_IMAGES)


def _write(file: Path, output: Path, found: FoundSizes, manifest: Manifest, trusted_keys: list[Path] | None) -> None:
    from flawspot.errors import ArtifactError
    from flawspot.runtime.signature import read_trusted, signature_of

    artifact = read_trusted(file, trusted_keys or None)
    if artifact.manifest != manifest:
        raise ArtifactError(f"{file} was replaced by another detector during the measurement: measure it again")
    artifact.with_smallest(found).save(output)
    if signature_of(artifact) is not None:
        note(f"{output} is not signed, because the manifest has changed: sign it with `flawspot sign`")


def _show(found: FoundSizes) -> None:
    from flawspot.runtime.found_sizes import KINDS, SPOT
    from flawspot.smallest.sentences import NAMES, about, cell_of, sentences, size_of

    out.print(f"{about(found)}:")
    curves = found.curves()
    for kind in KINDS:
        contrasts = [contrast for of, contrast in curves if of == kind]
        unit = "diameter in pixels" if kind == SPOT else "length x width in pixels"
        out.print()
        out.print(f"{NAMES[kind]}, {unit}; found of {found.trials} (95 % interval) by contrast in grey levels")
        out.print(f"{'':>11}", *(f"{contrast:>18g}" for contrast in contrasts), sep="")
        for row in zip(*(curves[kind, contrast] for contrast in contrasts), strict=True):
            out.print(f"{size_of(row[0]):>11}", *(f"{cell_of(size, found.trials):>18}" for size in row), sep="")
    out.print()
    for sentence in sentences(found):
        out.print(sentence)
