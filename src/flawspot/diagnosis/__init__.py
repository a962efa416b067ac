"""What is installed here and whether it works: what a report of a fault needs."""

from flawspot.diagnosis.examine import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
