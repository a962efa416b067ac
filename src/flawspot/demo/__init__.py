"""The whole work flow on photographs that flawspot makes itself, and a page with the results."""
