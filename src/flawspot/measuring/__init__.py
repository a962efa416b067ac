"""Processes in which something is timed and its memory taken, and what runs in them."""
