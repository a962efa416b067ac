"""A look at photographs of good parts before anything is learned from them."""

from flawspot.checking.check import Check, check

__all__ = ["Check", "check"]
