"""Reads the files that banks give out: OFX, camt, MT940 and MT942, QIF.

A reader takes the bytes of a file and yields items as they come, in memory that does not grow with
the file. It knows nothing of users, wallets or databases, and does not import Django, so that the
processes that encode imports can use it.
"""
