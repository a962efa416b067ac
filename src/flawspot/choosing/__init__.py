"""Chooses a detector for a user's good photographs and a device's budget."""

from flawspot.choosing.choice import Choice
from flawspot.choosing.choose import choose

__all__ = ["Choice", "choose"]
