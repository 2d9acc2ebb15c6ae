"""Uploads on disk: encrypted, complete or not at all, and deleted when no longer needed."""

import os
import resource
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.flows.refusals import refused
from tests.imports import csv, upload
from tests.key_rings import forget_older_keys, rotate
from transactions.imports import spool, tasks
from transactions.imports.models import Import
from transactions.imports.spool import BLOCK_BYTES, SpoolLost, SpoolUnavailable, Writer

NAME = "Zebulon Quixworth"


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def written(*pieces: bytes) -> UUID:
    writer = Writer(import_id := new_id())
    for piece in pieces:
        writer.write(piece)
    writer.close()
    return import_id


def read(import_id: UUID) -> str:
    with spool.opened(import_id, "utf-8") as text:
        return text.read()


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3_000_000])
def test_what_was_written_is_read(size: int) -> None:
    content = (f"{NAME};1\r\n" * (size // 10 + 1))[:size]

    assert read(written(content.encode())) == content


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_character_may_lie_in_two_blocks(character: str) -> None:
    content = "x" * (BLOCK_BYTES - 1) + character * 400_000

    assert read(written(content.encode())) == content


def test_line_ends_stay_and_the_mark_goes() -> None:
    assert read(written(b"\xef\xbb\xbf", b"a\r\nb\rc\n", b"d\xef\xbb\xbf")) == "a\r\nb\rc\nd\ufeff"


def test_what_lies_on_the_disk_holds_no_name_and_is_for_us_alone(folder: Path) -> None:
    path = spool.path_of(written(NAME.encode() * 100_000))

    assert b"Zebulon" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == [path]


def _borders(content: bytes) -> Iterator[int]:
    at = 0
    while at < len(content):
        yield at
        at += 4 + struct.unpack_from(">I", content, at)[0]


def test_a_file_that_was_cut_is_lost_wherever_it_was_cut() -> None:
    path = spool.path_of(import_id := written(b"x" * (2 * BLOCK_BYTES + 5)))
    whole = path.read_bytes()
    borders = list(_borders(whole))
    assert len(borders) == 4

    for cut in [*borders, *(at + 2 for at in borders), *(at + 40 for at in borders)]:
        path.write_bytes(whole[:cut])
        with pytest.raises(SpoolLost):
            read(import_id)


@pytest.mark.parametrize("at", [0, 1, 3, 4, 20, 1000, -1, -50])
def test_a_damaged_file_is_lost(at: int) -> None:
    path = spool.path_of(import_id := written(b"x" * 5000))
    content = bytearray(path.read_bytes())
    content[at] ^= 0x55
    path.write_bytes(content)

    with pytest.raises(SpoolLost):
        read(import_id)


def test_a_file_that_is_not_here_or_was_never_closed_is_lost() -> None:
    with pytest.raises(SpoolLost):
        spool.opened(new_id(), "utf-8")
    writer = Writer(import_id := new_id())
    writer.write(b"x" * BLOCK_BYTES)
    with pytest.raises(SpoolLost):
        read(import_id)
    writer.abandon()


def test_a_file_outlives_a_rotation_of_keys_and_not_the_loss_of_its_key(settings: object) -> None:
    import_id = written(b"x")
    rotate(settings)
    assert read(import_id) == "x"

    forget_older_keys(settings)

    with pytest.raises(SpoolLost):
        read(import_id)


@contextmanager
def full_disk(room_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 5000, BLOCK_BYTES, 3 * BLOCK_BYTES])
def test_a_full_disk_is_noticed_and_nothing_is_left(folder: Path, size: int) -> None:
    """At the first block, at the last one, and where Python's buffer hides it until the end."""
    writer = Writer(new_id())

    with full_disk(64):
        with pytest.raises(SpoolUnavailable):
            _write_and_close(writer, b"x" * size)
        writer.abandon()

    assert list(folder.iterdir()) == []


def _write_and_close(writer: Writer, content: bytes) -> None:
    writer.write(content)
    writer.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", [1, 100_000])
def test_an_upload_onto_a_full_disk_is_told_to_come_back(
    ada: ApiClient, folder: Path, rows: int
) -> None:
    with full_disk(64):
        answer = upload(ada, csv(*["2026-01-31,1,credit"] * rows))

    refused(answer, 503, "storage-unavailable")
    assert answer.headers["Retry-After"] == "60"
    assert list(folder.iterdir()) == []
    assert not Import.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_upload_with_no_folder_to_lie_in_is_told_to_come_back(
    ada: ApiClient, folder: Path
) -> None:
    folder.write_text("in the way")

    refused(upload(ada, csv()), 503, "storage-unavailable")


@pytest.mark.django_db
def test_uploads_that_broke_off_are_removed_and_nothing_else(folder: Path) -> None:
    old, fresh = written(b"x"), written(b"x")
    (folder / "notes.spool").write_text("somebody else's")
    (folder / "notes.txt").write_text("somebody else's")
    long_ago = spool.path_of(old).stat().st_mtime - tasks.ABANDONED_SECONDS - 1
    for name in (f"{old}.spool", "notes.spool", "notes.txt"):
        os.utime(folder / name, (long_ago, long_ago))

    tasks.remove_abandoned_uploads()

    names = {path.name for path in folder.iterdir()}
    assert names == {f"{fresh}.spool", "notes.spool", "notes.txt"}
