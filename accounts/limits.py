"""Lengths, in characters. It does not import Django: processes that encode imports use it too."""

MAX_NAME_LENGTH = 200
