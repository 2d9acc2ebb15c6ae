"""Encrypted columns, the keys they are under, and how to find a value that cannot be read."""
