"""A model card in Markdown: what an artifact says of itself, for whoever must decide whether to use it."""

from flawspot.card.write import model_card

__all__ = ["model_card"]
