"""Compressed uploads: what they hold is taken in, and whatever is wrong with them is refused."""

import gzip
import io
import tracemalloc
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fido.lib.values.errors import Kind
from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.imports import HEADER, amounts, imported, rows, upload
from transactions.imports import spool
from transactions.imports.header import UploadRefused
from transactions.imports.intake import Intake, UploadTooLarge
from transactions.imports.models import Import
from transactions.imports.packed import PIECE_BYTES
from transactions.imports.unpacking import Unpacker
from transactions.imports.zips import MAX_DIRECTORY_BYTES

MIB = 1024 * 1024
CONTENT = rows(400)


class Pipe(io.RawIOBase):
    """Nobody can seek in it, so sizes have to follow the contents."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def zipped(
    content: bytes = CONTENT,
    *more: str,
    name: str = "rows.csv",
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    wide: bool = False,
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        with archive.open(name, "w", force_zip64=wide) as entry:
            entry.write(content)
        for another in more:
            archive.writestr(another, content)
        archive.comment = comment
    return file.getvalue()


def streamed(content: bytes = CONTENT, *, wide: bool = False, method: int = 8) -> bytes:
    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", method) as archive,
        archive.open("rows.csv", "w", force_zip64=wide) as entry,
    ):
        entry.write(content)
    return bytes(pipe.written)


def without_its_descriptors_signature(archive: bytes) -> bytes:
    signature = archive.index(b"PK\x07\x08")
    offset = archive.index(b"PK\x05\x06") + 16
    moved = int.from_bytes(archive[offset : offset + 4], "little") - 4
    return (
        archive[:signature]
        + archive[signature + 4 : offset]
        + moved.to_bytes(4, "little")
        + archive[offset + 4 :]
    )


def unpacked(*pieces: bytes) -> bytes:
    unpacker = Unpacker()
    came = [piece for data in pieces for piece in unpacker.feed(data)]
    return b"".join([*came, *unpacker.finish()])


def cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(end % (len(data) + 1) for end in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


def refusal_of(*pieces: bytes) -> str:
    with pytest.raises(UploadRefused) as refusal:
        unpacked(*pieces)
    return refusal.value.code


def outcome(*pieces: bytes) -> bytes | str:
    """What comes out, or why nothing does."""
    try:
        return unpacked(*pieces)
    except UploadRefused as refusal:
        return refusal.code


PACKED = {
    "gzip": gzip.compress(CONTENT),
    "gzip of two members": gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:]),
    "gzip, with an empty member": gzip.compress(b"") + gzip.compress(CONTENT),
    "ZIP": zipped(),
    "ZIP in a folder": zipped(name="January/rows.csv"),
    "ZIP, stored": zipped(method=zipfile.ZIP_STORED),
    "ZIP with a comment": zipped(comment=b"PK\x05\x06 from the bank"),
    "ZIP64": zipped(wide=True),
    "ZIP, streamed": streamed(),
    "ZIP64, streamed": streamed(wide=True),
    "ZIP, streamed as older tools do": without_its_descriptors_signature(streamed()),
    "ZIP64, streamed as older tools do": without_its_descriptors_signature(streamed(wide=True)),
    "ZIP of macOS": zipped(CONTENT, "__MACOSX/", "__MACOSX/._rows.csv"),
    "as it is": CONTENT,
}


@pytest.mark.parametrize("name", PACKED)
def test_what_was_packed_comes_out_however_it_is_cut(name: str) -> None:
    data = PACKED[name]

    assert unpacked(data) == CONTENT
    assert unpacked(*cut(data, range(len(data)))) == CONTENT


@given(data=st.sampled_from([*PACKED.values()]), cuts=st.lists(st.integers(min_value=0)))
def test_how_a_file_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    assert unpacked(*cut(data, cuts)) == CONTENT


@pytest.mark.parametrize("content", [b"", b"P", b"PK", b"PK\x03", b"\x1f", b"PKX", b"\n"])
def test_what_only_begins_like_a_packed_file_stays_as_it_is(content: bytes) -> None:
    assert unpacked(content) == unpacked(*cut(content, range(4))) == content


@pytest.mark.parametrize("content", [b"", b"x", bytes(PIECE_BYTES), bytes(3 * PIECE_BYTES + 1)])
def test_contents_of_any_size_come_out(content: bytes) -> None:
    for data in (
        gzip.compress(content),
        zipped(content),
        streamed(content),
        streamed(content, wide=True),
    ):
        assert unpacked(data) == unpacked(*cut(data, range(0, len(data), 7))) == content


def test_the_end_of_a_directory_with_zip64_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    data = zipped()
    assert b"PK\x06\x06" in data

    assert unpacked(data) == CONTENT


@pytest.mark.parametrize("name", [name for name in PACKED if name != "as it is"])
def test_half_of_it_or_more_than_it_is_refused(name: str) -> None:
    data = PACKED[name]
    # What follows the first member is another file of its own.
    whole = {len(gzip.compress(CONTENT[:100])), len(gzip.compress(b""))}

    for length in set(range(4, len(data))) - whole:
        assert refusal_of(data[:length]) == "broken-archive"
    for more in (b"\0", b"PK\x03\x04", data[:30]):
        assert refusal_of(data + more) == "broken-archive"


SMALL = [gzip.compress(b"a,b\n1,2\n"), zipped(b"a,b\n1,2\n"), streamed(b"a,b\n1,2\n")]


@pytest.mark.parametrize("data", SMALL, ids=["gzip", "ZIP", "ZIP, streamed"])
def test_a_changed_byte_never_changes_what_comes_out(data: bytes) -> None:
    for at in range(4, len(data)):
        for bit in range(8):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            result = outcome(changed)
            assert isinstance(result, str) or result == b"a,b\n1,2\n"


def test_a_directory_that_says_something_else_is_refused() -> None:
    other = zipped(CONTENT, name="rows.tsv")
    directory = other.index(b"PK\x01\x02")

    assert refusal_of(zipped()[:directory] + other[directory:]) == "broken-archive"


@pytest.mark.parametrize("at", [14, 18, 22], ids=["checksum", "packed size", "size"])
def test_a_header_that_says_something_else_is_refused(at: int) -> None:
    data = bytearray(zipped())
    data[at] ^= 1

    assert refusal_of(bytes(data)) == "broken-archive"


@pytest.mark.parametrize("at", [4, 6, 8, 10, 12, 16, 20])
@pytest.mark.parametrize("limit", [0, 1], ids=["ZIP64", "ZIP"])
def test_an_end_that_says_something_else_is_refused(
    at: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", limit)
    data = bytearray(zipped())
    data[data.index(b"PK\x05\x06") + at] ^= 2

    assert refusal_of(bytes(data)) == "broken-archive"


@pytest.mark.parametrize("at", [4, 16, 20, 24, 32, 40, 48])
def test_an_end_of_zip64_that_says_something_else_is_refused(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    data = bytearray(zipped())
    data[data.index(b"PK\x06\x06") + at] ^= 2

    assert refusal_of(bytes(data)) == "broken-archive"


def test_nothing_hides_behind_the_longest_directory() -> None:
    name = "n" * 65_500
    comment = bytes(MAX_DIRECTORY_BYTES - 46 - len(name) - 22)
    data = zipped(name=name, comment=comment)

    assert unpacked(data) == unpacked(*cut(data, range(0, len(data), 5000))) == CONTENT
    assert refusal_of(data + b"x") == refusal_of(data, b"x") == "broken-archive"


def test_a_directory_without_end_is_refused_before_its_end() -> None:
    unpacker = Unpacker()
    for _ in unpacker.feed(zipped()):
        pass

    came = (list(unpacker.feed(bytes(PIECE_BYTES))) for _ in range(10))
    with pytest.raises(UploadRefused):
        deque(came, maxlen=0)


def with_flags(flags: int) -> bytes:
    data = bytearray(zipped())
    data[6:8] = flags.to_bytes(2, "little")
    return bytes(data)


REFUSED = {
    "two files": (zipped(CONTENT, "more.csv"), "several-files"),
    "a folder": (zipped(b"", name="January/"), "several-files"),
    "too much of macOS": (zipped(CONTENT, *(f"__MACOSX/._{n}" for n in "abc")), "several-files"),
    "a spreadsheet": (zipped(name="[Content_Types].xml"), "not-text"),
    "another spreadsheet": (zipped(name="mimetype", method=zipfile.ZIP_STORED), "not-text"),
    "encrypted": (with_flags(1), "encrypted-archive"),
    "strongly encrypted": (with_flags(1 << 6 | 1), "encrypted-archive"),
    "BZip2": (zipped(method=zipfile.ZIP_BZIP2), "unknown-compression"),
    "stored, of a size that follows": (streamed(method=0), "unknown-compression"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_else_is_wrong_with_a_zip_is_said(name: str) -> None:
    data, code = REFUSED[name]

    assert refusal_of(data) == refusal_of(*cut(data, range(len(data)))) == code


def test_a_second_file_is_refused_before_it_is_there() -> None:
    unpacker = Unpacker()
    data = zipped(CONTENT, "more.csv")

    with pytest.raises(UploadRefused):
        list(unpacker.feed(data[: data.index(b"more.csv") + 8]))


@given(
    start=st.sampled_from([b"\x1f\x8b", b"\x1f\x8b\x08\0", b"PK\x03\x04", b"PK\x05\x06"])
    | st.sampled_from([data[:length] for data in SMALL for length in (10, 30, 38, 50)]),
    rest=st.binary(max_size=200),
    cuts=st.lists(st.integers(min_value=0), max_size=5),
)
def test_anything_gives_data_or_a_refusal(start: bytes, rest: bytes, cuts: list[int]) -> None:
    assert outcome(start + rest) == outcome(*cut(start + rest, cuts))


def bomb(byte: bytes, size: int, *, name: str = "rows.csv") -> dict[str, bytes]:
    deflate = zlib.compressobj(9, wbits=31)
    packed = b"".join(deflate.compress(byte * MIB) for _ in range(size // MIB)) + deflate.flush()
    return {"gzip": packed, "ZIP": zipped(byte * size, name=name)}


@pytest.mark.parametrize("kind", ["gzip", "ZIP"])
def test_a_bomb_needs_no_memory(kind: str) -> None:
    packed, unpacker = bomb(b"\n", 64 * MIB)[kind], Unpacker()
    sizes: list[int] = []
    tracemalloc.start()
    with pytest.raises(UploadRefused) as refusal:
        sizes.extend(map(len, unpacker.feed(packed)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refusal.value.code == "archive-bomb"
    assert max(sizes) == PIECE_BYTES
    assert 10 * MIB < sum(sizes) < 12 * MIB
    assert peak < MIB


@pytest.mark.parametrize("kind", ["gzip", "ZIP"])
def test_a_bomb_ends_where_a_file_may_have_no_more(
    kind: str, settings: Any, spool_folder: Path
) -> None:
    settings.IMPORT_MAX_BYTES = 3 * MIB
    intake = Intake(new_id())

    with pytest.raises(UploadTooLarge) as refusal:
        intake.feed(bomb(b"\n", 64 * MIB)[kind])

    assert refusal.value.kind == Kind.TOO_LARGE
    assert intake.size_bytes <= 3 * MIB + PIECE_BYTES
    assert list(spool_folder.iterdir()) == []


def test_a_bomb_in_what_macos_adds_is_refused_early() -> None:
    data = bomb(b"\n", 64 * MIB, name="__MACOSX/._rows.csv")["ZIP"]

    assert refusal_of(data[:4096]) == "several-files"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pack", [gzip.compress, zipped, streamed])
def test_a_packed_file_is_imported(ada: ApiClient, pack: Any) -> None:
    content = rows(3)

    row = imported(ada, pack(content))

    assert (row.status, row.rows_created, row.size_bytes) == ("done", 3, len(content))
    assert amounts(ada) == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_what_waits_on_disk_is_the_unpacked_file(ada: ApiClient) -> None:
    import_id = upload(ada, zipped()).json()["id"]

    with spool.opened_bytes(import_id) as file:
        assert file.read() == CONTENT


@pytest.mark.django_db
@pytest.mark.parametrize("outer", [gzip.compress, zipped])
@pytest.mark.parametrize("inner", [gzip.compress, zipped])
def test_what_was_packed_twice_is_refused(
    ada: ApiClient, outer: Any, inner: Any, spool_folder: Path
) -> None:
    answer = upload(ada, outer(inner(HEADER.encode())))

    assert (answer.status_code, answer.json()["code"]) == (400, "not-text")
    assert "packed twice" in answer.json()["detail"]
    assert list(spool_folder.iterdir()) == []
    assert not Import.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_key_belongs_to_the_bytes_that_were_sent(ada: ApiClient) -> None:
    first = upload(ada, gzip.compress(CONTENT, mtime=0), key="a")

    assert upload(ada, gzip.compress(CONTENT, mtime=0), key="a").content == first.content
    assert upload(ada, CONTENT, key="a").status_code == 422
    assert Import.objects.count() == 1
