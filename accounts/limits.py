"""Lengths, in characters. Django-free: the processes that encode imports read them too."""

MAX_NAME_LENGTH = 200
