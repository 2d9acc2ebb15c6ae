"""What a process remembers, within bounds."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A dict that forgets its oldest entries."""

    def __init__(self, most: int) -> None:
        self._most, self._entries = most, dict[K, V]()
        self.get = self._entries.get

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        while len(self._entries) > self._most:
            self._entries.pop(next(iter(self._entries)), None)
