"""Rows in fewer bits: every distance is the one to the decoded rows."""

import numpy as np
import pytest
import torch

from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.stored_rows import RoundedRows, StoredRows, store, with_one

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(count=40, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, generator=generator) * torch.logspace(-3, 2, channels)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_the_interface_is_that_of_the_decoded_rows(precision):
    rounded = RoundedRows(rows(), precision)
    decoded = rounded.take(torch.arange(40))
    plain = StoredRows(decoded)
    queries = with_one(rows(7, seed=1))
    torch.testing.assert_close(rounded.table(queries), plain.table(queries))
    torch.testing.assert_close(rounded.partial(queries, 5, 9), plain.partial(queries, 5, 9))
    index = torch.tensor([[3, 1], [39, 3]])
    torch.testing.assert_close(rounded.take_augmented(index), plain.take_augmented(index))


def test_int8_is_off_by_half_a_step_of_its_channel_and_takes_a_quarter():
    given = rows(500)
    rounded = RoundedRows(given, "int8")
    steps = given.abs().amax(0) / 127
    assert ((rounded.take(torch.arange(500)) - given).abs() <= 0.501 * steps).all()
    assert rounded.rows.dtype == torch.int8
    assert rounded.rows.nbytes == 500 * 6
    assert RoundedRows(given, "float16").rows.nbytes == 2 * 500 * 6


def test_a_channel_that_is_nothing_stays_nothing():
    given = rows()
    given[:, 2] = 0
    assert (RoundedRows(given, "int8").take(torch.arange(40))[:, 2] == 0).all()


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_the_hierarchical_search_is_exact_among_the_rows_that_are_kept(precision):
    generator = torch.Generator().manual_seed(0)
    channels, grids = (3, 4, 6), ((8, 8), (4, 4), (2, 2))

    def maps(count):
        return {g: 3 + torch.randn(count, c, *g, generator=generator) for c, g in zip(channels, grids, strict=True)}

    def patches(of):
        same = [m.repeat_interleave(8 // g[0], 2).repeat_interleave(8 // g[1], 3) for g, m in of.items()]
        return torch.cat(same, 1).permute(0, 2, 3, 1).flatten(0, 2).numpy()

    bank, queries = np.ascontiguousarray(patches(maps(3))), maps(2)
    search = HierarchicalSearch(bank, channels, grids, None, precision, candidates=(2, 8), chunk=16)
    distance, slot = search(queries)
    kept = torch.stack([search.vectors(torch.tensor([place]))[0] for place in range(search.width * search.blocks)])
    mean = torch.from_numpy(bank.mean(axis=0))
    want = torch.cdist(torch.from_numpy(patches(queries)) - mean, kept).min(1).values.reshape(2, -1)
    torch.testing.assert_close(distance, want, rtol=1e-3, atol=1e-3)
    assert slot.shape == distance.shape
    exact = NearestNeighbour(bank, list(grids))(queries)[0]
    torch.testing.assert_close(distance, exact, rtol=0.05, atol=0.05)


def test_what_is_not_rounded_is_stored_as_it_was():
    bank = rows().numpy()
    everything = np.arange(40), np.arange(6), np.zeros(6, np.float32)
    assert isinstance(store(bank, *everything), StoredRows)
    assert isinstance(store(bank, *everything, None, "int8"), RoundedRows)
