"""PaDiM: the method, its numerics and its costs."""

from flawspot.methods.padim.method import PaDiM

__all__ = ["PaDiM"]
