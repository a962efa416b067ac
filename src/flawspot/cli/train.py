"""``flawspot train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import note, print_json, print_pairs
from flawspot.errors import ConfigurationError
from flawspot.progress.display import DISPLAY

DEFAULT_CACHE_MEMORY = 1024


def train(
    data: Annotated[Path, typer.Argument(help="Photographs of good parts: a folder of them, or the MVTec layout.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The artifact to write, an .onnx file.")],
    method: Annotated[str, typer.Option(help="patchcore, padim, cfa, stfpm or paste.")] = "paste",
    backbone: Annotated[str, typer.Option(help="The pretrained network that features come from.")] = "mobilenet_v2",
    layers: Annotated[
        str | None,
        typer.Option(
            help="A layer group (low, mid, high, equiv, paste), equiv:REFERENCE for the layers that stand for those of "
            "another backbone, or indices such as 3,8,14. Default: the method's."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Which pretrained weights, as `weights list` shows. Default: the first there."),
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Leave the backbone untrained: only to try things out.")
    ] = False,
    input_size: Annotated[int, typer.Option(help="Photographs are resized to a square of this many pixels.")] = 224,
    normalization: Annotated[
        str, typer.Option(help="weights: as the weights were trained with. paper: ImageNet's for every backbone.")
    ] = "weights",
    seed: Annotated[int, typer.Option(help="Of every random choice; the same seed makes the same detector.")] = 0,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="How to train students: fast, the default of paste, or paper, the published 100 epochs, that of stfpm."
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A hyperparameter of the method, such as bank_size=30000; repeatable."
        ),
    ] = None,
    false_alarm_rate: Annotated[
        float, typer.Option(help="The share of good parts that may be called anomalous.")
    ] = 0.01,
    calibration_fraction: Annotated[
        float, typer.Option(help="The share of the good photographs that only set the threshold.")
    ] = 0.2,
    strict: Annotated[bool, typer.Option("--strict", help="Fail at the first photograph that cannot be read.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the backbone's features of all good photographs here: other methods, seeds and settings on the "
            "same photographs and layers start from them. Files of another version or other photographs are not used.",
        ),
    ] = None,
    cache_memory: Annotated[
        int, typer.Option(metavar="MIB", help="Without --cache: features beyond this go to a temporary file.")
    ] = DEFAULT_CACHE_MEMORY,
    cache_dtype: Annotated[
        str, typer.Option(help="float32, or float16 for features of half the size, rounded to 11 bits.")
    ] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn what good parts look like, and write one .onnx file that finds what differs."""
    settings = dict(_assignment(text) for text in setting or [])
    if recipe is not None:
        settings["recipe"] = recipe
    from flawspot.training.feature_cache import FeatureCache
    from flawspot.training.road import train as run

    own_cache = cache is not None or cache_memory != DEFAULT_CACHE_MEMORY or cache_dtype != "float32"
    with FeatureCache(cache, memory=cache_memory << 20, dtype=cache_dtype) as features:
        try:
            artifact = run(
                data,
                method=method,
                backbone=backbone,
                layers=layers,
                output=output,
                weights=weights,
                random_weights=random_weights,
                input_size=input_size,
                normalization=normalization,
                false_alarm_rate=false_alarm_rate,
                calibration_fraction=calibration_fraction,
                seed=seed,
                strict=strict,
                settings=settings,
                cache=features if own_cache else None,
                progress=DISPLAY,
            )
        except KeyboardInterrupt:
            if cache is not None and len(features):
                note(f"the features are kept in {cache}: the next run with it starts from them")
            raise
    manifest = artifact.manifest
    if as_json:
        seconds = manifest.training.seconds
        print_json({"artifact": str(output), "seconds": seconds, "manifest": manifest.as_dict()})
        return
    training, calibration = manifest.training, manifest.calibration
    held_out = f", {training.validation_images} to choose the epoch" if training.validation_images else ""
    skipped = f", {len(training.skipped)} unreadable and left out" if training.skipped else ""
    seconds_by_phase = ", ".join(f"{name} {value:.1f}" for name, value in training.seconds.items())
    print_pairs(
        [
            ("artifact", f"{output} ({len(artifact.model) / 2**20:.1f} MiB)"),
            ("detector", f"{manifest.method} on {manifest.backbone.name} {list(manifest.backbone.taps)}"),
            (
                "images",
                f"{training.images} to learn from{held_out}, {training.calibration_images} for the threshold{skipped}",
            ),
            ("threshold", f"{calibration.threshold:.6g} for a false-alarm rate of {calibration.promised_rate:.2g}"),
            ("seconds", f"{sum(training.seconds.values()):.1f} ({seconds_by_phase})"),
        ]
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"--set takes NAME=VALUE, such as bank_size=30000, not {text!r}")
    return name.strip(), value.strip()
