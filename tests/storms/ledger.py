"""State that the storm's processes share, in a file that all of them map."""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_USERS = 8
SOURCES = ("hit", "fast", "miss", "bypass", "warmed")
# For each user the acknowledged and the seen count, then how often each source answered, and how
# many answers were warmed.
SLOTS = 2 * MAX_USERS + len(SOURCES)


class Ledger:
    """Counters that only grow."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.ftruncate(self._file, 8 * SLOTS)
        self._map = mmap.mmap(self._file, 8 * SLOTS)
        # Requests of a writer that dies before it gets an answer.
        self.folder = Path(f"{path}.unanswered")
        self.folder.mkdir(exist_ok=True)

    def acknowledge(self, user: int) -> None:
        self._add(user)

    def see(self, user: int, seen: int) -> None:
        with self._locked():
            slot = MAX_USERS + user
            self._set(slot, max(self._get(slot), seen))

    def acknowledged(self, user: int) -> int:
        return self._get(user)

    def seen(self, user: int) -> int:
        return self._get(MAX_USERS + user)

    def all_acknowledged(self) -> int:
        return sum(self._get(user) for user in range(MAX_USERS))

    def count(self, source: str) -> None:
        self._add(2 * MAX_USERS + SOURCES.index(source))

    def sources(self) -> dict[str, int]:
        return {name: self._get(2 * MAX_USERS + n) for n, name in enumerate(SOURCES)}

    def _add(self, slot: int) -> None:
        with self._locked():
            self._set(slot, self._get(slot) + 1)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The lock ends with the process, so a killed one blocks nobody.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _get(self, slot: int) -> int:
        value: int = struct.unpack_from("q", self._map, 8 * slot)[0]
        return value

    def _set(self, slot: int, value: int) -> None:
        struct.pack_into("q", self._map, 8 * slot, value)
