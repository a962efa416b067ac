"""A model card in Markdown, made from an artifact's manifest, for people who decide whether to use it."""

from flawspot.card.write import model_card

__all__ = ["model_card"]
