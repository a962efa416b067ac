"""PatchCore: the method, its numerics and its costs."""

from flawspot.methods.patchcore.method import PatchCore

__all__ = ["PatchCore"]
