"""``flawspot costs``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flawspot.cli.console import err, note, out, print_json, styled
from flawspot.cli.costs_tables import print_measured, print_parts, print_training
from flawspot.cli.detectors import TRUSTED_KEYS
from flawspot.cli.settings import Settings, parse_settings
from flawspot.errors import ConfigurationError
from flawspot.extras import install_command
from flawspot.methods import DEFAULT_METHOD

if TYPE_CHECKING:
    from flawspot.costs.detector_costs import DetectorCosts
    from flawspot.data.tolerances import Tolerance
    from flawspot.measuring.processes import Latency, TrainingRun
    from flawspot.runtime.manifest import Manifest
    from flawspot.runtime.view import View

PHOTOGRAPHS = 8
"""How many of a folder's photographs are predicted in turn while measuring."""

TOLERATE = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=SEVERITY,...",
        help="Variations that are not defects; see `flawspot train`. Training then costs more, as it also learns from "
        "varied copies of each photograph. Not with an artifact, which holds its own.",
    ),
]
MEASURE = Annotated[
    bool,
    typer.Option(
        "--measure",
        help="Also measure, in separate processes: latency and memory of the artifact and of its backbone alone. With "
        "--data, the memory of training too.",
    ),
]


def costs(
    artifact: Annotated[
        Path | None, typer.Argument(help="A trained detector, an .onnx file. Default: --backbone and --method.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Backbone of a detector that has not been trained.")] = "mobilenet_v2",
    method: Annotated[str, typer.Option(help="`flawspot methods` lists them.")] = DEFAULT_METHOD,
    layers: Annotated[
        str | None,
        typer.Option(help="A layer group, equiv:REFERENCE or indices such as 3,8,14. Default: the method's."),
    ] = None,
    input_size: Annotated[
        str, typer.Option(metavar="PIXELS", help="Side of the photographs, or HEIGHTxWIDTH such as 256x512.")
    ] = "224",
    tiles: Annotated[
        str, typer.Option(metavar="ROWSxCOLUMNS", help="Tiles to cut a photograph into, each of the input size.")
    ] = "1x1",
    precision: Annotated[
        str, typer.Option(help="What networks compute in: float32 or int8. `stored` is for this precision.")
    ] = "float32",
    tolerate: TOLERATE = None,
    setting: Settings = None,
    images: Annotated[int, typer.Option(max=10**9, help="How many photographs the method is fitted on.")] = 200,
    measure: MEASURE = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Photographs to measure with, in the MVTec layout or a plain folder of good ones."),
    ] = None,
    trusted_keys: TRUSTED_KEYS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what each part of a detector stores and computes: of a trained artifact, or of a planned one.

    For a planned detector nothing is trained, and neither photographs nor weights are needed.
    """
    _check_options(artifact, measure, data, trusted_keys, tolerate)
    settings: dict[str, Any] = dict(parse_settings(setting))
    if artifact is not None:
        from flawspot.runtime.signature import read_trusted

        manifest = read_trusted(artifact, trusted_keys or None).manifest
        view = manifest.view
        found, subject = _artifact_costs(manifest), _named_artifact(artifact, manifest)
        settings = dict(manifest.hyperparameters)
    else:
        from flawspot.data.tolerances import as_tolerance

        manifest, view = None, _view(input_size, tiles)
        subject = _named(backbone, method, layers, view, precision, as_tolerance(tolerate))
        found = _planned_costs(subject, settings, images)
    latencies = {} if not measure or artifact is None else _measure_artifact(artifact, manifest, data)
    training = _measure_training(data, subject, settings, view) if measure and data is not None else None

    if as_json:
        print_json({**subject, **found.as_dict(), **({"measured": _measured(latencies, training)} if measure else {})})
        return
    print_parts(found, stored=artifact is not None or precision != "float32")
    if artifact is None and _at_most(method):
        out.print(styled("These are upper bounds. The exact sizes are known once it is trained.", "dim"))
    print_training(found.training)
    print_measured(latencies, training)


def _check_options(
    artifact: Path | None, measure: bool, data: Path | None, trusted_keys: list[Path] | None, tolerate: str | None
) -> None:
    if data is not None and not measure:
        raise ConfigurationError("--data goes with --measure")
    if artifact is None and measure and data is None:
        raise ConfigurationError("without an artifact only training can be measured: give photographs with --data")
    if artifact is None and trusted_keys:
        raise ConfigurationError("--trusted-key goes with an artifact: give the signed .onnx file")
    if artifact is not None and tolerate is not None:
        raise ConfigurationError(f"{artifact} already states what it tolerates: leave --tolerate out")
    if data is not None:
        from flawspot.data.folders import open_folder

        open_folder(data)  # so that errors in the folder are told before the rest is computed


def _at_most(method: str) -> bool:
    """Whether what a method stores and computes depends on the photographs."""
    from flawspot.methods.registry import method_class

    return method_class(method).planned_at_most


def _measured(latencies: dict[str, list[Latency]], training: TrainingRun | None) -> dict[str, Any]:
    measured: dict[str, Any] = {name: [each.as_dict() for each in runs] for name, runs in latencies.items()}
    if training is not None:
        measured["training"] = training.as_dict()
    return measured


def _planned_costs(subject: dict[str, Any], settings: dict[str, Any], images: int) -> DetectorCosts:
    from flawspot.costs.configuration import configuration_costs

    return configuration_costs(**subject, settings=settings, images=images)


def _artifact_costs(manifest: Manifest) -> DetectorCosts:
    from flawspot.costs.detector_costs import stored_costs

    if not _can_train():
        note(f"torch is missing, so these are the artifact's own figures: `{install_command('train')}` for the rest")
        return stored_costs(manifest)
    from flawspot.costs.configuration import artifact_costs

    try:
        return artifact_costs(manifest)
    except ConfigurationError as error:
        note(f"these are the artifact's own figures, as its configuration is of another flawspot version: {error}")
        return stored_costs(manifest)


def _can_train() -> bool:
    return importlib.util.find_spec("torch") is not None


def _named_artifact(artifact: Path, manifest: Manifest) -> dict[str, Any]:
    from flawspot.data.tolerances import Tolerance

    backbone, tolerated = manifest.backbone, manifest.calibration.tolerated
    named = _named(
        backbone.name,
        manifest.method,
        backbone.layers,
        manifest.view,
        manifest.precision,
        None if tolerated is None else Tolerance(tolerated.severities, tolerated.copies),
    )
    return {"artifact": str(artifact), "file_bytes": artifact.stat().st_size, **named}


def _view(input_size: str, tiles: str) -> View:
    from flawspot.training.viewing import request_view

    request = request_view(input_size, "squash", tiles, None, (), ())
    if isinstance(request.tiles, int):
        raise ConfigurationError("the number of tiles of auto:PIXELS depends on the photographs: give ROWSxCOLUMNS")
    return request.resolved([request.size])


def _named(
    backbone: str, method: str, layers: str | None, view: View, precision: str, tolerance: Tolerance | None
) -> dict[str, Any]:
    named: dict[str, Any] = {"backbone": backbone, "method": method, "layers": layers}
    size = view.height if view.height == view.width else view.size
    tolerate = None if tolerance is None else tolerance.text
    return {**named, "input_size": size, "tiles": view.tiles, "precision": precision, "tolerate": tolerate}


def _measure_artifact(artifact: Path, manifest: Manifest | None, data: Path | None) -> dict[str, list[Latency]]:
    from flawspot.measuring.processes import measure_backbone, measure_model

    assert manifest is not None
    photographs: Sequence[Path] = ()
    if data is not None:
        from flawspot.data.folders import open_folder

        photographs = open_folder(data).train[:PHOTOGRAPHS]
    else:
        note("measured on noise. Some methods, such as PatchCore, depend on the photographs: give some with --data")
    with err.status("measuring"):
        latencies = {"detector": measure_model(artifact, view=manifest.view, photographs=photographs)}
        if _can_train():
            latencies["backbone"] = measure_backbone(manifest, photographs=photographs)
    return latencies


def _measure_training(data: Path, subject: dict[str, Any], settings: dict[str, Any], view: View) -> TrainingRun:
    from flawspot.backbones.registry import family
    from flawspot.backbones.weights import find
    from flawspot.measuring.processes import measure_training
    from flawspot.methods.registry import method_class

    backbone, method = subject["backbone"], subject["method"]
    shortest = method_class(method).shortest_fit
    if shortest:
        settings = {**settings, **shortest}
        shown = ", ".join(f"{name}={value}" for name, value in shortest.items())
        note(f"training is measured with {shown}, which takes the same memory but less time")
    untrained = find(backbone, family(backbone).weights) is None
    if untrained:
        note(f"there are no weights of {backbone} here: measured with random ones, which take the same memory")
    with err.status("measuring"):
        return measure_training(
            data,
            random_weights=untrained,
            settings=settings,
            backbone=backbone,
            method=method,
            layers=subject["layers"],
            input_size=view.size,
            fit=view.fit,
            tiles=(view.rows, view.columns),
            tolerate=subject["tolerate"],
        )
