"""``flawspot train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.calibration import scored, threshold_rows
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.data import GOOD, LIST, open_given, print_data
from flawspot.cli.outputs import refuse_input
from flawspot.cli.settings import Settings, parse_settings
from flawspot.errors import ConfigurationError
from flawspot.methods import DEFAULT_METHOD
from flawspot.progress.display import DISPLAY
from flawspot.runtime.state import MOST_MEGABYTES

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
        help="A layer group (low, mid, high, equiv, paste, stages), equiv:REFERENCE for the equivalents of another "
        "backbone's layers, or indices such as 3,8,14. Default: the method's."
    ),
]
WEIGHTS = Annotated[
    str | None,
    typer.Option(help="Which pretrained weights; `weights list` lists them. Default: the first in that list."),
]
RANDOM_WEIGHTS = Annotated[
    bool, typer.Option("--random-weights", help="Give the backbone random weights, only to try things out.")
]
INPUT_SIZE = Annotated[
    str,
    typer.Option(metavar="PIXELS", help="Input size: the side of a square, or HEIGHTxWIDTH such as 256x512."),
]
FIT = Annotated[
    str,
    typer.Option(
        help="How a photograph is fitted to the input size. squash: stretched, as in the papers. pad: its proportions "
        "are kept, with a border. crop: they are kept, and what sticks out is cut off and not inspected."
    ),
]
TILES = Annotated[
    str | None,
    typer.Option(
        metavar="ROWSxCOLUMNS",
        help="For small defects: cut each photograph into tiles of the input size, such as 2x3. With auto:PIXELS each "
        "tile shows that many pixels of the photograph. The cost grows with the number of tiles.",
    ),
]
TILE_OVERLAP = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Overlap of neighbours, 0 to 0.5 of a tile. Default: 0.25.")
]
TILE_MEMORY = Annotated[
    bool, typer.Option("--tile-memory", help="Run the network on a few tiles at a time, which takes less memory.")
]
ROI = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AREA",
        help="Inspect only this area: a mask picture, white inside, or corners 'X,Y X,Y X,Y' in pixels of the "
        "photograph (two for a rectangle). Repeatable.",
    ),
]
IGNORE = Annotated[
    list[str] | None,
    typer.Option(metavar="AREA", help="Leave out this area, such as a serial number; given as for --roi. Repeatable."),
]
NORMALIZATION = Annotated[
    str, typer.Option(help="weights: mean and deviation that the weights were trained with. paper: ImageNet's.")
]
PRECISION = Annotated[
    str,
    typer.Option(
        help="float32, or int8: networks compute in 8-bit integers and take a third of the size. The backbone is "
        "quantized first, and the rest is learned from its features."
    ),
]
TOLERATE = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=SEVERITY,...",
        help="Variations that are not defects, such as noise=2,shift=1 (severities 0 to 5 of noise, brightness, blur, "
        "shift, rotation, contrast and jpeg); line stands for noise=2, brightness=2, blur=1, shift=2 and rotation=1. "
        "It also learns from varied copies (copies=2 of each photograph), and keeps the false-alarm rate for them.",
    ),
]
SEED = Annotated[int, typer.Option(help="Seed of every random choice. The same seed makes the same detector.")]
RECIPE = Annotated[
    str | None,
    typer.Option(help="How a student is trained: fast, or paper as published. Short for `--set recipe=NAME`."),
]
FALSE_ALARM_RATE = Annotated[float, typer.Option(help="The share of good parts that may be called anomalous.")]
CALIBRATION = Annotated[
    str,
    typer.Option(
        help="split: a share of the good photographs is held out to set the threshold. cross: all are learned from, "
        "and each is scored by a detector that has not seen it, so the fit is repeated. auto: cross if it is quick and "
        "needed."
    ),
]
CALIBRATION_FRACTION = Annotated[float, typer.Option(help="The share that `--calibration split` holds out.")]
GROUP = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Which photographs show the same part: folder, number:GAP or time:SECONDS between them, a regular "
        "expression on names (its first group is the part), or none. Default: near-duplicates, found automatically.",
    ),
]
DROP_SUSPECTS = Annotated[
    bool,
    typer.Option(
        "--drop-suspects",
        help="Leave out good photographs that score unusually high, and train again. Default: only name them.",
    ),
]
STATE = Annotated[
    bool,
    typer.Option(
        "--state",
        help="Write a .state file beside the artifact, so that `flawspot update` can learn from new photographs "
        "without these. It holds features of the photographs, which reveal something of them: protect it as you "
        "protect the photographs. Only with --calibration split.",
    ),
]
STATE_MEGABYTES = Annotated[
    int | None,
    typer.Option(
        metavar="MIB",
        min=1,
        max=MOST_MEGABYTES,
        help="With --state: the most that all features in it may take. Default: 64.",
    ),
]
STRICT = Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be read.")]
CACHE = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Keep the backbone's features of all good photographs here. Training with other methods, seeds and "
        "settings on the same photographs and layers reuses them. Files of other versions or photographs are ignored.",
    ),
]
CACHE_MEMORY = Annotated[
    int,
    typer.Option(metavar="MIB", min=0, max=2**30, help="Without --cache: features beyond this go to a temporary file."),
]
CACHE_DTYPE = Annotated[
    str, typer.Option(help="Number format of kept features: float32, or float16 (half the size, rounded to 11 bits).")
]
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
    """Learn what good parts look like, and write one .onnx file that finds deviations."""
    options = {name: value for name, value in context.params.items() if name not in _OF_THE_COMMAND}
    options |= {"roi": roi or (), "ignore": ignore or ()}
    if state_megabytes is not None:
        if not state:
            raise ConfigurationError("--state-megabytes goes with --state: add it, or leave both out")
        options["state"] = state_megabytes
    refuse_input(output)
    settings = parse_settings(setting) | ({} if recipe is None else {"recipe": recipe})
    folder = open_given(data, from_list, good)
    run, cache_type = _load_torch()
    # Without a folder nobody else will use the features, so only those that training needs are computed.
    with cache_type(cache, memory=cache_memory << 20, dtype=cache_dtype, shared=cache is not None) as features:
        try:
            artifact = run(folder, **options, settings=settings, cache=features, progress=DISPLAY)
        except KeyboardInterrupt:
            if cache is not None and len(features):
                note(f"the features are kept in {cache}: the next run with it starts from them")
            raise
    _show(output, artifact, folder, as_json)


def _load_torch() -> tuple[Callable[..., Artifact], type[FeatureCache]]:
    """Import torch as late as possible, because it takes seconds, and more on a slow disk."""
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
