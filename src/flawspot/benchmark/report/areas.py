"""The mean area of the defects in each category."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.benchmark.record import DONE, Record


def areas(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """By data set and category: the share of a defective photograph that defects cover, in (0, 1]; where it is known.

    Args:
        records: runs without a stream.
    """
    found: dict[tuple[str, str], float] = {}
    # Untouched photographs at the smallest input come first, so that the choice does not depend on the runs' order.
    for record in sorted(records, key=lambda r: (bool(r.cell.variation), r.cell.input_size, r.key)):
        metrics, place = record.metrics, (record.cell.data, record.cell.category)
        pixels, images = metrics.get("pixels"), metrics.get("images")
        defective, photographs = metrics.get("defective_pixels"), metrics.get("defective_images")
        if record.status == DONE and place not in found and pixels and images and defective and photographs:
            found[place] = (defective / photographs) / (pixels / images)
    return found
