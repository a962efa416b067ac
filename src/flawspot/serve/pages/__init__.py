"""The station's pages. A script draws the page at the line; the engineer's page is written here."""
