"""Foreign CSV: what its columns mean, stated by a mapping or found in the file.

Nothing here imports Django, so that the processes that encode imports stay small.
"""
