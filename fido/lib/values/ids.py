"""Identifiers made in Python, so that no growing table needs a sequence."""

import uuid
from collections.abc import Iterable

from uuid_utils.compat import uuid7

BLOCK_SIZE = 2**20


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): unique without coordination, ordered by creation time."""
    return uuid7()


def new_id_after(previous: uuid.UUID | None) -> uuid.UUID:
    """A new id greater than another one, even if the other's clock was ahead."""
    made = new_id()
    return made if previous is None or made > previous else uuid.UUID(int=previous.int + 1)


class Block:
    """Up to BLOCK_SIZE consecutive ids, almost certainly with no other ids between them.

    Records made together take their ids from one block, so two ids describe where all of them are.
    They are UUIDv7 too, in the order of their numbers.
    """

    def __init__(self) -> None:
        # 54 random or counted bits remain below the milliseconds: enough to tell blocks apart.
        self._first = new_id().int & ~(BLOCK_SIZE - 1)

    def id(self, number: int) -> uuid.UUID:
        """The id with this number. Raises ValueError beyond the block."""
        if not 0 <= number < BLOCK_SIZE:
            raise ValueError("a block has no such number")
        return uuid.UUID(int=self._first + number)


def between(first: uuid.UUID, last: uuid.UUID) -> range:
    """The numbers of all ids of a block from the first to the last, both included."""
    return range(first.int, last.int + 1)


def ranges(ids: Iterable[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """The first and the last id of each block, in order."""
    found: dict[int, list[uuid.UUID]] = {}
    for each in sorted(ids):
        ends = found.setdefault(each.int // BLOCK_SIZE, [each, each])
        ends[1] = each
    return [(first, last) for first, last in found.values()]
