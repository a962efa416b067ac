"""The station's HTTP API. It needs the extra ``flawspot[serve]``."""
