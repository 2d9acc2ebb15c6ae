"""A ZIP of one file, read from its beginning to its end, because it streams in.

The layout is that of PKWARE's APPNOTE.TXT 6.3.10: each file after a header of its own, then the
directory, which repeats what the headers say. Other tools read only the directory, so both must say
the same. Offsets of files in the directory are not compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import product
from struct import Struct, error

from transactions.imports.header import UploadRefused
from transactions.imports.packed import PIECE_BYTES, Broken, Pieces, Source, inflated

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
WIDE_END, DESCRIPTOR = b"PK\x06\x06", b"PK\x07\x08"
# How a ZIP begins. An empty one has its end only.
SIGNATURES = {LOCAL, END}
_LOCAL, _CENTRAL = Struct("<4x2x2H4x3L2H"), Struct("<4x4x2H4x3L3H12x")
# The ends, from the number of this disk to the directory's offset; of ZIP64 with the locator after.
_END, _WIDE_END = Struct("<4x4H2LH"), Struct("<4xQ4x2L4Q20x")
_DESCRIPTORS = Struct("<3L"), Struct("<L2Q")
WIDE_END_BYTES = 44  # as it states it itself
_EXTRA, _WIDE_ID, _WIDE = Struct("<2H"), 1, 8

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
DESCRIBED = 1 << 3  # size and checksum come after the content
STORED, DEFLATED = 0, 8
RAW_WINDOW = -15
# In a field of 16 or 32 bits: the value is in the field of ZIP64.
FULL_16, FULL_32 = 0xFFFF, 0xFFFF_FFFF
# What macOS adds to a file: its attributes. Nobody means to import them.
OF_MACOS, MAX_BYTES_OF_MACOS = b"__MACOSX/", 1024 * 1024
# How the first entry of a spreadsheet or a text document is called.
OF_OFFICE = (b"[Content_Types].xml", b"mimetype", b"_rels/", b"docProps/", b"xl/", b"word/")
# A directory of one file, with comments. Whatever is longer holds something else.
MAX_DIRECTORY_BYTES = 128 * 1024

SEVERAL = "The ZIP holds more than one file, or a folder. Send one file at a time."
OFFICE = "The file is a spreadsheet or a document. Save it as CSV, and send that."
CIPHER = "The ZIP is encrypted. Send it without a password."
METHOD = "The ZIP is compressed in a way that cannot be read here. Use Deflate, or gzip."


@dataclass(frozen=True, order=True)
class Entry:
    name: bytes
    method: int
    checksum: int
    packed_bytes: int
    unpacked_bytes: int


def unpacked(source: Source) -> Pieces:
    """The one file in it. Raises UploadRefused."""
    entries: list[Entry] = []
    while (yield from _begins(source, LOCAL)):
        entry = yield from _entry(source, entries)
        entries.append(entry)
    yield from source.until(MAX_DIRECTORY_BYTES + 1)
    if len(source) > MAX_DIRECTORY_BYTES:
        raise Broken
    try:
        _require_directory(source.position, source.take(MAX_DIRECTORY_BYTES), entries)
    except error:
        raise Broken from None


def _begins(source: Source, signature: bytes) -> Generator[bytes, None, bool]:
    yield from source.until(len(signature))
    return source.peek(len(signature)) == signature


def _entry(source: Source, before: list[Entry]) -> Generator[bytes, None, Entry]:
    head = yield from source.exactly(_LOCAL.size)
    flags, method, checksum, packed, full, name_size, extra_size = _LOCAL.unpack(head)
    name = yield from source.exactly(name_size)
    extra = yield from source.exactly(extra_size)
    _require_readable(name, flags, method, before)
    if not flags & DESCRIBED:
        packed, full = _sizes(packed, full, extra)
    start = source.position
    contents = inflated(source, RAW_WINDOW) if method == DEFLATED else _stored(source, packed)
    checksum_found, size = yield from _measured(contents, is_dropped=name.startswith(OF_MACOS))
    found = Entry(name, method, checksum_found, source.position - start, size)
    if flags & DESCRIBED:
        yield from _require_descriptor(source, found)
    elif found != Entry(name, method, checksum, packed, full):
        raise Broken
    return found


def _require_readable(name: bytes, flags: int, method: int, before: list[Entry]) -> None:
    if not before and name.startswith(OF_OFFICE):
        raise UploadRefused("not-text", OFFICE)
    is_ours = not name.startswith(OF_MACOS)
    if is_ours and (name.endswith(b"/") or any(not _of_macos(entry) for entry in before)):
        raise UploadRefused("several-files", SEVERAL)
    if len(before) > 2:
        raise UploadRefused("several-files", SEVERAL)
    if flags & ENCRYPTED:
        raise UploadRefused("encrypted-archive", CIPHER)
    # What is stored and described later has no end that one could find.
    if method not in {STORED, DEFLATED} or (method == STORED and flags & DESCRIBED):
        raise UploadRefused("unknown-compression", METHOD)


def _of_macos(entry: Entry) -> bool:
    return entry.name.startswith(OF_MACOS)


def _stored(source: Source, size: int) -> Pieces:
    while size:
        yield from source.until(1)
        if not source:
            raise Broken
        piece = source.take(min(size, PIECE_BYTES))
        size -= len(piece)
        yield piece


def _measured(contents: Pieces, *, is_dropped: bool) -> Generator[bytes, None, tuple[int, int]]:
    """Pass the contents on, and return their checksum and size."""
    checksum = size = 0
    for piece in contents:
        checksum, size = zlib.crc32(piece, checksum), size + len(piece)
        if not (is_dropped and piece):
            yield piece
        elif size > MAX_BYTES_OF_MACOS:
            raise UploadRefused("several-files", SEVERAL)
    return checksum, size


def _require_descriptor(source: Source, entry: Entry) -> Pieces:
    """Its signature is optional, and its sizes have 4 bytes or 8. Nothing says which."""
    yield from source.until(len(DESCRIPTOR) + _DESCRIPTORS[-1].size)
    sizes = entry.packed_bytes, entry.unpacked_bytes
    forms = [
        before + form.pack(entry.checksum, *(size & mask for size in sizes))
        for before, (form, mask) in product(
            (DESCRIPTOR, b""), zip(_DESCRIPTORS, (FULL_32, -1), strict=True)
        )
    ]
    # The longest first: a shorter one may be how it begins.
    for form in sorted(forms, key=len, reverse=True):
        if source.peek(len(form)) == form:
            source.drop(len(form))
            return
    raise Broken


def _sizes(packed: int, full: int, extra: bytes) -> tuple[int, int]:
    """Both sizes, which ZIP64 keeps in the extra field."""
    wide = _wide(extra)
    if full == FULL_32:
        full = next(wide, full)
    return next(wide, packed) if packed == FULL_32 else packed, full


def _wide(extra: bytes) -> Iterator[int]:
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _WIDE_ID:
            field = extra[at : at + size]
            for start in range(0, len(field) - _WIDE + 1, _WIDE):
                yield int.from_bytes(field[start : start + _WIDE], "little")
        at += size


def _require_directory(start: int, tail: bytes, entries: list[Entry]) -> None:
    """The rest of the ZIP, which begins at `start`, lists just these entries.

    Raises:
        Broken, struct.error
    """
    listed, at = [], 0
    while tail.startswith(CENTRAL, at):
        entry, at = _listed(tail, at)
        listed.append(entry)
    if sorted(listed) != sorted(entries):
        raise Broken
    expected = [0, 0, len(entries), len(entries), at, start]
    is_wide = tail.startswith(WIDE_END, at)
    if is_wide:
        found = [*_WIDE_END.unpack_from(tail, at)]
        at += _WIDE_END.size
        if found != [WIDE_END_BYTES, *expected]:
            raise Broken
    *found, comment = _END.unpack_from(tail, at)
    if not tail.startswith(END, at) or at + _END.size + comment != len(tail):
        raise Broken
    elsewhere = {FULL_16, FULL_32} if is_wide else set()
    if any(has not in {should, *elsewhere} for has, should in zip(found, expected, strict=True)):
        raise Broken


def _listed(tail: bytes, at: int) -> tuple[Entry, int]:
    """The entry that the directory has here, and where the next one begins."""
    head = _CENTRAL.unpack_from(tail, at)
    _flags, method, checksum, packed, full, name_size, extra_size, comment = head
    at += _CENTRAL.size
    name, extra = tail[at : at + name_size], tail[at + name_size : at + name_size + extra_size]
    entry = Entry(name, method, checksum, *_sizes(packed, full, extra))
    return entry, at + name_size + extra_size + comment
