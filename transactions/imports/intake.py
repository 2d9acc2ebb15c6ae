"""Takes in an upload piece by piece, and refuses an unimportable file as early as possible."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from fido.lib.values.errors import DomainError, Kind
from transactions.imports import foreign
from transactions.imports.contents import Contents, Foreign, FromBank, Native
from transactions.imports.header import UploadRefused
from transactions.imports.layout import Layout
from transactions.imports.spool import Writer
from transactions.imports.unpacking import Unpacker
from transactions.mappings.mapping import ColumnMapping
from transactions.statements.recognition import HEAD_BYTES, STATEMENTS, recognised

# What of the beginning is kept, to find out what the columns are.
KEPT_BYTES = 64 * 1024
# The first bytes of formats that are often sent by mistake.
NOT_TEXT = {
    b"PK\x03\x04": "packed twice",
    b"\x1f\x8b": "packed twice",
    b"%PDF": "a PDF",
}


class UploadTooLarge(DomainError):
    code, title, kind = "file-too-large", "The file is too large to import.", Kind.TOO_LARGE


class Intake:
    """Writes what it is fed to the spool, unpacked: `size_bytes` counts that. The digest is of what
    was sent. `close` removes the file, unless `keep` was called.
    """

    def __init__(self, import_id: UUID) -> None:
        self.import_id = import_id
        self.max_bytes = settings.IMPORT_MAX_BYTES
        self.size_bytes = 0
        self._hash = hashlib.sha256()
        self.head = self._waiting = b""
        self._contents: Contents | None = None
        self._kept = False
        self._unpacker = Unpacker()
        self._writer = Writer(import_id)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def feed(self, data: bytes) -> None:
        """Raises UploadRefused, UploadTooLarge or SpoolUnavailable; then nothing of the file
        remains.
        """
        self._hash.update(data)
        try:
            self._store(self._unpacker.feed(data))
        except BaseException:
            self.abandon()
            raise

    def finish(
        self, mapping: ColumnMapping | None = None, known: Iterable[ColumnMapping] = ()
    ) -> Layout:
        """The file's layout, once all of it is on disk. Raises as `feed` does.

        `mapping` says what a CSV's columns are. Without one, and if they are not ours, one of the
        `known` applies, or they are guessed.
        """
        layout = self.stored()
        try:
            return foreign.decided(layout, self.head, mapping, known)
        except BaseException:
            self.abandon()
            raise

    def stored(self) -> Layout:
        """What is known of the layout before any mapping, once all of the file is on disk.

        Raises as `feed` does.
        """
        try:
            self._store(self._unpacker.finish())
            layout = (self._contents or self._recognised()).finish()
            self._writer.close()
        except BaseException:
            self.abandon()
            raise
        return layout

    def keep(self) -> None:
        """From now on another owner removes the file."""
        self._kept = True

    def close(self) -> None:
        if not self._kept:
            self.abandon()

    def abandon(self) -> None:
        self._writer.abandon()

    def _store(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._check(piece)
            self._writer.write(piece)

    def _check(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self.max_bytes:
            raise UploadTooLarge(f"At most {self.max_bytes:,} bytes.")
        if len(self.head) < KEPT_BYTES:
            self.head = (self.head + data)[:KEPT_BYTES]
        if self._contents:
            self._contents.feed(data)
            return
        self._waiting += data
        self._require_text()
        if Native.begins(self.head) or len(self.head) >= HEAD_BYTES:
            self._recognised()

    def _recognised(self) -> Contents:
        """The contents, which are fed what has come so far."""
        self._contents = contents = self._new_contents()
        contents.feed(self._waiting)
        self._waiting = b""
        return contents

    def _new_contents(self) -> Contents:
        if Native.begins(self.head):
            return Native()
        form = recognised(self.head)
        return FromBank(form, self.head) if form else Foreign(self.head)

    def _require_text(self) -> None:
        for signature, what in NOT_TEXT.items():
            if self.head.startswith(signature):
                known = ", ".join(STATEMENTS.values())
                detail = f"The file is {what}. Send CSV or NDJSON in UTF-8, {known}."
                raise UploadRefused("not-text", detail)
