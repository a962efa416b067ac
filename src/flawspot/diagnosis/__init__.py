"""Checks what is installed and whether it works, for bug reports."""

from flawspot.diagnosis.examine import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
