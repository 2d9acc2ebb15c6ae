"""One file in a multipart body: complete, alone, in the right field, or refused and discarded."""

import base64
import io
import sys
from typing import Any

import pytest
from rest_framework.exceptions import APIException, ParseError

from fido.lib.api.problems import BodyTooLarge
from fido.lib.api.uploads import ENVELOPE_BYTES, NoFile, received

BOUNDARY = "----x7MA4YWxk"
CONTENT = b"a,b\r\n" * 40 + b"--\r\n--" + BOUNDARY[:-1].encode() + b"\r\n1,\xff\0"


class Gathered:
    """What was fed, and whether it was discarded."""

    def __init__(self, max_bytes: int = 100_000) -> None:
        self.max_bytes, self.content, self.abandoned = max_bytes, b"", False

    def feed(self, data: bytes) -> None:
        self.content += data

    def abandon(self) -> None:
        self.abandoned = True


class Trickle(io.BytesIO):
    """Returns only a few bytes at a time."""

    def __init__(self, body: bytes, at_once: int) -> None:
        super().__init__(body)
        self.at_once = at_once

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.at_once if size is None or size < 0 else min(size, self.at_once))


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


FILE = part('name="file"; filename="rows.csv"', CONTENT, "Content-Type: text/csv")
USER = part('name="user_id"', b"7")
END = f"--{BOUNDARY}--".encode()
WHOLE = FILE + USER + END


def meta(body: bytes, boundary: str = f"boundary={BOUNDARY}") -> dict[str, Any]:
    kind = f"multipart/form-data; {boundary}"
    return {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}


def take_in(body: bytes, **more: Any) -> tuple[bytes, dict[str, Any]]:
    receiver = Gathered()
    fields = received(io.BytesIO(body), meta(body) | more, receiver)
    assert not receiver.abandoned
    return receiver.content, fields.dict()


def refused(body: bytes, kind: type[APIException], **more: Any) -> APIException:
    receiver = Gathered()
    with pytest.raises(kind) as refusal:
        received(io.BytesIO(body), meta(body) | more, receiver)
    assert receiver.abandoned
    return refusal.value


@pytest.mark.parametrize("at_once", [1, 2, 7, 100, 1_000_000])
@pytest.mark.parametrize("body", [WHOLE, USER + FILE + END + b"\r\n"])
def test_a_file_and_its_fields_arrive_in_chunks_of_any_size(body: bytes, at_once: int) -> None:
    receiver = Gathered()

    fields = received(Trickle(body, at_once), meta(body), receiver)

    assert (receiver.content, fields.dict()) == (CONTENT, {"user_id": "7"})
    assert not receiver.abandoned


@pytest.mark.parametrize("at_once", [1, 50, 1_000_000])
def test_a_body_that_is_truncated_anywhere_is_refused(at_once: int) -> None:
    for cut in range(1, len(WHOLE)):
        receiver = Gathered()
        with pytest.raises(APIException):
            received(Trickle(WHOLE[:cut], at_once), meta(WHOLE), receiver)
        assert receiver.abandoned


@pytest.mark.parametrize("at_once", [1, 50, 1_000_000])
def test_text_before_and_after_the_parts_is_ignored(at_once: int) -> None:
    second = FILE.replace(b"rows.csv", b"more.csv") + part('name="user_id"', b"8") + END
    body = b"This is multipart.\r\n" + WHOLE + b"\r\n" + second
    receiver = Gathered()

    fields = received(Trickle(body, at_once), meta(body), receiver)

    assert (receiver.content, fields.dict()) == (CONTENT, {"user_id": "7"})


NOT_ONE = {
    "none": USER + END,
    "nothing at all": END,
    "two": FILE + FILE + END,
    "two under two names": FILE + FILE.replace(b'"file"', b'"more"') + END,
    "another name": FILE.replace(b'"file"', b'"upload"') + END,
    "no name": FILE.replace(b'name="file"; ', b"") + END,
    "no file name": FILE.replace(b'; filename="rows.csv"', b"") + END,
    "an empty file name": FILE.replace(b"rows.csv", b"") + END,
}


@pytest.mark.parametrize("body", NOT_ONE.values(), ids=NOT_ONE)
def test_anything_but_one_file_in_the_right_field_is_refused(body: bytes) -> None:
    assert refused(body, NoFile).get_codes() == {"file": ["required"]}


def test_an_endless_file_name_is_refused() -> None:
    refused(FILE.replace(b"rows", b"r" * 2000) + END, ParseError)


def test_a_repeated_field_is_refused() -> None:
    assert refused(USER + FILE + USER + END, APIException).get_codes() == {"user_id": "repeated"}
    text = part('name="file"', b"a,b")
    assert refused(text + FILE + END, APIException).get_codes() == {"file": "repeated"}


def encoded(content: bytes) -> bytes:
    header = "Content-Transfer-Encoding: base64"
    return part('name="file"; filename="rows.csv"', content, header) + END


def test_a_file_in_base64_is_decoded() -> None:
    content = bytes(range(256)) * 100

    assert take_in(encoded(base64.encodebytes(content)))[0] == content


@pytest.mark.parametrize("content", [b"YQ", b"YWJ", b"YWJj\r\nY", b"YWJjZ==="])
def test_a_file_in_broken_base64_is_refused(content: bytes) -> None:
    assert refused(encoded(content), ParseError).detail == "The form cannot be read."


@pytest.mark.parametrize(
    "boundary",
    ["", "boundary=", "boundary=" + "x" * 300, "boundary=é", "boundary*=bogus'en'%41", "charset=x"],
)
def test_a_malformed_boundary_is_refused(boundary: str) -> None:
    receiver = Gathered()

    with pytest.raises(ParseError):
        received(io.BytesIO(WHOLE), meta(WHOLE, boundary), receiver)

    assert receiver.abandoned


@pytest.mark.parametrize("length", ["0", "", "-1", "x", "9" * 5000])
def test_a_malformed_length_is_refused(length: str) -> None:
    assert refused(WHOLE, APIException, CONTENT_LENGTH=length).status_code in (400, 413)


def test_a_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    limit = 1000 + ENVELOPE_BYTES
    for length, kind in ((limit, ParseError), (limit + 1, BodyTooLarge)):
        receiver, stream = Gathered(1000), io.BytesIO(b"x" * 100)
        with pytest.raises(kind):
            received(stream, meta(b"") | {"CONTENT_LENGTH": str(length)}, receiver)
        assert bool(stream.tell()) == (kind is ParseError)


def test_a_chunked_body_is_read_up_to_the_limit() -> None:
    in_chunks = {"CONTENT_LENGTH": str(sys.maxsize), "HTTP_TRANSFER_ENCODING": "chunked"}
    assert take_in(WHOLE, **in_chunks)[0] == CONTENT
    endless = io.BytesIO(FILE[:150] + b"x" * 1_000_000)
    receiver = Gathered(1000)

    with pytest.raises(BodyTooLarge):
        received(endless, meta(WHOLE) | in_chunks, receiver)

    assert receiver.abandoned
    assert endless.tell() <= 3 * ENVELOPE_BYTES


def test_endless_fields_are_refused() -> None:
    many = b"".join(part(f'name="f{number}"', b"") for number in range(1100))
    for body in (many + FILE + END, part('name="f"', b"x" * 200_000) + FILE + END):
        refused(body, BodyTooLarge)


def test_an_error_of_the_receiver_propagates_and_abandons_it() -> None:
    class Full(Gathered):
        def feed(self, data: bytes) -> None:
            raise RuntimeError("full")

    receiver = Full()
    with pytest.raises(RuntimeError, match="full"):
        received(io.BytesIO(WHOLE), meta(WHOLE), receiver)

    assert receiver.abandoned
