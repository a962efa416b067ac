"""Results for other systems. Each output is a thread that follows the record and delivers every result at least once.

An output saves the number of the last accepted row on the disk, and continues there after any interruption. Rows
accepted just before may be sent twice. The receiver recognizes them by their numbers.
"""
