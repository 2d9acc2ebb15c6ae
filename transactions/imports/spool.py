"""Uploaded files on disk until they are imported: encrypted, and read as a stream.

A file is a sequence of blocks: the length of a Fernet token in four bytes, then the token. The last
block is empty; without it the file is incomplete.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.conf import settings

from fido.lib.values.crypto.keys import fernet_ring
from fido.lib.values.errors import DomainError, Kind

logger = logging.getLogger(__name__)

BLOCK_BYTES = 256 * 1024
# A token is a third larger than its content, plus some bytes.
MAX_TOKEN_BYTES = 2 * BLOCK_BYTES
_LENGTH = struct.Struct(">I")


class SpoolLost(Exception):
    """The file is missing or incomplete, or fits no key."""


class SpoolUnavailable(DomainError):
    """The disk is full, or the folder is not writable."""

    code, title, kind = (
        "storage-unavailable",
        "There is temporarily no room for the file.",
        Kind.UNAVAILABLE,
    )
    wait = 60


def path_of(import_id: UUID) -> Path:
    return Path(settings.IMPORTS_DIR) / f"{import_id}.spool"


def discard(import_id: UUID) -> None:
    path_of(import_id).unlink(missing_ok=True)


def stale(older_than_seconds: float) -> Iterator[UUID]:
    """The files that nothing has been added to for this long."""
    folder = Path(settings.IMPORTS_DIR)
    for path in folder.glob("*.spool") if folder.is_dir() else ():
        # Another process may remove it meanwhile; and a file with another kind of name is not ours.
        with contextlib.suppress(FileNotFoundError, ValueError):
            import_id = UUID(path.stem)
            if time.time() - path.stat().st_mtime > older_than_seconds:
                yield import_id


class Writer:
    """Appends to a new file. Bytes become readable once their block is full, or at `close`.

    Its methods raise SpoolUnavailable.
    """

    def __init__(self, import_id: UUID) -> None:
        self._path = path_of(import_id)
        self._waiting = bytearray()
        with _refusing():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = open(self._path, "xb", opener=_for_us_alone)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= BLOCK_BYTES:
            self._write_block(BLOCK_BYTES)

    def close(self) -> None:
        """Return once all of it is on disk."""
        if self._waiting:
            self._write_block(len(self._waiting))
        self._write_block(0)
        with _refusing():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _sync_folder(self._path.parent)

    def abandon(self) -> None:
        with contextlib.suppress(OSError):  # on a full disk, writing the buffered rest fails
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _write_block(self, size: int) -> None:
        token = fernet_ring().encrypt(bytes(self._waiting[:size]))
        del self._waiting[:size]
        with _refusing():
            self._file.write(_LENGTH.pack(len(token)) + token)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.error("An upload cannot be stored: %s", error.strerror)
        raise SpoolUnavailable() from None


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    # Otherwise a crash may lose the directory entry of a file that is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Blocks(io.RawIOBase):
    """The file's decrypted bytes, block by block."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._encrypted = file
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not (self._left or self._ended):
            self._left = memoryview(self._next())
            self._ended = not self._left
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def close(self) -> None:
        self._encrypted.close()
        super().close()

    def _next(self) -> bytes:
        try:
            (length,) = _LENGTH.unpack(self._encrypted.read(_LENGTH.size))
            # A damaged length must not make us read the whole file.
            return fernet_ring().decrypt(self._encrypted.read(min(length, MAX_TOKEN_BYTES)))
        except (struct.error, InvalidToken):
            raise SpoolLost from None


def opened_bytes(import_id: UUID) -> io.BufferedReader:
    """The file as it was uploaded.

    Raises:
        SpoolLost: now or while it is read.
    """
    try:
        file = path_of(import_id).open("rb")
    except OSError:
        raise SpoolLost from None
    return io.BufferedReader(_Blocks(file), BLOCK_BYTES)


def opened(import_id: UUID, encoding: str) -> io.TextIOWrapper:
    """The file's text, with its original line ends and without its byte order mark.

    A byte that has no meaning in the encoding is replaced.

    Raises as `opened_bytes` does.
    """
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    return io.TextIOWrapper(opened_bytes(import_id), encoding, errors="replace", newline="")
