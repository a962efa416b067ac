"""Executes the notebooks of ``examples`` without Jupyter, and keeps their files small and the same each time."""
