"""The whole job on photographs that flawspot makes itself, and a page that shows how it went."""
