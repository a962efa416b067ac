"""Makes a new artifact from an old one and new good photographs, without the old photographs."""

from flawspot.updating.report import Report
from flawspot.updating.road import Updated, update

__all__ = ["Report", "Updated", "update"]
