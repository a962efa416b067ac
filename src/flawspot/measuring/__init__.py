"""Measures time and memory in separate processes."""
