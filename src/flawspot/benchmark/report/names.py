"""Names, order, colours and markers in tables and figures."""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Iterable, Iterator

BACKBONES = {
    "mobilenet_v2": "MobileNetV2",
    "mcunet_in3": "MCUNet",
    "phinet": "PhiNet",
    "micronet_m1": "MicroNet",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "wide_resnet50_2": "WideResNet50",
}
METHODS = {"patchcore": "PatchCore", "padim": "PaDiM", "cfa": "CFA", "stfpm": "STFPM", "paste": "PaSTe"}
LAYERS = {"low": "low", "mid": "mid", "high": "high", "equiv": "equiv", "paste": "paste"}
OWN_LAYERS = {"paste": "paste"}
"""Layer groups of methods that the paper compares on other layers than the equivalent ones."""
LETTERS = {"low": "L", "mid": "M", "high": "H", "equiv": "E"}
DATA = {
    "mvtec_ad": "MVTec AD",
    "visa": "VisA",
    "btad": "BTAD",
    "mvtec_loco": "MVTec LOCO",
    "mvtec_3d": "MVTec 3D-AD (RGB)",
    "mvtec_3d_ad": "MVTec 3D-AD (RGB)",
    "magnetic_tile": "Magnetic tiles",
}
RANDOM = "random weights"

# Okabe and Ito's colours, which keep apart under every kind of colour blindness; a little darker where they were pale.
_METHOD_COLOURS = {"patchcore": "#0072B2", "padim": "#E69F00", "cfa": "#009E73", "stfpm": "#CC79A7", "paste": "#D55E00"}
_OTHER_COLOURS = ("#56B4E9", "#8C6BB1", "#7F7F7F", "#A6761D", "#4D9221")
_BACKBONE_MARKERS = {
    "mobilenet_v2": "o",
    "mcunet_in3": "D",
    "phinet": "s",
    "micronet_m1": "^",
    "efficientnet_lite0": "v",
    "wide_resnet50_2": "P",
}
_OTHER_MARKERS = ("X", "h", "<", ">", "p", "8", "*", "d", "H")
_GOLDEN = 0.618033988749895


def plain(text: object, limit: int | None = None) -> str:
    """`text` in one line without control characters and broken code points; cut to `limit` characters."""
    line = "".join(c if c.isprintable() else "?" for c in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def joined(*parts: str) -> str:
    """The parts of a name in one line, without the empty ones."""
    return " · ".join(filter(None, parts))


def number_of(count: int, one: str, many: str = "") -> str:
    """Such as 1 run, 1,200 runs. `many` is `one` with an s unless it is given."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def short(text: str) -> str:
    """`text` shortened for a figure, where long names would leave no room. The tables have it in full."""
    return plain(text, 32)


def legend_name(text: str) -> str:
    """`text` for a legend or a tick, with the mark of random weights on a line of its own."""
    name, mark, _ = text.partition(f" ({RANDOM})")
    return f"{short(name)}\n({RANDOM})" if mark else short(name)


def backbone_name(backbone: str, random_weights: bool = False) -> str:
    """The display name of a backbone, marked if the network is untrained."""
    name = BACKBONES.get(backbone, plain(backbone))
    return f"{name} ({RANDOM})" if random_weights else name


def method_name(label: str) -> str:
    """The display name of a method. The label of a variant stays as its user wrote it."""
    return METHODS.get(label, plain(label))


def own_layers(method: str) -> str:
    """The layer group on which the paper compares a method."""
    return OWN_LAYERS.get(method, "equiv")


def data_name(data: str) -> str:
    """The data set's name as the report shows it."""
    return DATA.get(data, plain(data))


def rank(name: str, known: Iterable[str]) -> tuple[int, str]:
    """A sort key: known names in their order, then the others by name."""
    order = list(known)
    return (order.index(name) if name in order else len(order), name)


def method_colours(labels: dict[str, str]) -> dict[str, str]:
    """A colour for each label, given the method behind it: the method's own if it is free, else one of the others."""
    colours: dict[str, str] = {}
    ordered = sorted(labels, key=lambda label: (label != labels[label], rank(label, METHODS)))
    for label in ordered:
        own = _METHOD_COLOURS.get(labels[label])
        if own is None or own in colours.values():
            own = next(colour for colour in _other_colours() if colour not in colours.values())
        colours[label] = own
    return colours


def _other_colours() -> Iterator[str]:
    """Colours for methods without one of their own: first the chosen ones, then endless hues far from each other."""
    yield from _OTHER_COLOURS
    for number in itertools.count():
        # Steps of the golden ratio keep successive hues far apart. The lightness changes with every step.
        rgb = colorsys.hls_to_rgb(number * _GOLDEN % 1, 0.30 + 0.12 * (number % 3), 0.55)
        yield "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


def backbone_markers(backbones: Iterable[str]) -> dict[str, str]:
    """A marker of matplotlib for each backbone."""
    markers: dict[str, str] = {}
    others = itertools.cycle(_OTHER_MARKERS)
    for backbone in sorted(set(backbones), key=lambda name: rank(name, BACKBONES)):
        markers[backbone] = _BACKBONE_MARKERS.get(backbone) or next(others)
    return markers
