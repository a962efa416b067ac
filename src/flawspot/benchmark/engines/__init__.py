"""Engines, which do the runs of a benchmark: this machine, or a Ray cluster."""
