"""Section 5.1 and table 3: the methods against each other on light networks, their accuracy, memory and time."""

from __future__ import annotations

import math

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.claims.pairing import TIMES, Comparison, Quantity, but_method, compared, plain
from flawspot.benchmark.report.claims.subjects import (
    AS_GOOD,
    F1,
    LATENCY,
    LIGHT,
    LIGHT_BACKBONES,
    MACS,
    MEMORY,
    MOBILENET,
    PAPER_MACS,
    PAPER_MEMORY,
    method,
)
from flawspot.benchmark.report.claims.verdict import Claim, Evidence, Place, Wanted, claim, judged
from flawspot.benchmark.report.names import method_name
from flawspot.benchmark.report.results import Results, flat

_SIX = 5.5
"""Rounds to six."""
BANK = "memory bank"
"""PatchCore's part that keeps normal patches."""
GROWS = 0.5
"""The bank's bytes over the photographs, as an exponent: 1 would be in proportion."""
_MORE_PHOTOGRAPHS = 1.2
"""Times as many, so that an exponent can be told."""


def cfa_leads(results: Results) -> Claim:
    """Table 3: CFA .55, PatchCore and PaSTe .53, STFPM .52, PaDiM .49."""
    others = ("patchcore", "paste", "stfpm", "padim")
    return claim(
        "cfa-leads",
        "5.1, table 3",
        "On light networks CFA is the most accurate method",
        "it is above each other method, on the paper's layers",
        [judged(_against(results, "cfa", other), Wanted(least=0.0, strictly=True)) for other in others],
    )


def padim_is_last(results: Results) -> Claim:
    """As `cfa_leads`."""
    others = ("cfa", "patchcore", "paste", "stfpm")
    return claim(
        "padim-last",
        "5.1, table 3",
        "On light networks PaDiM is the least accurate method",
        "it is below each other method, on the paper's layers",
        [judged(_against(results, "padim", other), Wanted(most=0.0, strictly=True)) for other in others],
    )


def paste_is_as_good_as_patchcore(results: Results) -> Claim:
    """Table 3: .53 both."""
    return claim(
        "paste-as-patchcore",
        "5.1, table 3",
        "On light networks PaSTe is as accurate as PatchCore",
        f"it loses at most {AS_GOOD:g}",
        [judged(_against(results, "paste", "patchcore"), Wanted(least=-AS_GOOD))],
    )


def _against(results: Results, one: str, other: str) -> Evidence:
    return compared(results, Comparison(method(one), method(other), LIGHT, F1, but_method))


def banks_take_more_memory(results: Results) -> Claim:
    """ "This value could still be too demanding for many tiny devices, so other methods like CFA and STFPM could be
    preferred"."""
    return _lightest(results, "cfa-stfpm-lightest", PAPER_MEMORY, "as the paper counts it")


def banks_take_more_memory_as_stored(results: Results) -> Claim:
    """The same of everything that an artifact stores."""
    return _lightest(results, "cfa-stfpm-lightest-as-stored", MEMORY, "of all that is stored here")


def _lightest(results: Results, key: str, quantity: Quantity, way: str) -> Claim:
    judges = []
    for heavy in ("patchcore", "padim"):
        for light in ("cfa", "stfpm"):
            sides = (method(heavy), method(light))
            found = compared(results, Comparison(*sides, MOBILENET, quantity, but_method, TIMES))
            judges.append(judged(found, Wanted(least=1.0, strictly=True)))
    return claim(
        key,
        "5.1",
        f"CFA and STFPM take the least memory, PatchCore and PaDiM more ({way})",
        "each of PatchCore and PaDiM takes more than each of CFA and STFPM, on MobileNetV2",
        judges,
    )


def stfpm_is_faster_than_cfa(results: Results) -> Claim:
    """ "When considering the inference time, the STFPM is around six times smaller"."""
    return _six_times(results, "stfpm-faster-than-cfa", PAPER_MACS, "as the paper counts it")


def stfpm_is_faster_than_cfa_as_computed(results: Results) -> Claim:
    """The same of everything that an artifact computes."""
    return _six_times(results, "stfpm-faster-than-cfa-as-computed", MACS, "of all that is computed here")


def stfpm_is_faster_than_cfa_as_measured(results: Results) -> Claim:
    """The same of measured latencies."""
    return _six_times(results, "stfpm-faster-than-cfa-as-measured", LATENCY, "as measured latency")


def _six_times(results: Results, key: str, quantity: Quantity, way: str) -> Claim:
    found = compared(results, Comparison(method("cfa"), method("stfpm"), MOBILENET, quantity, but_method, TIMES))
    return claim(
        key,
        "5.1",
        f"STFPM's inference is around six times smaller than CFA's ({way})",
        f"the factor is at least {_SIX:g}, on MobileNetV2",
        [judged(found, Wanted(least=_SIX))],
    )


def bank_grows(results: Results) -> Claim:
    """ "Additional memory is required to store the training normal patches" (section 3.1)."""
    return claim(
        "bank-grows",
        "3.1, 5.1",
        "PatchCore's memory bank grows with the photographs that are learned from",
        f"bytes over photographs, as an exponent between categories of one detector, are at least {GROWS:g} (1 is in "
        "proportion, 0 a bank of a fixed size)",
        [judged(_growth(results), Wanted(least=GROWS))],
    )


def _growth(results: Results) -> Evidence:
    """The exponent between each category and that with the fewest photographs, by detector."""
    found: dict[Place, list[float]] = {}
    asked = False
    for data in results.data():
        for setup in results.setups(data):
            if setup.method != "patchcore" or setup.backbone not in LIGHT_BACKBONES or not plain(setup, counted=True):
                continue
            asked = True
            known = sorted(
                (record.training_images, size, record.cell.category)
                for record in flat(results.runs(data, setup))
                if record.status == DONE and record.training_images and (size := bank_bytes(record))
            )
            for images, size, category in known[1:]:
                if images >= _MORE_PHOTOGRAPHS * known[0][0] and category != known[0][2]:
                    exponent = math.log(size / known[0][1]) / math.log(images / known[0][0])
                    found.setdefault((data, category), []).append(exponent)
    means = {place: sum(exponents) / len(exponents) for place, exponents in sorted(found.items())}
    nothing = f"no two categories with different numbers of photographs ({_MORE_PHOTOGRAPHS:g} times as many)"
    reason = "" if means else nothing if asked else f"{method_name('patchcore')} on light networks: not run"
    every = [exponent for exponents in found.values() for exponent in exponents]
    extremes = (min(every), max(every)) if every else None
    what = "PatchCore's bank, exponent of growth"
    return Evidence(what, means, len(every), counted=True, reason=reason, extremes=extremes)


def bank_bytes(record: Record) -> int:
    """Of PatchCore's memory bank."""
    return sum(part.bytes for part in record.parts if part.name == BANK)
