"""AUROC, AP, F1-max and AUPRO at image and pixel level, and what happens at the shipped threshold."""

from flawspot.metrics.curves import AUPRO_LIMIT, RankedScores
from flawspot.metrics.measure import Metrics, measure

__all__ = ["AUPRO_LIMIT", "Metrics", "RankedScores", "measure"]
