"""The drawings of the documentation, made by flawspot itself from a product that it draws."""
