"""External ids for rows that bring none, the same in every file of their account."""

from __future__ import annotations

from collections import Counter
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
        self._seen: Counter[bytes] = Counter()

    def of(self, kind: str, parts: Iterable[str]) -> str:
        """`bank-{kind}-` and a digest. The account has to be among the parts.

        Raises:
            NotReadable: the file has too many entries.
        """
        text = "\x1e".join(parts).encode(errors="surrogatepass")
        key = blake2b(text, digest_size=16).digest()
        self._seen[key] += 1
        if len(self._seen) > MAX_ENTRIES:
            detail = f"The file has more than {MAX_ENTRIES:,} entries: split it."
            raise NotReadable("too-many-entries", detail)
        number = self._seen[key].to_bytes(4)
        return f"bank-{kind}-{blake2b(key + number, digest_size=16).hexdigest()}"
