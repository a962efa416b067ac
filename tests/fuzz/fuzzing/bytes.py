"""Mutations of bytes of any kind, and numbers that are likely to hurt."""

from __future__ import annotations

import random
import struct

NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 4096, 9999, 10_000, 20_000, 65_535, 65_536, 100_000)
LARGE_NUMBERS = (10**6, 10**9, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**33, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def mutated(data: bytes, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """One to three mutations, one after the other; `others` are files to cross it with."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if len(data) < 16:
            break
        data = _once(bytearray(data), rng, others)
    return data


def _once(data: bytearray, rng: random.Random, others: tuple[bytes, ...]) -> bytes:
    place = rng.randrange(len(data))
    kind = rng.choice(
        ("flip", "flip", "head", "number", "number", "cut", "insert", "delete", "repeat", "zero", "cross")
    )
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 3, 20, 100))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "head":
        for _ in range(rng.choice((1, 2, 6))):
            data[rng.randrange(min(len(data), 120))] = rng.choice((0, 1, 2, 4, 127, 128, 255, rng.randrange(256)))
    elif kind == "number":
        layout = rng.choice(("<I", ">I", "<H", ">H", "<Q", ">Q"))
        size = struct.calcsize(layout)
        place = rng.randrange(min(len(data), rng.choice((64, 300, len(data)))) - 8)
        value = rng.choice(NUMBERS + LARGE_NUMBERS) & (1 << 8 * size) - 1
        data[place : place + size] = struct.pack(layout, value)
    elif kind == "cut":
        del data[rng.choice((place, len(data) - rng.randrange(1, min(200, len(data))))) :]
    elif kind == "insert":
        data[place:place] = rng.randbytes(rng.choice((1, 4, 100, 5000)))
    elif kind == "delete":
        del data[place : place + rng.choice((1, 2, 8, 50, 500))]
    elif kind == "repeat":
        end = rng.randrange(place, min(len(data), place + 5000))
        data[end:end] = data[place:end] * rng.choice((1, 2, 30))
    elif kind == "zero":
        length = min(rng.randrange(1, 512), len(data) - place)
        data[place : place + length] = bytes(length)
    elif kind == "cross" and others:
        other = rng.choice(others)
        place = rng.randrange(min(len(data), len(other)))
        data[place:] = other[place:]
    return bytes(data)
