"""Product quantization."""

import numpy as np
import pytest
import torch

from flawspot.methods.patchcore.product_quantizer import subspaces, train_quantizer
from flawspot.methods.patchcore.stored_rows import store, with_one


def test_subspaces_keep_to_their_tap_and_share_the_columns_fairly() -> None:
    assert [len(c) for c in subspaces((24, 64, 160), 8)] == [24, 32, 32, 32, 32, 32, 32, 32]
    assert [len(c) for c in subspaces((2, 2, 2), 1)] == [2, 2, 2]
    assert [len(c) for c in subspaces((1, 2), 8)] == [1, 1, 1]
    assert np.concatenate(subspaces((5, 7), 4)).tolist() == list(range(12))


def test_few_distinct_vectors_are_kept_exactly() -> None:
    distinct = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
    vectors = distinct[np.random.default_rng(1).integers(0, 16, 200)]
    quantizer = train_quantizer(vectors, subspaces((6,), 2), bits=4)
    np.testing.assert_array_equal(quantizer.decode(quantizer.encode(vectors)), vectors)


def test_more_bits_are_closer_and_the_seed_decides() -> None:
    vectors = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    columns = subspaces((8,), 4)
    errors = []
    for bits in (2, 4, 6, 8):
        quantizer = train_quantizer(vectors, columns, bits=bits, seed=1)
        errors.append(float(np.square(vectors - quantizer.decode(quantizer.encode(vectors))).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.5
    again = train_quantizer(vectors, columns, bits=8, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(quantizer.codebooks, again.codebooks, strict=True))


@pytest.mark.parametrize("quantized", [False, True])
def test_stored_rows_give_distances_and_themselves(quantized: bool) -> None:
    generator = np.random.default_rng(0)
    bank = generator.normal(2, 1, (300, 8)).astype(np.float32)
    quantizer = train_quantizer(bank, subspaces((3, 5), 3), bits=5) if quantized else None
    stored = bank if quantizer is None else quantizer.decode(quantizer.encode(bank))
    members, columns, mean = np.arange(10, 60), np.arange(3, 8), bank.mean(0)
    rows = store(bank, members, columns, mean, quantizer)
    want = stored[members][:, columns] - mean[columns]
    np.testing.assert_allclose(rows.take(torch.arange(50)), want, atol=1e-6)
    queries = torch.from_numpy(generator.normal(size=(7, 5)).astype(np.float32))
    distances = np.square(queries.numpy()[:, None] - want[None]).sum(2) - queries.square().sum(1, keepdim=True).numpy()
    np.testing.assert_allclose(rows.table(with_one(queries)).T, distances, atol=1e-4)
    np.testing.assert_allclose(rows.partial(with_one(queries), 5, 25), distances[:, 5:25], atol=1e-4)
