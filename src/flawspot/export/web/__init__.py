"""``--to web``: a folder for any static server, in which a browser inspects photographs."""
