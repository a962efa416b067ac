"""Jury: several methods on one pass of the backbone, how their maps become one, and what they cost."""

from flawspot.methods.jury.method import Jury

__all__ = ["Jury"]
