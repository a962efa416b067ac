"""``flawspot weights pull | list | path``."""

from __future__ import annotations

from typing import Annotated

import typer

from flawspot.cli.console import out, print_json, styled
from flawspot.progress.display import DISPLAY

app = typer.Typer(no_args_is_help=True, help="Pretrained weights: fetch them, list them, show where they are.")

Backbone = Annotated[str, typer.Argument(help="The backbone, such as mobilenet_v2.")]
Name = Annotated[str | None, typer.Option("--weights", help="Which of its weights. Default: the first listed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def pull(backbone: Backbone, weights: Name = None, as_json: AsJson = False) -> None:
    """Fetch pretrained weights into the cache and verify their checksum."""
    from flawspot.backbones.registry import family
    from flawspot.backbones.weights import pull as run

    file, path = run(backbone, family(backbone).weights, weights, progress=DISPLAY)
    if as_json:
        print_json({"backbone": backbone, "weights": file.name, "checksum": file.checksum, "path": str(path)})
    else:
        out.print(f"{backbone} {file.name}: {path}")


@app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List every backbone's weights, the default ones, and which of them are on this machine."""
    from flawspot.backbones.registry import families
    from flawspot.backbones.weights import find

    rows = []
    for backbone, known in families().items():
        for file in known.weights:
            found = find(backbone, known.weights, file.name)
            rows.append(
                {
                    "backbone": backbone,
                    "weights": file.name,
                    "default": file is known.weights[0],
                    "path": None if found is None else str(found[1]),
                    "file": file.filename,
                    "checksum": file.checksum,
                    "license": file.license,
                    "sources": [str(source) for source in file.sources],
                }
            )
    if as_json:
        print_json({"weights": rows})
        return
    for row in rows:
        named = f"{row['backbone']:<18}  {row['weights']:<20}"
        default = "default" if row["default"] else ""
        at_hand = styled("present", "green") if row["path"] else "absent "
        out.print(named, at_hand, f"{default:<7}", row["license"], sep="  ")


@app.command()
def path(
    backbone: Annotated[str | None, typer.Argument(help="The backbone. Default: print the cache folder.")] = None,
    weights: Name = None,
    as_json: AsJson = False,
) -> None:
    """Print the path of a backbone's weights, or the folder of the cache."""
    from flawspot.backbones.registry import family
    from flawspot.backbones.weights import cache_folder, require

    found = cache_folder() if backbone is None else require(backbone, family(backbone).weights, weights)[1]
    if as_json:
        print_json({"path": str(found)})
    else:
        out.print(str(found))
