"""Which uploads are accepted or refused, how early, and that a refusal leaves no file."""

import tracemalloc
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from fido.lib.values.errors import DomainError, Kind
from fido.lib.values.ids import new_id
from transactions.imports.header import UploadRefused
from transactions.imports.intake import Intake, UploadTooLarge
from transactions.imports.layout import CSV, MAX_ROW_LENGTH, NDJSON, Layout

HEADER = b"transaction_date,transaction_amount,transaction_type"
COMMAS = Layout(CSV, ",", tuple(HEADER.decode().split(",")))
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def taken_in(*pieces: bytes) -> Layout:
    intake = Intake(new_id())
    for piece in pieces:
        intake.feed(piece)
    return intake.finish()


def refusal_of(*pieces: bytes) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        taken_in(*pieces)
    return refusal.value


def in_bytes(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 1] for start in range(len(content)))


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n\r\n", b"\xef\xbb\xbf\n \n", b"  "])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r", b"\r\n1,2,3\r\n"])
def test_a_header_is_found_however_it_comes(before: bytes, end: bytes) -> None:
    content = before + HEADER + end

    assert taken_in(content) == COMMAS
    assert taken_in(*in_bytes(content)) == COMMAS


@pytest.mark.parametrize("content", [b'{"a": 1}', b"\xef\xbb\xbf{}\n{}\n", b"\n\n{"])
def test_ndjson_is_told_by_its_first_line(content: bytes) -> None:
    assert taken_in(content) == taken_in(*in_bytes(content)) == Layout(NDJSON)


NOT_TEXT = {
    "PDF": (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
    "UTF-32": ("a,b\n".encode("utf-32"), "not text"),
}


@pytest.mark.parametrize("name", NOT_TEXT)
def test_what_is_often_sent_by_mistake_is_named(name: str, folder: Path) -> None:
    content, what = NOT_TEXT[name]

    refusal = refusal_of(content)

    assert refusal.code == "not-text"
    assert what in refusal.detail
    assert refusal_of(*in_bytes(content)).code in {"not-text", "not-utf-8"}
    assert list(folder.iterdir()) == []


BINARY = {
    "a NUL in the header": (b"trans\0action", "not-text"),
    "a NUL": (HEADER + b"\n1,\0,3\n", "not-text"),
    "UTF-16 without a mark": (HEADER.decode().encode("utf-16-le"), "not-text"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0", "not-text"),
    "control characters": (b"a,b\n\x01,2\n", "not-text"),
    "Latin-1": (HEADER + b"\nZo\xeb,2,3\n", "not-utf-8"),
    "half a character at the end": (HEADER + b"\nZo\xc3", "not-utf-8"),
    "half a surrogate": (HEADER + b"\n\xed\xa0\x80,2,3\n", "not-utf-8"),
    "too long a form": (HEADER + b"\n\xc0\xaf,2,3\n", "not-utf-8"),
}


@pytest.mark.parametrize("name", BINARY)
def test_invalid_utf_8_is_refused_wherever_it_occurs(name: str, folder: Path) -> None:
    content, code = BINARY[name]

    assert refusal_of(content).code == code
    assert refusal_of(*in_bytes(content)).code == code
    assert list(folder.iterdir()) == []


def test_a_character_may_be_cut_by_a_piece() -> None:
    content = HEADER + "\n€😀,2,3\n".encode()

    for cut in range(len(HEADER), len(content)):
        assert taken_in(content[:cut], content[cut:]) == COMMAS


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n \r\n", b"\xef\xbb\xbf\n", b"\t"])
def test_an_empty_file_is_refused(content: bytes, folder: Path) -> None:
    assert refusal_of(content).code == refusal_of(*in_bytes(content)).code == "empty-file"
    assert list(folder.iterdir()) == []


def test_two_marks_are_one_too_many() -> None:
    assert refusal_of(b"\xef\xbb\xbf" * 2 + HEADER).code == "unknown-column"


def test_a_file_may_be_as_large_as_it_may_and_not_a_byte_larger(
    settings: Any, folder: Path
) -> None:
    content = HEADER + b"\n" + b"1,2,3\n" * 100
    settings.IMPORT_MAX_BYTES = len(content)
    assert taken_in(content) == taken_in(*in_bytes(content)) == COMMAS
    before = set(folder.iterdir())

    settings.IMPORT_MAX_BYTES -= 1

    assert isinstance(refusal_of(content), UploadTooLarge)
    assert refusal_of(*in_bytes(content)).kind == Kind.TOO_LARGE
    assert set(folder.iterdir()) == before


LONG = b"x" * MAX_ROW_LENGTH


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_as_long_as_they_may_be_are_taken_whatever_ends_them(end: bytes) -> None:
    content = HEADER + end + (LONG + end) * 5 + LONG

    for size in (len(content), MIB, 1000, MAX_ROW_LENGTH):
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        assert taken_in(*pieces) == COMMAS


@pytest.mark.parametrize("before", [b"", HEADER + b"\n", HEADER + b"\r1,2,3\r"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n1,2,3"])
def test_a_line_that_is_too_long_is_refused_wherever_it_stands(
    before: bytes, after: bytes, folder: Path
) -> None:
    content = before + LONG + b"x" + after

    assert refusal_of(content).code == "line-too-long"
    pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    assert refusal_of(*pieces).code == "line-too-long"
    assert list(folder.iterdir()) == []


def test_a_line_of_100_megabytes_is_refused_before_it_is_there(folder: Path) -> None:
    intake, piece = Intake(new_id()), b"x" * 4096
    endless = map(intake.feed, repeat(piece, 100 * MIB // len(piece)))

    with pytest.raises(UploadRefused):
        deque(endless, maxlen=0)

    assert intake.size_bytes == MAX_ROW_LENGTH + len(piece)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("piece", [b"\n" * 65536, HEADER + b"\n" + b"1,2,3\n" * 10_000])
def test_memory_stays_small_however_much_comes(piece: bytes, folder: Path) -> None:
    """This holds even for endless blank lines, without any header."""
    intake = Intake(new_id())
    tracemalloc.start()
    for _ in range(30 * MIB // len(piece)):
        intake.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    intake.close()

    assert peak < 10 * MIB
    assert list(folder.iterdir()) == []


def test_closing_removes_what_nobody_keeps(folder: Path) -> None:
    kept, left = Intake(new_id()), Intake(new_id())
    for intake in (kept, left):
        intake.feed(HEADER + b"\n")
        intake.finish()
    kept.keep()

    for intake in (kept, left, left):
        intake.close()

    assert [path.stem for path in folder.iterdir()] == [str(kept.import_id)]
