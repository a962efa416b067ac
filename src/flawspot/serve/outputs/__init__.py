"""Results to other systems: each output is a thread that follows the record, and delivers every result at least once.

An output keeps nothing in memory that could be lost: it remembers on the disk up to which row everything was taken,
and begins there again after whatever has ended it. What was taken just before may come twice; by its number a receiver
knows it again.
"""
