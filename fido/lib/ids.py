"""Identifiers made in Python, so that no table that grows needs a sequence."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): unique without coordination, and ordered by the time it was made."""
    return uuid7()
