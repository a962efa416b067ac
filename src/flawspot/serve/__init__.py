"""The station: runs detectors on a line, with a page for the people there and a record of every verdict.

It needs the running half and the extra ``flawspot[serve]``; the record alone, and ``flawspot audit``, need neither.
"""
