"""The costs of a jury: sums over its members, which are fitted one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flawspot.methods.base import Method
from flawspot.methods.costs import FittingCosts
from flawspot.methods.shapes import Shapes

if TYPE_CHECKING:
    from flawspot.methods.jury.method import Jury


def seated(jury: Jury, shapes: Shapes) -> list[tuple[Method, Shapes]]:
    """Each unfitted member, with the shapes of its features."""
    found = []
    for _, method, taps in jury.seats(shapes.taps, shapes.backbone):
        layers = method.required(taps, shapes.backbone)
        own = {layer: shapes.maps[layer] for layer in layers}
        found.append((method, replace(shapes, taps=taps, maps=own)))
    return found


def fitting(jury: Jury, shapes: Shapes) -> FittingCosts | None:
    """The memory of the member that needs most, and the multiply-accumulates of all members for an epoch."""
    told = [method.training_costs(own) for method, own in seated(jury, shapes)]
    known = [costs for costs in told if costs is not None]
    if len(known) < len(told):
        return None

    def total(name: str) -> int:
        return sum(getattr(costs, name) * max(costs.epochs, 1) for costs in known)

    trained = any(costs.epochs for costs in known)
    return FittingCosts(
        items=max(known, key=lambda costs: sum(item.bytes for item in costs.items)).items,
        forward_macs=total("forward_macs"),
        backward_input_macs=total("backward_input_macs"),
        backward_weight_macs=total("backward_weight_macs"),
        epochs=1 if trained else 0,
        batch_size=max(costs.batch_size for costs in known),
        selection_macs=sum(costs.selection_macs for costs in known),
    )
