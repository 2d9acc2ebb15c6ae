"""Types of the arguments that management commands take."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError("must be a whole number of at least 1")
    return int(text)
