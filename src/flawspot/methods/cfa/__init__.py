"""CFA: the method, its numerics and its costs."""

from flawspot.methods.cfa.method import CFA

__all__ = ["CFA"]
