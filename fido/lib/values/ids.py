"""Identifiers made in Python, so that no table that grows needs a sequence."""

import uuid
from collections.abc import Iterable

from uuid_utils.compat import uuid7

BLOCK_SIZE = 2**20


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): unique without coordination, and ordered by the time it was made."""
    return uuid7()


def new_id_after(previous: uuid.UUID | None) -> uuid.UUID:
    """A new id that is greater than another one, whatever the clock of who made that."""
    made = new_id()
    return made if previous is None or made > previous else uuid.UUID(int=previous.int + 1)


class Block:
    """Up to BLOCK_SIZE ids in a row, and with all likelihood nobody else's between them.

    Many records that are made at once have theirs from one block, so that where all of them lie
    can be said in two ids. They are UUIDv7 as well, in the order of their numbers.
    """

    def __init__(self) -> None:
        # 54 random or counted bits below the milliseconds stay: enough to tell blocks apart.
        self._first = new_id().int & ~(BLOCK_SIZE - 1)

    def id(self, number: int) -> uuid.UUID:
        """Raises ValueError beyond the block."""
        if not 0 <= number < BLOCK_SIZE:
            raise ValueError("a block has no such number")
        return uuid.UUID(int=self._first + number)


def ranges(ids: Iterable[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """The first and the last of the ids in each block, in order."""
    found: dict[int, list[uuid.UUID]] = {}
    for each in sorted(ids):
        ends = found.setdefault(each.int // BLOCK_SIZE, [each, each])
        ends[1] = each
    return [(first, last) for first, last in found.values()]
