"""Measures a detector on photographs that it has never seen."""

from flawspot.evaluation.run import MEMORY, Alteration, Evaluation, evaluate

__all__ = ["MEMORY", "Alteration", "Evaluation", "evaluate"]
