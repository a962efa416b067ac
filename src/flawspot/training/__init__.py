"""The one road: photographs -> features -> method -> graph -> calibrated, verified artifact."""

from flawspot.training.road import train

__all__ = ["train"]
