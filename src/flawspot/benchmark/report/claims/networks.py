"""Section 5.1: lightweight networks against the large one, and against each other."""

from __future__ import annotations

from flawspot.benchmark.report.claims.pairing import TIMES, Comparison, but_network, compared
from flawspot.benchmark.report.claims.subjects import (
    AS_GOOD,
    EVERY_METHOD,
    F1,
    FACTOR,
    LARGE,
    LITTLE,
    METHODS,
    MOBILENET,
    PAPER_MACS,
    PAPER_MEMORY,
    STFPM,
    backbone,
    method,
)
from flawspot.benchmark.report.claims.verdict import Claim, Wanted, claim, judged
from flawspot.benchmark.report.results import Results
from flawspot.costs.tables import paper_tables


def little_is_lost(results: Results) -> Claim:
    """ "With minimal lowering of F1 score", table 3."""
    found = compared(results, Comparison(MOBILENET, LARGE, EVERY_METHOD, F1, but_network))
    return claim(
        "light-loses-little",
        "5.1",
        "On MobileNetV2 all methods are nearly as accurate as on WideResNet50",
        f"the mean loss is at most {LITTLE:g}: the paper calls .57 and .53 similar, and both are rounded",
        [judged(found, Wanted(least=-LITTLE))],
    )


def stfpm_loses_nothing(results: Results) -> Claim:
    """ "STFPM achieves the same WideResNet50 performance using MobileNetV2"."""
    found = compared(results, Comparison(MOBILENET, LARGE, STFPM, F1, but_network))
    return claim(
        "stfpm-loses-nothing",
        "5.1",
        "STFPM is as accurate on MobileNetV2 as on WideResNet50",
        f"it loses at most {AS_GOOD:g}, which table 2 calls very similar",
        [judged(found, Wanted(least=-AS_GOOD))],
    )


def memory_shrinks(results: Results) -> Claim:
    """Table 3's memory."""
    return _shrinks(results, "memory_mb", "light-memory", "MobileNetV2 takes a fraction of WideResNet50's memory")


def inference_shrinks(results: Results) -> Claim:
    """Table 3's multiply-accumulates; the text says 4 where its table says 40 for STFPM, and 4.4 for PatchCore's 44."""
    return _shrinks(
        results, "inference_mmac", "light-inference", "MobileNetV2 takes a fraction of WideResNet50's computation"
    )


def _shrinks(results: Results, name: str, key: str, text: str) -> Claim:
    quantity = {"memory_mb": PAPER_MEMORY, "inference_mmac": PAPER_MACS}[name]
    published = paper_tables()["table3"]
    judges, factors = [], []
    for one in METHODS:
        factor = published["wide_resnet50_2"][one][name] / published["mobilenet_v2"][one][name]
        found = compared(results, Comparison(LARGE, MOBILENET, method(one), quantity, but_network, TIMES))
        judges.append(judged(found, Wanted(least=FACTOR * factor)))
        factors.append(f"{method(one).name} {factor:.3g}")
    return claim(
        key,
        "5.1",
        f"{text} ({', '.join(factors)} times less)",
        f"each factor reaches {100 * FACTOR:g} % of that of table 3, counted as the paper counts",
        judges,
    )


def light_ones_are_similar(results: Results) -> Claim:
    """ "All the lightweight networks show similar performance"; the only exception is MicroNet."""
    judges = []
    for name in ("mcunet_in3", "phinet"):
        found = compared(results, Comparison(backbone(name), MOBILENET, EVERY_METHOD, F1, but_network))
        judges.append(judged(found, Wanted(-LITTLE, LITTLE)))
    return claim(
        "light-similar",
        "5.1",
        "MCUNet and PhiNet are about as accurate as MobileNetV2",
        f"each differs by at most {LITTLE:g} either way",
        judges,
    )


def micronet_is_too_small(results: Results) -> Claim:
    """ "The only exception is the MicroNet architecture, which shows low results"."""
    others = backbone("mobilenet_v2", "mcunet_in3", "phinet", called="the other light networks")
    found = compared(results, Comparison(backbone("micronet_m1"), others, EVERY_METHOD, F1, but_network))
    return claim(
        "micronet-too-small",
        "5.1",
        "MicroNet is too small: clearly less accurate than the other light networks",
        f"the mean loss is above {LITTLE:g}",
        [judged(found, Wanted(most=-LITTLE, strictly=True))],
    )
