"""The pages of the station: the one at the line is drawn by its script, the engineer's is written here."""
