"""AUROC, AP, F1-max and AUPRO at image and pixel level, and the rates at the shipped threshold."""

from flawspot.metrics.curves import AUPRO_LIMIT, Curves, rank_scores
from flawspot.metrics.measure import Metrics, PixelMetrics, measure
from flawspot.metrics.pixels import PixelScores, rank_pixels

__all__ = ["AUPRO_LIMIT", "Curves", "Metrics", "PixelMetrics", "PixelScores", "measure", "rank_pixels", "rank_scores"]
