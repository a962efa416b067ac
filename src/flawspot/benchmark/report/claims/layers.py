"""Section 5.2: how the layers that features are taken from decide."""

from __future__ import annotations

import math
from collections.abc import Collection

from flawspot.benchmark.report.claims.interval import slope_interval
from flawspot.benchmark.report.claims.pairing import (
    SMALL,
    Comparison,
    Quantity,
    Side,
    but_layers,
    but_network,
    compared,
    plain,
    small,
)
from flawspot.benchmark.report.claims.subjects import (
    AS_GOOD,
    EVERY_METHOD,
    F1,
    LARGE,
    LEAST_REGIONS,
    LIGHT,
    LIGHT_BACKBONES,
    LITTLE,
    METHODS,
    SMALL_F1,
    backbone,
    group,
)
from flawspot.benchmark.report.claims.verdict import (
    LEAST_CATEGORIES,
    SAME,
    Claim,
    Evidence,
    Judge,
    Part,
    Place,
    Wanted,
    claim,
    judged,
    part,
)
from flawspot.benchmark.report.names import data_name
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.statistics import comparable, seed_mean

_SMALL_CATEGORIES = f"in categories whose defects cover at most {SMALL:g} ‰ of the photograph on average"


def groups_are_similar(results: Results) -> Claim:
    """ "Similar performance is achieved for each backbone and layer, except for MicroNet", over all categories."""
    networks = backbone("mobilenet_v2", "mcunet_in3", "phinet")
    return claim(
        "groups-similar",
        "5.2",
        "Over all categories the groups of layers are about equally accurate (MicroNet left out)",
        f"low, mid and high each differ from equiv by at most {LITTLE:g} either way",
        [
            judged(_groups(results, "equiv", other, F1, networks=networks), Wanted(-LITTLE, LITTLE))
            for other in ("low", "mid", "high")
        ],
    )


def larger_defects_are_easier(results: Results) -> Claim:
    """ "Categories with larger anomalies have better performance, while the smaller ones perform worse"."""
    wanted = Wanted(least=0.0, strictly=True)
    return claim(
        "larger-easier",
        "5.2",
        "Categories with larger defects reach a higher pixel F1",
        "the slope of the mean pixel F1 over the logarithm of the mean area of defects is above 0, over the categories "
        "of the data set that has the most",
        [lambda confidence: _slope(results, wanted, confidence)],
    )


def _slope(results: Results, wanted: Wanted, confidence: float) -> Part:
    """For ten times the area; every category's mean is over the same detectors."""
    best: dict[Place, tuple[float, float]] = {}
    pairs, chosen = 0, None
    for data in results.data():
        setups = [
            setup
            for setup in results.setups(data)
            if setup.backbone in LIGHT_BACKBONES and setup.method in METHODS and plain(setup, counted=False)
        ]
        found = comparable(results, data, setups, F1.value)
        points = {}
        for category in found.categories:
            area = results.area(data, category)
            figures = [seed_mean(results.runs(data, setup)[category], F1.value) for setup in found.setups]
            if area and figures:
                points[data, category] = (math.log10(area), sum(one or 0.0 for one in figures) / len(figures))
        if len(points) > len(best):
            best, pairs, chosen = points, len(points) * len(found.setups), data
    x, y = [point[0] for point in best.values()], [point[1] for point in best.values()]
    name = f"slope for ten times the area{'' if chosen is None else ', ' + data_name(chosen)}"
    evidence = Evidence(name, {place: point[1] for place, point in best.items()}, pairs)
    if len(best) <= LEAST_CATEGORIES:
        reason = f"{len(best)} categories with defects of known areas, {LEAST_CATEGORIES + 1} are needed for a slope"
        return part(evidence, wanted, None, None, None, confidence, reason)
    if len(set(x)) == 1:
        reason = "the defects of all categories have the same mean area"
        return part(evidence, wanted, None, None, None, confidence, reason)
    slope, low, high = slope_interval(x, y, confidence)
    if high - low <= SAME:
        reason = "the figures lie on a line, so that the uncertainty of its slope is not known"
        return part(evidence, wanted, slope, None, None, confidence, reason)
    return part(evidence, wanted, slope, low, high, confidence, "")


def low_layers_find_small_defects(results: Results) -> Claim:
    """ "Among the low, middle, and high groups, the low group of layers is better than the other groups"."""
    only = small(results)
    return claim(
        "low-for-small-categories",
        "5.2",
        "For small defects the low layers are better than the mid and the high ones",
        f"low is above mid and above high, {_SMALL_CATEGORIES}",
        [_above(results, "low", other, F1, only) for other in ("mid", "high")],
    )


def low_layers_find_small_regions(results: Results) -> Claim:
    """The same of each small defect, whatever category it is of."""
    return claim(
        "low-for-small-defects",
        "5.2",
        "For small defects the low layers are better than the mid and the high ones, defect by defect",
        f"low is above mid and above high for the defects of at most {SMALL:g} ‰ of the photograph alone, in "
        f"categories with {LEAST_REGIONS} of them or more",
        [_above(results, "low", other, SMALL_F1, None) for other in ("mid", "high")],
    )


def equivalent_layers_find_small_defects(results: Results) -> Claim:
    """ "The best results for small anomalies are usually observed [with] the equivalent layer group as in the case of
    MobileNetV2 and MCUNet"."""
    only, networks = small(results), backbone("mobilenet_v2", "mcunet_in3")
    return claim(
        "equiv-for-small",
        "5.2",
        f"For small defects the equivalent layers are the best on {networks.name}",
        f"equiv is above low, mid and high, {_SMALL_CATEGORIES}",
        [_above(results, "equiv", other, F1, only, networks) for other in ("low", "mid", "high")],
    )


def equivalent_layers_are_the_compromise(results: Results) -> Claim:
    """ "A good solution to identify both small and large anomalies seems to involve selecting a group [...] that
    contains a combination of low-, middle- and high-depth layers"."""
    return claim(
        "equiv-compromise",
        "5.2",
        "The equivalent layers, from all depths, are the best compromise over all categories",
        f"equiv is as good as low, mid and high: it loses at most {AS_GOOD:g} against each",
        [judged(_groups(results, "equiv", other, F1), Wanted(least=-AS_GOOD)) for other in ("low", "mid", "high")],
    )


def large_network_finds_small_defects(results: Results) -> Claim:
    """ "When considering very small anomalies, larger backbones still have an advantage over edge backbones"."""
    found = compared(results, Comparison(LIGHT, LARGE, EVERY_METHOD, F1, but_network, only=small(results)))
    return claim(
        "large-for-small",
        "5.2",
        "For small defects WideResNet50 is better than the light networks",
        f"light networks are below it, {_SMALL_CATEGORIES}",
        [judged(found, Wanted(most=0.0, strictly=True))],
    )


def _above(
    results: Results,
    better: str,
    worse: str,
    quantity: Quantity,
    only: Collection[Place] | None,
    networks: Side = LIGHT,
) -> Judge:
    found = _groups(results, better, worse, quantity, only=only, networks=networks)
    return judged(found, Wanted(least=0.0, strictly=True))


def _groups(
    results: Results,
    one: str,
    other: str,
    quantity: Quantity,
    *,
    only: Collection[Place] | None = None,
    networks: Side = LIGHT,
) -> Evidence:
    return compared(results, Comparison(group(one), group(other), networks, quantity, but_layers, only=only))
