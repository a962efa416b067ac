"""Checks photographs of good parts before training."""

from flawspot.checking.check import Check, check

__all__ = ["Check", "check"]
