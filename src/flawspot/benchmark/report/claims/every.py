"""All claims, in the paper's order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.claims import layers, methods, networks, paste
from flawspot.benchmark.report.claims.verdict import Claim
from flawspot.benchmark.report.results import Results
from flawspot.errors import ConfigurationError, DataError

CLAIMS: tuple[Callable[[Results], Claim], ...] = (
    networks.little_is_lost,
    networks.stfpm_loses_nothing,
    networks.memory_shrinks,
    networks.inference_shrinks,
    networks.light_ones_are_similar,
    networks.micronet_is_too_small,
    methods.cfa_leads,
    methods.padim_is_last,
    methods.paste_is_as_good_as_patchcore,
    methods.banks_take_more_memory,
    methods.banks_take_more_memory_as_stored,
    methods.bank_grows,
    methods.stfpm_is_faster_than_cfa,
    methods.stfpm_is_faster_than_cfa_as_computed,
    methods.stfpm_is_faster_than_cfa_as_measured,
    layers.groups_are_similar,
    layers.larger_defects_are_easier,
    layers.low_layers_find_small_defects,
    layers.low_layers_find_small_regions,
    layers.equivalent_layers_find_small_defects,
    layers.equivalent_layers_are_the_compromise,
    layers.large_network_finds_small_defects,
    paste.as_accurate,
    paste.better_on_mobilenet,
    paste.better_for_small_defects,
    paste.inference_saved,
    paste.latency_saved,
    paste.memory_hardly_saved,
    paste.training_saved,
    paste.training_time_saved,
    paste.training_time_halved,
    paste.ram_saved,
    paste.similar_on_others,
    paste.micronet_gains_little,
    paste.most_ram_saved,
    paste.most_computation_saved,
)


def claims_of(results: Results) -> list[Claim]:
    """Each claim of the paper with the result of its test on the runs."""
    return [test(results) for test in CLAIMS]


def claims(records: Sequence[Record], data: Collection[str] = ()) -> list[Claim]:
    """`claims_of` for the runs on these data sets, or on all if none is named.

    Raises:
        DataError: no records.
        ConfigurationError: no run is of one of these data sets.
    """
    if not records:
        raise DataError("there is nothing to test: the store holds no runs. Run `flawspot benchmark run` first.")
    known = sorted({record.cell.data for record in records})
    for name in data:
        if name not in known:
            raise ConfigurationError(f"no run is of a data set {name!r}: there are {', '.join(known)}")
    return claims_of(Results([record for record in records if not data or record.cell.data in data]))
