"""Measures how small a defect a detector finds at its threshold, by pasted defects of known sizes and contrasts."""

from flawspot.smallest.measure import SmallestDefect, smallest_defect

__all__ = ["SmallestDefect", "smallest_defect"]
