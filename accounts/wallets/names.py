"""Valid wallet names. A name appears in paths, so what a path cannot hold is refused."""

import unicodedata

MAX_LENGTH = 20
# The wallet that a new customer gets without asking for one.
MAIN = "main"
# Control characters, such as those that hide or reverse neighbouring text, and line breaks.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class MalformedName(ValueError):
    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


def normalised(text: str) -> str:
    """NFC: one way to write an accented letter, so that names that look alike are equal."""
    return unicodedata.normalize("NFC", text).strip()


def parse(text: str) -> str:
    """The wallet name that a text means.

    Raises:
        MalformedName: it is empty, too long, `.` or `..`, or has a slash or invisible characters.
    """
    name = normalised(text)
    if not 0 < len(name) <= MAX_LENGTH:
        raise MalformedName(
            f"A wallet's name must have 1 to {MAX_LENGTH} characters.", "max-length"
        )
    if name in {".", ".."} or set("/\\").intersection(name):
        raise MalformedName(
            "A wallet's name must not be . or .., or contain a slash: it is part of a path."
        )
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise MalformedName("A wallet's name must not contain control characters.")
    return name
