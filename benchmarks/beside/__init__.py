"""Flawspot beside another library, for `benchmarks/peer.py`: one process for each side, which take turns."""
