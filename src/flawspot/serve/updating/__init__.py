"""Updates made at the station: from confirmed pictures to a candidate that waits for approval."""
