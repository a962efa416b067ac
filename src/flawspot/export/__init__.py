"""An artifact translated for a target, behind a gate that compares the translation with the artifact."""
