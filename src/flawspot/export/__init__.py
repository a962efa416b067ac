"""Translates an artifact for a target, behind a gate that compares the translation with the artifact."""
