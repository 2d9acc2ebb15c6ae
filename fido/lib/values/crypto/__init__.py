"""Encrypted columns, their keys, and how to find a value that the database cannot read."""
