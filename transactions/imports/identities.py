"""External ids for rows that bring none, the same in every file of their account."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from transactions.statements.items import NotReadable

# Each takes a hundred bytes of memory while the file is read.
MAX_ENTRIES = 1_000_000


class Identities:
    """Ids of what a file says about each movement.

    What is equal in all of it gets numbers, in the order of the file: two coffees of one day are
    two.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def of(self, kind: str, parts: Iterable[str]) -> str:
        """`bank-{kind}-` and a digest. The account has to be among the parts.

        Raises:
            NotReadable: the file has too many entries.
        """
        text = "\x1e".join(parts).encode(errors="surrogatepass")
        key = blake2b(text, digest_size=16).digest()
        self._seen[key] = number = self._seen.get(key, 0) + 1
        if len(self._seen) > MAX_ENTRIES:
            detail = f"The file has more than {MAX_ENTRIES:,} entries: split it."
            raise NotReadable("too-many-entries", detail)
        if number > 1:
            key = blake2b(key + number.to_bytes(4), digest_size=16).digest()
        return f"bank-{kind}-{key.hex()}"
