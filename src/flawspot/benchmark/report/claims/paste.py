"""Section 5.3, abstract and conclusion: PaSTe against STFPM."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flawspot.benchmark.report.claims.pairing import SAVED, Comparison, Quantity, Side, but_method, compared, small
from flawspot.benchmark.report.claims.subjects import (
    AS_GOOD,
    F1,
    FITTING,
    LATENCY,
    LIGHT,
    LIGHT_BACKBONES,
    MEASURED_POINTS,
    MOBILENET,
    PAPER_MACS,
    PAPER_MEMORY,
    PASTE,
    POINTS,
    STFPM,
    TRAINING_MACS,
    TRAINING_RAM,
    backbone,
)
from flawspot.benchmark.report.claims.verdict import Claim, Evidence, Place, Wanted, claim, judged
from flawspot.benchmark.report.results import Results

INFERENCE_SAVED, TRAINING_SAVED, RAM_SAVED, MEMORY_SAVED = 24.9, 33.3, 76.2, 3.9
"""Table 2, in per cent."""
MOST_RAM_SAVED, MOST_COMPUTATION_SAVED = 87.0, 50.0
"""On the best of four backbones, section 1."""
TIME_SAVED, TRAINING_TIME_SAVED, HALF = 25.0, 33.0, 50.0
"""Abstract, and what the conclusion says of the training time."""


def as_accurate(results: Results) -> Claim:
    """ "These advantages are achieved while achieving similar performance"."""
    return claim(
        "paste-f1",
        "5.3",
        "PaSTe is as accurate as STFPM",
        f"it loses at most {AS_GOOD:g}, which table 2 calls very similar",
        [judged(_accuracy(results, LIGHT), Wanted(least=-AS_GOOD))],
    )


def better_on_mobilenet(results: Results) -> Claim:
    """ "In the case of some backbones like MobileNetV2, even better performance"."""
    return claim(
        "paste-better-on-mobilenet",
        "5.3",
        "On MobileNetV2 PaSTe is more accurate than STFPM",
        "the difference is above 0",
        [judged(_accuracy(results, MOBILENET), Wanted(least=0.0, strictly=True))],
    )


def better_for_small_defects(results: Results) -> Claim:
    """ "The performance for small anomalies appears to be slightly improved with PaSTe"."""
    found = _accuracy(results, LIGHT, only=small(results))
    return claim(
        "paste-for-small",
        "5.3",
        "For small defects PaSTe is slightly more accurate than STFPM",
        "the difference is above 0 in categories with small defects",
        [judged(found, Wanted(least=0.0, strictly=True))],
    )


def inference_saved(results: Results) -> Claim:
    """Table 2: 454.4 and 341.2 MMAC."""
    return _counted(results, "paste-inference", "less inference", PAPER_MACS, INFERENCE_SAVED)


def latency_saved(results: Results) -> Claim:
    """ "PaSTe decreases the inference time by 25%" (abstract), "by 30%" (conclusion)."""
    found = _saving(results, LIGHT, LATENCY)
    return claim(
        "paste-latency",
        "abstract",
        f"PaSTe takes {TIME_SAVED:g} % less time for inference than STFPM",
        f"it saves at least {TIME_SAVED - MEASURED_POINTS:g} %: the abstract's figure less the {MEASURED_POINTS:g} "
        "points by which that of the conclusion differs",
        [judged(found, Wanted(least=TIME_SAVED - MEASURED_POINTS))],
    )


def memory_hardly_saved(results: Results) -> Claim:
    """ "The memory footprint of the model does not see great improvement and is reduced by 3.9%"."""
    found = _saving(results, MOBILENET, PAPER_MEMORY)
    return claim(
        "paste-memory",
        "5.3, table 2",
        f"PaSTe's detector takes {MEMORY_SAVED:g} % less memory than STFPM's",
        f"it saves so much within {POINTS:g} point, on MobileNetV2",
        [judged(found, Wanted(MEMORY_SAVED - POINTS, MEMORY_SAVED + POINTS))],
    )


def training_saved(results: Results) -> Claim:
    """Table 2: 297.5 and 198.4 MMAC."""
    return _counted(results, "paste-training", "less training computation", TRAINING_MACS, TRAINING_SAVED)


def ram_saved(results: Results) -> Claim:
    """Table 2: 96.15 and 22.9 MB."""
    return _counted(results, "paste-training-ram", "less RAM in training", TRAINING_RAM, RAM_SAVED)


def training_time_saved(results: Results) -> Claim:
    """ "Reducing the training time by 33%" (abstract)."""
    return _training_time(results, "paste-training-time", "abstract", TRAINING_TIME_SAVED)


def training_time_halved(results: Results) -> Claim:
    """ "PaSTe can reduce more than half the training time" (conclusion)."""
    return _training_time(results, "paste-training-time-halved", "6", HALF)


def similar_on_others(results: Results) -> Claim:
    """ "Similar improvements are achieved for the MobileNetV2, PhiNet, and MCUNet backbones"."""
    judges = []
    for name in ("mcunet_in3", "phinet"):
        for quantity, share in (
            (PAPER_MACS, INFERENCE_SAVED),
            (TRAINING_MACS, TRAINING_SAVED),
            (TRAINING_RAM, RAM_SAVED),
        ):
            found = _saving(results, backbone(name), quantity)
            judges.append(judged(found, Wanted(least=share - MEASURED_POINTS)))
    return claim(
        "paste-others",
        "5.3",
        "PaSTe saves as much on MCUNet and PhiNet as on MobileNetV2",
        "each saving of inference, training computation and training RAM reaches table 2's less "
        f"{MEASURED_POINTS:g} points",
        judges,
    )


def micronet_gains_little(results: Results) -> Claim:
    """ "Instead, MicroNet shows limited gains"."""
    judges = []
    for quantity in (PAPER_MACS, TRAINING_MACS, TRAINING_RAM):
        small_one, usual = (_saving(results, side, quantity) for side in (backbone("micronet_m1"), MOBILENET))
        judges.append(judged(_less(small_one, usual), Wanted(most=0.0, strictly=True)))
    return claim(
        "paste-micronet",
        "5.3",
        "On MicroNet PaSTe saves less than on MobileNetV2",
        "each saving of inference, training computation and training RAM is the smaller one",
        judges,
    )


def most_ram_saved(results: Results) -> Claim:
    """ "Up to 87% reduction in training memory" (section 1)."""
    return _up_to(results, "paste-up-to-ram", "RAM in training", (TRAINING_RAM,), MOST_RAM_SAVED)


def most_computation_saved(results: Results) -> Claim:
    """ "And 50% reduction in computation" (section 1), which does not say of what: inference or training."""
    return _up_to(
        results, "paste-up-to-computation", "computation", (PAPER_MACS, TRAINING_MACS), MOST_COMPUTATION_SAVED
    )


def _accuracy(results: Results, side: Side, only: Collection[Place] | None = None) -> Evidence:
    return compared(results, Comparison(PASTE, STFPM, side, F1, but_method, only=only))


def _saving(results: Results, side: Side, quantity: Quantity) -> Evidence:
    return compared(results, Comparison(PASTE, STFPM, side, quantity, but_method, SAVED))


def _counted(results: Results, key: str, what: str, quantity: Quantity, share: float) -> Claim:
    found = _saving(results, MOBILENET, quantity)
    return claim(
        key,
        "5.3, table 2",
        f"PaSTe takes {share:g} % {what} than STFPM",
        f"it saves at least {share - POINTS:.1f} %, on MobileNetV2: table 2's figure less {POINTS:g} point",
        [judged(found, Wanted(least=share - POINTS))],
    )


def _training_time(results: Results, key: str, section: str, share: float) -> Claim:
    found = _saving(results, LIGHT, FITTING)
    return claim(
        key,
        section,
        f"PaSTe takes {share:g} % less time for training than STFPM",
        f"it saves at least {share - MEASURED_POINTS:g} % of the students' training alone, by the same recipe",
        [judged(found, Wanted(least=share - MEASURED_POINTS))],
    )


def _up_to(results: Results, key: str, what: str, quantities: Sequence[Quantity], share: float) -> Claim:
    """A saving that one backbone reaches."""
    judges = []
    for name in LIGHT_BACKBONES:
        for quantity in quantities:
            found = _saving(results, backbone(name), quantity)
            judges.append(judged(found, Wanted(least=share - POINTS)))
    rule = f"on one of the four light networks it saves at least {share - POINTS:g} %: the paper's figure less 1 point"
    return claim(key, "1", f"PaSTe saves up to {share:g} % of {what}", rule, judges, any_of=True)


def _less(first: Evidence, second: Evidence) -> Evidence:
    """The difference of two savings, in points, where both are known."""
    figures = {
        place: first.figures[place] - second.figures[place] for place in first.figures if place in second.figures
    }
    reason = "" if figures else first.reason or second.reason or "no category that both were run on"
    what = f"{first.what}, less that on MobileNetV2"
    untrained = bool(figures) and (first.random_weights or second.random_weights)
    return Evidence(what, figures, min(first.pairs, second.pairs), first.unit, True, reason, untrained)
