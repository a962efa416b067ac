"""Hostile inputs by the thousand, each tried in a child process that is watched; see docs/trust.md."""
