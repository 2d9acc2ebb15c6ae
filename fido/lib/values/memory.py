"""What a process remembers, within bounds."""

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A dict that forgets its oldest entries, for several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._entries = most, dict[K, V]()
        self._lock = threading.Lock()
        self.get = self._entries.get

    def put(self, key: K, value: V) -> None:
        with self._lock:  # one may not find the oldest while another adds
            self._entries[key] = value
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]
