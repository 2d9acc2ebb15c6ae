"""What everything else is made of: money, time, ids, errors, keys, strict JSON, metrics.

The lowest floor. It imports nothing else of Fido.
"""
