"""``flawspot backbones``."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from flawspot.cli.console import out, print_json, styled
from flawspot.methods.shapes import LARGEST_INPUT, SMALLEST_INPUT


def backbones(
    backbone: Annotated[
        str | None, typer.Argument(help="Show every layer of this one. Default: list all backbones.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="With a backbone: show the layers of a layer group, equiv:REFERENCE or a list of indices, with the "
            "share of MACs up to each. equiv:wide_resnet50_2 finds the equivalents of WideResNet-50-2's layers: "
            "nearest in their share of parameters. For MobileNetV2, MCUNet and MicroNet these are the paper's groups; "
            "for PhiNet they are not."
        ),
    ] = None,
    input_size: Annotated[
        int, typer.Option(min=SMALLEST_INPUT, max=LARGEST_INPUT, help="Side of the photographs in pixels.")
    ] = 224,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the backbones with their layer groups, or the layers of one with shapes and costs."""
    if layers is not None:
        if backbone is None:
            raise typer.BadParameter("--layers goes with the name of a backbone")
        _show_taps(backbone, layers, input_size, as_json)
    elif backbone is not None:
        _show_layers(backbone, input_size, as_json)
    else:
        _list_all(input_size, as_json)


def _show_taps(backbone: str, layers: str, input_size: int, as_json: bool) -> None:
    """The layers of a layer group, with their costs."""
    from flawspot.backbones.layer_costs import layer_costs
    from flawspot.backbones.layer_groups import equivalent, resolve

    costs = layer_costs(backbone, input_size)
    taps = [costs[tap] for tap in resolve(backbone, layers)]
    stands_for = equivalent(backbone, layers, input_size)
    if as_json:
        entry = {"backbone": backbone, "input_size": input_size, "layers": [tap.as_dict() for tap in taps]}
        print_json({**entry, **({} if stands_for is None else {"equivalent": dataclasses.asdict(stands_for)})})
        return
    for tap in taps:
        out.print(f"layer {tap.index:<3} {'x'.join(map(str, tap.shape)):<14} {tap.percent:6.2f} % of all MACs")
    if stands_for is not None:
        out.print(str(stands_for))


def _show_layers(backbone: str, input_size: int, as_json: bool) -> None:
    """Every layer of one backbone."""
    from flawspot.backbones.layer_costs import layer_costs
    from flawspot.backbones.registry import family

    costs = layer_costs(backbone, input_size)
    if as_json:
        print_json({"backbone": backbone, "input_size": input_size, "layers": [layer.as_dict() for layer in costs]})
        return
    table = Table("layer", "output", "MACs", "MACs so far", "% of all", "parameters so far", box=None, pad_edge=False)
    for layer in costs:
        shape = "x".join(map(str, layer.shape))
        figures = (f"{layer.macs:,}", f"{layer.macs_so_far:,}", f"{layer.percent:.2f}", f"{layer.parameters_so_far:,}")
        table.add_row(str(layer.index), shape, *figures)
    out.print(table)
    named = "   ".join(f"{name} {list(taps)}" for name, taps in family(backbone).layer_groups.items())
    out.print(f"groups: {named}")


def _list_all(input_size: int, as_json: bool) -> None:
    """Every backbone."""
    from flawspot.backbones.layer_costs import layer_costs
    from flawspot.backbones.registry import families
    from flawspot.backbones.weights import find

    rows = []
    for name, known in families().items():
        last = layer_costs(name, input_size)[-1]
        found = find(name, known.weights)
        at_hand = None if found is None else found[0].name
        groups = {group: list(taps) for group, taps in known.layer_groups.items()}
        rows.append(
            {
                "backbone": name,
                "last_layer": known.last,
                "parameters": last.parameters_so_far,
                "macs": last.macs_so_far,
                "weights_at_hand": at_hand,
                "layer_groups": groups,
                "source": known.source,
            }
        )
        if not as_json:
            size = f"{last.parameters_so_far / 1e6:7.3f} M parameters  {last.macs_so_far / 1e6:10.2f} MMAC"
            weights = f"weights {at_hand}" if at_hand else "no weights on this machine"
            out.print(styled(f"{name:<20}", "bold"), f"layers 0 to {known.last:<3} {size}  {weights}")
            out.print(f"{'':<20} {'   '.join(f'{group} {taps}' for group, taps in groups.items())}")
    if as_json:
        print_json({"input_size": input_size, "backbones": rows})
