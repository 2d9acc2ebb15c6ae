"""What everything is built from: money, time, ids, errors, keys, strict JSON, metrics.

The lowest layer. It imports nothing else from Fido.
"""
