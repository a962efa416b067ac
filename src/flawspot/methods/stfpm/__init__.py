"""STFPM and PaSTe: a student that follows its teacher, its schedules and its costs."""

from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe

__all__ = ["STFPM", "PaSTe"]
