"""``flawspot train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.calibration import scored, threshold_rows
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.data import GOOD, LIST, open_given, print_data
from flawspot.cli.settings import Settings, parse_settings
from flawspot.errors import ConfigurationError
from flawspot.methods import DEFAULT_METHOD
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.data.folders import ImageFolder
    from flawspot.runtime.artifact import Artifact
    from flawspot.training.feature_cache import FeatureCache

DEFAULT_CACHE_MEMORY = 1024

DATA = Annotated[Path | None, typer.Argument(help="Photographs of good parts: a folder of them, or the MVTec layout.")]
OUTPUT = Annotated[Path, typer.Option("--output", "-o", help="The artifact to write, an .onnx file.")]
METHOD = Annotated[str, typer.Option(help="How anomalies are found: `flawspot methods` lists the methods.")]
BACKBONE = Annotated[
    str, typer.Option(help="The pretrained network that features come from: `flawspot backbones` lists them.")
]
LAYERS = Annotated[
    str | None,
    typer.Option(
        help="A layer group (low, mid, high, equiv, paste, stages), equiv:REFERENCE for the layers that stand for "
        "those of another backbone, or indices such as 3,8,14. Default: the method's."
    ),
]
WEIGHTS = Annotated[
    str | None,
    typer.Option(help="Which pretrained weights, as `weights list` shows. Default: the first in that list."),
]
RANDOM_WEIGHTS = Annotated[
    bool, typer.Option("--random-weights", help="Leave the backbone untrained: only to try things out.")
]
INPUT_SIZE = Annotated[
    str,
    typer.Option(metavar="PIXELS", help="Of the network: the side of a square, or HEIGHTxWIDTH such as 256x512."),
]
FIT = Annotated[
    str,
    typer.Option(
        help="How a photograph is brought to it. squash: stretched, as the papers do. pad: its proportions are kept, "
        "with a border. crop: they are kept, and what sticks out is cut off and not inspected."
    ),
]
TILES = Annotated[
    str | None,
    typer.Option(
        metavar="ROWSxCOLUMNS",
        help="For small defects: cut each photograph into tiles of the input size, such as 2x3; or auto:PIXELS for "
        "tiles that each show so many pixels of it. Cost grows with the tiles.",
    ),
]
TILE_OVERLAP = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Of neighbouring tiles, 0 to 0.5 of a tile. Default: 0.25.")
]
TILE_MEMORY = Annotated[
    bool, typer.Option("--tile-memory", help="Let few tiles at a time through the network: less memory.")
]
ROI = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AREA",
        help="Inspect this and nothing else: a picture of a mask, white inside, or corners in pixels of the "
        "photograph, 'X,Y X,Y X,Y', two for a rectangle. May be repeated.",
    ),
]
IGNORE = Annotated[
    list[str] | None,
    typer.Option(metavar="AREA", help="Do not inspect this, such as a serial number; as --roi. May be repeated."),
]
NORMALIZATION = Annotated[
    str, typer.Option(help="weights: as the weights were trained with. paper: ImageNet's for every backbone.")
]
PRECISION = Annotated[
    str,
    typer.Option(
        help="float32, or int8: networks compute in 8-bit integers, a third of the size; the backbone is rounded "
        "first, and everything else is learned from what that computes."
    ),
]
TOLERATE = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=SEVERITY,...",
        help="What is no defect, such as noise=2,brightness=2,blur=1,shift=2,rotation=1, each 0 to 5; also contrast "
        "and jpeg. line: those five. Copies that are varied so far are learned from (copies=2 of each photograph), and "
        "the rate is kept for them.",
    ),
]
SEED = Annotated[int, typer.Option(help="Of every random choice; the same seed makes the same detector.")]
RECIPE = Annotated[
    str | None,
    typer.Option(help="For methods that train a student: `--set recipe=NAME` in short. fast, or paper as published."),
]
FALSE_ALARM_RATE = Annotated[float, typer.Option(help="The share of good parts that may be called anomalous.")]
CALIBRATION = Annotated[
    str,
    typer.Option(
        help="split: a share of the good photographs only sets the threshold. cross: all serve for both, each scored "
        "by a detector that has not seen it; the fit is repeated. auto: cross where that is quick and needed."
    ),
]
CALIBRATION_FRACTION = Annotated[float, typer.Option(help="The share that `--calibration split` holds out.")]
GROUP = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Photographs of one part: folder, number:GAP or time:SECONDS between them, a regular expression on names "
        "(its first group is the part), or none. Default: near-duplicates, found by themselves.",
    ),
]
DROP_SUSPECTS = Annotated[
    bool,
    typer.Option(
        "--drop-suspects",
        help="Leave out good photographs that score far above the others, and learn again. Default: name them.",
    ),
]
STATE = Annotated[
    bool,
    typer.Option(
        "--state",
        help="Keep what `flawspot update` needs to learn from new photographs later on without these, in a .state file "
        "beside the artifact: features of photographs, which tell of them; guard it as you guard these. It goes with "
        "--calibration split alone.",
    ),
]
STATE_MEGABYTES = Annotated[
    int | None,
    typer.Option(metavar="MIB", help="What those features may take together; it goes with --state. Default: 64."),
]
STRICT = Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be read.")]
CACHE = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Keep the backbone's features of all good photographs here: other methods, seeds and settings on the "
        "same photographs and layers start from them. Files of another version or other photographs are not used.",
    ),
]
CACHE_MEMORY = Annotated[
    int,
    typer.Option(metavar="MIB", min=0, max=2**30, help="Without --cache: features beyond this go to a temporary file."),
]
CACHE_DTYPE = Annotated[str, typer.Option(help="float32, or float16: half the size, rounded to 11 bits.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


_OF_THE_COMMAND = (
    *("data", "from_list", "good", "recipe", "setting", "as_json"),
    *("cache", "cache_memory", "cache_dtype", "state_megabytes"),
)
"""Options that `flawspot.train` does not take by these names."""


def train(
    context: typer.Context,
    output: OUTPUT,
    data: DATA = None,
    from_list: LIST = None,
    good: GOOD = None,
    method: METHOD = DEFAULT_METHOD,
    backbone: BACKBONE = "mobilenet_v2",
    layers: LAYERS = None,
    weights: WEIGHTS = None,
    random_weights: RANDOM_WEIGHTS = False,
    input_size: INPUT_SIZE = "224",
    fit: FIT = "squash",
    tiles: TILES = None,
    tile_overlap: TILE_OVERLAP = None,
    tile_memory: TILE_MEMORY = False,
    roi: ROI = None,
    ignore: IGNORE = None,
    normalization: NORMALIZATION = "weights",
    precision: PRECISION = "float32",
    tolerate: TOLERATE = None,
    seed: SEED = 0,
    recipe: RECIPE = None,
    setting: Settings = None,
    false_alarm_rate: FALSE_ALARM_RATE = 0.01,
    calibration: CALIBRATION = "auto",
    calibration_fraction: CALIBRATION_FRACTION = 0.2,
    group: GROUP = None,
    drop_suspects: DROP_SUSPECTS = False,
    state: STATE = False,
    state_megabytes: STATE_MEGABYTES = None,
    strict: STRICT = False,
    cache: CACHE = None,
    cache_memory: CACHE_MEMORY = DEFAULT_CACHE_MEMORY,
    cache_dtype: CACHE_DTYPE = "float32",
    as_json: JSON = False,
) -> None:
    """Learn what good parts look like, and write one .onnx file that finds what differs."""
    options = {name: value for name, value in context.params.items() if name not in _OF_THE_COMMAND}
    options |= {"roi": roi or (), "ignore": ignore or ()}
    if state_megabytes is not None:
        if not state:
            raise ConfigurationError("--state-megabytes goes with --state: add it, or leave both out")
        options["state"] = state_megabytes
    settings = parse_settings(setting) | ({} if recipe is None else {"recipe": recipe})
    folder = open_given(data, from_list, good)
    run, cache_type = _load_torch()
    # Without a folder nobody else will use the features, so none are computed but those that training needs.
    with cache_type(cache, memory=cache_memory << 20, dtype=cache_dtype, shared=cache is not None) as features:
        try:
            artifact = run(folder, **options, settings=settings, cache=features, progress=DISPLAY)
        except KeyboardInterrupt:
            if cache is not None and len(features):
                note(f"the features are kept in {cache}: the next run with it starts from them")
            raise
    _show(output, artifact, folder, as_json)


def _load_torch() -> tuple[Callable[..., Artifact], type[FeatureCache]]:
    """What is imported as late as can be: it takes seconds, and more where the disk is slow."""
    with DISPLAY.step("loading torch"):
        from flawspot.training import train
        from flawspot.training.feature_cache import FeatureCache
    return train, FeatureCache


def _show(output: Path, artifact: Artifact, folder: ImageFolder, as_json: bool) -> None:
    from flawspot.data.samples import name_below

    manifest = artifact.manifest
    skipped = set(manifest.training.skipped)
    folder = folder.without(path for path in folder.train if name_below(path, folder.root) in skipped)
    if as_json:
        seconds, data = manifest.training.seconds, folder.as_dict()
        print_json({"artifact": str(output), "seconds": seconds, "manifest": manifest.as_dict(), "data": data})
    else:
        print_data(folder)
        _print(output, artifact)


def _state(output: Path, artifact: Artifact) -> list[tuple[str, str]]:
    if artifact.state is None:
        return []
    from flawspot.runtime.state import CALIBRATION, beside

    kept = len(artifact.state.of(CALIBRATION))
    size = f"{artifact.state.nbytes / 2**20:.1f} MiB"
    return [("state", f"{beside(output)} ({size}), with features of {kept} held-out photographs")]


def _print(output: Path, artifact: Artifact) -> None:
    manifest = artifact.manifest
    training, calibration = manifest.training, manifest.calibration
    held_out = f", {training.validation_images} to choose the epoch" if training.validation_images else ""
    skipped = f", {len(training.skipped)} unreadable and left out" if training.skipped else ""
    skipped += f", {len(training.dropped)} left out as suspects" if training.dropped else ""
    seconds_by_phase = ", ".join(f"{name} {value:.1f}" for name, value in training.seconds.items())
    print_pairs(
        [
            ("artifact", f"{output} ({len(artifact.model) / 2**20:.1f} MiB)"),
            *_state(output, artifact),
            ("detector", f"{manifest.method} on {manifest.backbone.name} {list(manifest.backbone.taps)}"),
            ("images", f"{training.images} to learn from{held_out}, {scored(calibration)} for the threshold{skipped}"),
            *threshold_rows(calibration),
            ("seconds", f"{sum(training.seconds.values()):.1f} ({seconds_by_phase})"),
        ]
    )
