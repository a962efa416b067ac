"""Copies and frames of one part are found, different parts are not taken for one."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flawspot.data.corruptions import corrupt
from flawspot.data.near_duplicates import descriptor, near_duplicates
from flawspot.runtime.reduced import read_photograph


def parts(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Photographs of different parts: a disc each, with a pattern of its own."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:96, :96]
    disc = np.hypot(rows - 48, columns - 48) < 40
    found = []
    for _ in range(count):
        pattern = np.kron(generator.normal(size=(12, 12)), np.ones((8, 8)))
        grey = np.clip(60 + disc * (80 + 30 * pattern), 0, 255)
        found.append(np.repeat(grey[:, :, None], 3, 2).astype(np.uint8))
    return found


def groups(photographs: list[NDArray[np.uint8]]) -> list[int]:
    return near_duplicates(np.array([descriptor(photograph.mean(axis=2)) for photograph in photographs])).tolist()


def test_different_parts_stay_apart() -> None:
    assert groups(parts(12)) == list(range(12))


@pytest.mark.parametrize("name", ["noise", "jpeg", "brightness", "blur"])
def test_frames_of_one_part_come_together(name: str) -> None:
    pictures = parts(8)
    frames = [corrupt(picture, name, 1, seed) for seed, picture in enumerate(pictures)]
    assert groups(pictures + frames) == [*range(8), *range(8)]


def test_every_photograph_twice_in_another_size() -> None:
    pictures = parts(6)
    doubled = [picture.repeat(2, 0).repeat(2, 1) for picture in pictures]
    assert groups([p for pair in zip(pictures, doubled, strict=True) for p in pair]) == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        5,
        5,
    ]


def test_many_photographs_in_blocks() -> None:
    generator = np.random.default_rng(0)
    descriptors = generator.normal(size=(2500, 64)).astype(np.float32)
    descriptors[2400] = descriptors[3]
    found = near_duplicates(descriptors)
    assert found[2400] == 3
    assert len(set(found.tolist())) == 2499


def test_groups_do_not_grow_along_a_chain() -> None:
    """A part that turns a little from one photograph to the next: a ring, of which no two halves are one part."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    assert len(set(near_duplicates(ring).tolist())) > 10


@pytest.mark.parametrize("count", [0, 1])
def test_few(count: int) -> None:
    assert near_duplicates(np.zeros((count, 4), np.float32)).tolist() == list(range(count))


def test_blank_photographs_are_all_alike() -> None:
    generator = np.random.default_rng(0)
    blank = [generator.integers(100, 103, (64, 64, 3)).astype(np.uint8) for _ in range(4)]
    assert len(set(groups([*parts(4), *blank]))) == 5


@pytest.mark.real_data
@pytest.mark.parametrize("product", ["bottle", "pill"])
def test_real_parts_stay_apart(product: str, real_data: Path) -> None:
    paths = sorted((real_data / "mvtec_ad" / product / "train" / "good").iterdir())[:60]
    assert groups([read_photograph(path, 224).pixels for path in paths]) == list(range(60))
