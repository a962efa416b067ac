"""Pasted: the method, its network and its costs."""

from flawspot.methods.pasted.method import Pasted

__all__ = ["Pasted"]
